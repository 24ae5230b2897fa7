"""While an application is written: it is loaded again when a file of it changes, and so are pages.

The page asks again and again, so that it also learns of a server that was started again.
"""

from __future__ import annotations

import logging
import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, jsonify

from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.errors import BokehServerError

if TYPE_CHECKING:
    from bokeh.application.application import Application

    from bokeh_server.apps import AppHost

__all__ = ["Reloader", "add_dev_route", "with_script"]

log = logging.getLogger("bokeh_server")

SECONDS = 0.5
_ENDINGS = frozenset((".py", ".ipynb", ".html", ".css", ".js", ".yaml", ".yml"))
_PATH = "/bokeh/dev"


class Reloader:
    """Looks at the files of applications, and loads those again that changed.

    :param host: gives what runs them.
    :param sources: the file or folder of each, by its address.
    :param load: makes an application of one.
    :param more: other files, at which all are loaded again.
    :ivar generation: another one when anything was loaded again, and after every start.
    """

    def __init__(
        self,
        host: Callable[[], AppHost],
        sources: Mapping[str, Path],
        load: Callable[[Path], Application],
        more: Iterable[Path] = (),
    ) -> None:
        self._host = host
        self._sources = {path: source.absolute() for path, source in sources.items()}
        self._load = load
        self._more = [each.absolute() for each in more]
        self._seen = {path: self._files(path) for path in self._sources}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bokeh-dev", daemon=True)
        self.generation = secrets.token_hex(8)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.wait(SECONDS):
            try:
                self.look()
            except Exception:
                log.exception("The files of the applications could not be looked at")

    def look(self) -> None:
        """Look once, and load again what changed."""
        for path in self._sources:
            before = self._seen[path]
            # Modules that are not imported just now are files of it still.
            files = _times({*self._files(path), *before})
            self._seen[path] = files
            # Modules that a session has imported since are new to us, and did not change.
            if any(files.get(each) != changed for each, changed in before.items()):
                self._reload(path)

    def _reload(self, path: str) -> None:
        source = self._sources[path]
        for name, file in _modules():
            if _is_part(file, source):
                sys.modules.pop(name, None)
        try:
            self._host().replace(path, self._load(source))
        except BokehServerError as error:
            log.error("%s", error)  # the old one goes on until it is mended
            return
        self.generation = secrets.token_hex(8)
        log.info("Loaded %s again: a file of it changed", path)

    def _files(self, path: str) -> dict[Path, int]:
        source = self._sources[path]
        files = {source, *self._more}
        if source.is_dir():
            files.update(each for each in source.rglob("*") if each.suffix in _ENDINGS)
        files.update(file for _, file in _modules() if _is_part(file, source))
        return _times(files)


def _is_part(file: Path, source: Path) -> bool:
    """Whether a module is one of an application's: in its folder, or beside its script."""
    return file.is_relative_to(source) if source.is_dir() else file.parent == source.parent


def _times(files: Iterable[Path]) -> dict[Path, int]:
    """When each changed last, of those that are there."""
    return {file: changed for file in files if (changed := _changed(file))}


def _modules() -> list[tuple[str, Path]]:
    """Modules that may be an application's: neither ours, nor Bokeh's own, nor installed ones.

    Bokeh names those in which scripts and packages of applications run, and makes new ones.
    """
    files = [(name, getattr(module, "__file__", None)) for name, module in [*sys.modules.items()]]
    return [
        (name, Path(file))
        for name, file in files
        if isinstance(file, str)
        and "site-packages" not in file
        and name.partition(".")[0] not in ("bokeh_server", "__main__")
        and not name.startswith("bokeh_app_")
    ]


def _changed(file: Path) -> int:
    """When a file changed last; nothing where it is none."""
    try:
        return file.stat().st_mtime_ns if file.is_file() else 0
    except OSError:
        return 0


def add_dev_route(app: Flask, prefix: str, reloader: Reloader) -> None:
    """Add the route by which pages learn that there is something new."""
    app.add_url_rule(
        prefix + _PATH, "bokeh_server_dev", lambda: jsonify(generation=reloader.generation)
    )


def with_script(html: str) -> str:
    """A page that loads itself again when its application is, where that is wanted."""
    if not current_state().settings.dev:
        return html
    found = links()
    script, url = escape(found.own["dev.js"]), escape(found.root + _PATH)
    return f'{html}<script type="module" src="{script}" data-dev="{url}"></script>'
