"""Files of applications, of Bokeh's extensions, and BokehJS at the addresses of ``bokeh serve``."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import bokeh
from bokeh.embed.bundle import extension_dirs
from flask import Blueprint, Response, request, send_from_directory
from werkzeug.exceptions import NotFound

from bokeh_server.blueprint.app_requests import application_at

__all__ = ["add_routes", "send_of_application", "versioned"]

_FOR_EVER = "public, max-age=31536000, immutable"


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    for root in ("/bokeh/static/", "/static/"):
        name = "bokeh_static" if root == "/static/" else "app_assets"
        for part in ("js", "css"):
            blueprint.add_url_rule(
                f"{root}{part}/<path:file>", f"{name}_{part}", functools.partial(_bokehjs, part)
            )
        blueprint.add_url_rule(
            f"{root}extensions/<name>/<path:file>", f"{name}_extension", _extension
        )


@functools.cache
def _folder() -> Path:
    return Path(bokeh.__file__).parent / "server" / "static"


@functools.cache
def versioned(path: str) -> str:
    """The path of a file of BokehJS with a word that changes when the file does."""
    try:
        data = (_folder() / path).read_bytes()
    except OSError:
        return path
    return f"{path}?v={hashlib.sha256(data).hexdigest()[:32]}"


def _bokehjs(part: str, file: str) -> Response:
    return _send(_folder() / part, file)


def _extension(name: str, file: str) -> Response:
    folder = extension_dirs.get(name)
    if folder is None:
        raise NotFound
    return _send(Path(folder), file)


def send_of_application(path: str, file: str) -> Response:
    """A file of an application's folder ``static``, or of BokehJS where it has none."""
    own = application_at(path).application.static_path
    if own is not None and (path != "/" or (Path(own) / file).is_file()):
        return _send(Path(own), file)
    return _send(_folder(), file)


def _send(folder: Path, file: str) -> Response:
    answer = send_from_directory(folder, file, conditional=True, max_age=None)
    kept = "v" in request.args
    answer.headers["Cache-Control"] = _FOR_EVER if kept else "no-cache"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer
