"""JSON: who is asking, and their documents."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, jsonify

from bokeh_server.blocking import run_sized
from bokeh_server.blueprint.bodies import choice_argument
from bokeh_server.blueprint.documents.api_documents import list_documents, shared_documents
from bokeh_server.blueprint.people.access import demand_user
from bokeh_server.blueprint.people.usage import usage_of
from bokeh_server.blueprint.state import current_state

__all__ = ["add_routes"]

#: bytes that one document takes in a list.
_SIZE = 300


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    blueprint.add_url_rule("/bokeh/userinfo/", "userinfo", _userinfo)


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
