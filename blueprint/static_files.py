"""Scripts and styles over HTTP, with addresses that browsers may keep for ever."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, request

from bokeh_server.blueprint.assets import Asset, Links, accepted_encodings
from bokeh_server.blueprint.state import current_state

__all__ = ["add_routes", "links"]

_FOR_EVER = "public, max-age=31536000, immutable"


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    add("/bokeh/bokehjs/<version>/<file>", "bokehjs", _bokehjs)
    add("/bokeh/static/<version>/<file>", "own_file", _own)


def links() -> Links:
    """The addresses, as this request reached us."""
    state = current_state()
    return state.assets.links(quote(request.script_root) + state.settings.url_prefix)


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
