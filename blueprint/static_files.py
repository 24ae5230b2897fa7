"""Scripts and styles over HTTP, with addresses that browsers may keep for ever."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, request

from bokeh_server.blueprint.assets import Asset, accepted_encodings
from bokeh_server.blueprint.state import current_state

__all__ = ["add_routes", "bokehjs_path", "bokehjs_url", "own_url", "root_path"]

_FOR_EVER = "public, max-age=31536000, immutable"


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    add("/bokeh/bokehjs/<version>/<file>", "bokehjs", _bokehjs)
    add("/bokeh/static/<version>/<file>", "own_file", _own)


def bokehjs_url(bundle: str) -> str:
    """The address of one bundle of BokehJS, such as ``bokeh-widgets``."""
    return f"{bokehjs_path()}{bundle}.min.js"


def bokehjs_path() -> str:
    """The folder of BokehJS's bundles, with a slash at the end."""
    return f"{root_path()}/bokeh/bokehjs/{current_state().assets.bokeh_version}/"


def own_url(name: str) -> str:
    """The address of one of our own scripts and styles."""
    return f"{root_path()}/bokeh/static/{current_state().assets.version}/{name}"


def root_path() -> str:
    """The path under which everything of ours stands, with no slash at the end.

    Put together here, as ``url_for`` would take longer than all the rest of a page.
    """
    return quote(request.script_root) + current_state().settings.url_prefix


def _bokehjs(version: str, file: str) -> Response:
    assets = current_state().assets
    return _send(assets.bokehjs(version, file, _accepted()), keep=True)


def _own(version: str, file: str) -> Response:
    assets = current_state().assets
    return _send(assets.own(file, _accepted()), keep=version == assets.version)


def _accepted() -> frozenset[str]:
    return accepted_encodings(request.headers.get("Accept-Encoding", ""))


def _send(asset: Asset, *, keep: bool) -> Response:
    answer = Response(asset.data, content_type=asset.mimetype)
    if asset.encoding != "identity":
        answer.headers["Content-Encoding"] = asset.encoding
    answer.headers["Vary"] = "Accept-Encoding"
    answer.headers["Cache-Control"] = _FOR_EVER if keep else "no-cache"
    # Plots are embedded in pages of any origin, which may demand this of what they load.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    # A page of another origin loads our modules only where this allows it; they are no secret.
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer
