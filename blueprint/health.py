"""Whether the server is there."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BokehServerError

__all__ = ["add_routes"]


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    blueprint.add_url_rule("/bokeh/ping", "ping", _ping)
    blueprint.add_url_rule("/bokeh/healthz", "healthz", _healthz)
    blueprint.add_url_rule("/bokeh/readyz", "readyz", _readyz)


def _ping() -> Response:
    return Response("pong", mimetype="text/plain")


def _healthz() -> Response:
    return jsonify(status="ok")


def _readyz() -> tuple[Response, int]:
    """Ready when the database answers."""
    try:
        run_blocking(current_state().store.ping)
    except BokehServerError as error:
        return jsonify(status="unavailable", detail=str(error)), 503
    return jsonify(status="ok"), 200
