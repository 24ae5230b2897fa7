"""Files of applications, of Bokeh's extensions, and BokehJS at the addresses of ``bokeh serve``."""

from __future__ import annotations

from pathlib import Path

from bokeh.embed.bundle import extension_dirs
from flask import Response, request, send_from_directory
from werkzeug.exceptions import NotFound

from bokeh_server.apps import bokehjs_folder
from bokeh_server.blueprint.applications.index import demand_application, is_for_everybody
from bokeh_server.blueprint.state import current_state

__all__ = ["send_bokehjs", "send_extension", "send_of_application"]

_FOR_EVER = "public, max-age=31536000, immutable"


def send_bokehjs(part: str, file: str) -> Response:
    """A file of BokehJS.

    :param part: ``js`` or ``css``.
    """
    return _send(bokehjs_folder() / part, file)


def send_extension(name: str, file: str) -> Response:
    """A file of an extension of Bokeh's that some application has."""
    folder = extension_dirs.get(name)
    if folder is None:
        raise NotFound
    return _send(Path(folder), file)


def send_of_application(path: str, file: str) -> Response:
    """A file of an application's folder ``static``, or of BokehJS where it has none."""
    own = current_state().applications.static_folder(path)
    if own is None or (path == "/" and not (Path(own) / file).is_file()):
        return _send(bokehjs_folder(), file)
    demand_application(path)
    if is_for_everybody(path):
        return _send(Path(own), file)
    answer = send_from_directory(Path(own), file, conditional=True)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.vary.update(("Cookie", "Authorization"))
    return answer


def _send(folder: Path, file: str) -> Response:
    answer = send_from_directory(folder, file, conditional=True)
    answer.headers["Cache-Control"] = _FOR_EVER if "v" in request.args else "no-cache"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer
