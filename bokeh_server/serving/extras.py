"""What a server of its own has besides: the icon, and an eye on files that change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, send_file

from bokeh_server.config import Settings
from bokeh_server.errors import ConfigurationError

if TYPE_CHECKING:
    from bokeh_server.blueprint.applications.developing import Reloader
    from bokeh_server.blueprint.state import State

__all__ = ["add_favicon", "watched"]


def add_favicon(app: Flask, settings: Settings) -> None:
    """Answer ``/favicon.ico``, which is never under a prefix.

    :raises ConfigurationError: there is no such file.
    """
    if settings.ico_path.lower() == "none":
        return
    path = Path(settings.ico_path) if settings.ico_path else _bokehs()
    if not path.is_file() or path.suffix != ".ico":
        why = f"{path} is no file with the ending .ico"
        raise ConfigurationError("use an icon", why, "Check --ico-path; none means none")
    app.add_url_rule("/favicon.ico", "bokeh_server_favicon", lambda: _send(path))


def _bokehs() -> Path:
    import bokeh

    return Path(bokeh.__file__).parent / "server" / "views" / "bokeh.ico"


def _send(path: Path) -> Response:
    return send_file(path.absolute(), mimetype="image/x-icon", max_age=86_400)


def watched(app: Flask, sources: Mapping[str, Path] | None, argv: Sequence[str]) -> Reloader:
    """What loads applications again that change.

    :raises ConfigurationError: there is none, or they are in other processes.
    """
    from bokeh_server.apps import AppHost, application_of
    from bokeh_server.blueprint.applications.developing import Reloader, add_dev_route

    state: State = app.extensions["bokeh_server"]
    attempted = "watch the files of applications"
    if not sources:
        raise ConfigurationError(attempted, "there is none", "Name one before --dev")
    if state.settings.app_workers:
        why = "they run in worker processes"
        raise ConfigurationError(attempted, why, "Leave --app-workers out with --dev")

    def host() -> AppHost:
        found = state.applications
        assert isinstance(found, AppHost), "there are no worker processes"
        return found

    more = [Path(each) for each in state.settings.dev_files]
    reloader = Reloader(host, sources, lambda path: application_of(str(path), argv), more)
    add_dev_route(app, state.settings.url_prefix, reloader)
    return reloader
