"""Files of applications, of Bokeh's extensions, and BokehJS at the addresses of ``bokeh serve``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bokeh.embed.bundle import extension_dirs
from flask import Blueprint, Response, request, send_from_directory
from werkzeug.exceptions import NotFound

from bokeh_server.apps import bokehjs_folder
from bokeh_server.blueprint.state import current_state

__all__ = ["add_routes", "send_of_application"]

_FOR_EVER = "public, max-age=31536000, immutable"


def add_routes(blueprint: Blueprint, root: str) -> None:
    """Add the routes of BokehJS.

    :param root: the folder under which it is found, such as ``/static``.
    """
    add, name = blueprint.add_url_rule, root.strip("/").replace("/", "_")
    for part in ("js", "css"):
        add(f"{root}/{part}/<path:file>", f"{name}_{part}", partial(_bokehjs, part))
    add(f"{root}/extensions/<name>/<path:file>", f"{name}_extension", _extension)


def _bokehjs(part: str, file: str) -> Response:
    return _send(bokehjs_folder() / part, file)


def _extension(name: str, file: str) -> Response:
    folder = extension_dirs.get(name)
    if folder is None:
        raise NotFound
    return _send(Path(folder), file)


def send_of_application(path: str, file: str) -> Response:
    """A file of an application's folder ``static``, or of BokehJS where it has none."""
    own = current_state().applications.static_folder(path)
    if own is not None and (path != "/" or (Path(own) / file).is_file()):
        return _send(Path(own), file)
    return _send(bokehjs_folder(), file)


def _send(folder: Path, file: str) -> Response:
    answer = send_from_directory(folder, file, conditional=True)
    answer.headers["Cache-Control"] = _FOR_EVER if "v" in request.args else "no-cache"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer
