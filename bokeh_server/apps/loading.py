"""Applications from files, folders, notebooks and functions."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bokeh.application.application import Application
from bokeh.application.handlers.directory import DirectoryHandler
from bokeh.application.handlers.function import FunctionHandler
from bokeh.application.handlers.handler import Handler
from bokeh.application.handlers.notebook import NotebookHandler
from bokeh.application.handlers.script import ScriptHandler
from bokeh.document import Document

from bokeh_server.apps.containing import contained
from bokeh_server.errors import ApplicationFailed, ConfigurationError, ServerFault

__all__ = [
    "FileApplication",
    "Loadable",
    "application_of",
    "applications_of",
    "expand",
    "metadata_of",
    "normal_path",
]

log = logging.getLogger("bokeh_server")

Loadable = str | os.PathLike[str] | Callable[[Document], None] | Application


class FileApplication(Application):
    """An application that another process can load, too.

    :ivar source: its script, notebook or folder.
    :ivar argv: what its script finds in ``sys.argv[1:]``.
    """

    def __init__(self, *handlers: Handler, source: Path, argv: tuple[str, ...] = ()) -> None:
        super().__init__(*handlers)
        self.source = source
        self.argv = argv


def application_of(what: Loadable, argv: Sequence[str] = ()) -> Application:
    """An application of a script, folder, notebook or function; one that is one stays as it is.

    :param argv: what its script finds in ``sys.argv[1:]``.
    :raises ConfigurationError: there is no such file, or it cannot be read.
    """
    if isinstance(what, Application):
        return what
    if callable(what):
        return Application(FunctionHandler(what))
    return _of_path(Path(what), list(argv))


def _of_path(path: Path, argv: list[str]) -> Application:
    attempted = f"load the application {path}"
    if not path.exists():
        raise ConfigurationError(attempted, "there is no such file or folder", "Check the path")
    handler_type = _HANDLERS.get("folder" if path.is_dir() else path.suffix.lower())
    if handler_type is None:
        why = "it is no folder, no .py and no .ipynb"
        raise ConfigurationError(attempted, why, "Give one of these")
    try:
        handler = handler_type(filename=str(path.absolute()), argv=argv)
    except Exception as error:
        why, remedy = (str(error) or repr(error)).rstrip("."), "Mend it"
        if handler_type is NotebookHandler and isinstance(error, RuntimeError):
            remedy = "Install what notebooks take: pip install 'bokeh-server[notebook]'"
        raise ConfigurationError(attempted, why, remedy) from error
    if handler.failed:
        why = f"{handler.error}\n{handler.error_detail}".strip()
        raise ConfigurationError(attempted, why, "Mend it")
    return FileApplication(handler, source=path.absolute(), argv=tuple(argv))


_HANDLERS: Mapping[str, Callable[..., ScriptHandler | NotebookHandler | DirectoryHandler]] = {
    "folder": DirectoryHandler,
    ".py": ScriptHandler,
    ".ipynb": NotebookHandler,
}


def applications_of(paths: Iterable[str], argv: Sequence[str] = ()) -> dict[str, Application]:
    """Applications by the address that each gets: ``/`` and the name of its file.

    :raises ConfigurationError: one cannot be loaded, or two have one address.
    """
    found: dict[str, Application] = {}
    for path in paths:
        application = application_of(path, argv)
        route = (
            "/" + Path(path).absolute().stem
            if not Path(path).is_dir()
            else ("/" + Path(path).absolute().name)
        )
        if route in found:
            raise ConfigurationError(
                f"load the application {path}",
                f"another one has the address {route}",
                "Rename one of the two",
            )
        found[route] = application
    return found


def expand(patterns: Iterable[str]) -> list[str]:
    """The files that patterns such as ``apps/*.py`` stand for, in order."""
    return [path for pattern in patterns for path in sorted(glob.glob(pattern)) or [pattern]]


def normal_path(path: str) -> str:
    """The address of an application as it is kept: ``/name``, or ``/``.

    :raises ConfigurationError: it can be none.
    """
    stripped = path.strip("/")
    if not stripped.isprintable() or any(each in stripped for each in "?#<>\\ "):
        why = "it has characters that are for other things"
        raise ConfigurationError(f"serve an application at {path!r}", why, "Use letters and digits")
    parts = stripped.split("/")
    if stripped and (
        parts[0] in ("bokeh", "static") or any(each in ("", ".", "..") for each in parts)
    ):
        raise ConfigurationError(
            f"serve an application at {path!r}", "the address is the server's own", "Use another"
        )
    return "/" + stripped


def metadata_of(application: Application) -> dict[str, Any]:
    """What the author of an application wants to be known of it.

    :raises ApplicationFailed: the function that tells it failed.
    """
    data: Any = application.metadata
    try:
        return (contained(data) if callable(data) else data) or {}
    except ServerFault:
        raise
    except Exception as error:
        log.exception("The metadata of an application could not be told")
        why = "its code failed; the server's log says where"
        raise ApplicationFailed("tell what is known of an application", why) from error
