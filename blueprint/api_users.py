"""JSON: whether the server is there, and who is asking."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, jsonify

from bokeh_server.blocking import run_blocking, run_sized
from bokeh_server.blueprint.access import demand_user
from bokeh_server.blueprint.api_documents import list_documents, shared_documents
from bokeh_server.blueprint.bodies import choice_argument
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BokehServerError

__all__ = ["add_routes", "usage_of"]

#: bytes that one document takes in a list.
_SIZE = 300


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    blueprint.add_url_rule("/bokeh/ping", "ping", _ping)
    blueprint.add_url_rule("/bokeh/healthz", "healthz", _healthz)
    blueprint.add_url_rule("/bokeh/readyz", "readyz", _readyz)
    blueprint.add_url_rule("/bokeh/userinfo/", "userinfo", _userinfo)


def usage_of(name: str) -> dict[str, int]:
    """What somebody's documents take, and may take; 0: no limit."""
    state = current_state()
    usage = run_blocking(state.store.usage.of, name)
    documents, size = state.quotas.limits(usage)
    return {
        "documents": usage.documents if usage else 0,
        "bytes": usage.bytes if usage else 0,
        "most_documents": documents,
        "most_bytes": size,
    }


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


def _userinfo() -> Response:
    name = demand_user("say who you are")
    if choice_argument("docs", ("1", "0")) == "0":
        return jsonify(username=name)
    docs, shared = list_documents(), shared_documents()
    told: dict[str, Any] = {"username": name, "docs": docs, "shared": shared}
    if current_state().settings.multi_user:
        told["usage"] = usage_of(name)
    size = _SIZE * (len(docs) + len(shared))
    return Response(run_sized(size, orjson.dumps, told), mimetype="application/json")
