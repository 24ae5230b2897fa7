"""JSON: the models of a document, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify

from bokeh_server.blueprint.access import readable, user_name, writable
from bokeh_server.blueprint.bodies import read_json, read_object, short_header
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.upserts import attribute_events, upsert_events
from bokeh_server.errors import Conflict, UnknownModel
from bokeh_server.protocol.patches import Patch

if TYPE_CHECKING:
    from bokeh_server.documents import LiveDocument

__all__ = ["add_routes"]


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    one = "/bokeh/bb/<docid>/<typename>/<modelid>/"
    add("/bokeh/bb/<docid>/", "models", _list, methods=["GET"])
    add("/bokeh/bb/<docid>/bulkupsert", "upsert_models", _upsert, methods=["POST"])
    add("/bokeh/bb/<docid>/gc", "collect_models", _collect, methods=["POST"])
    add("/bokeh/bb/<docid>/<typename>/", "models_of_type", _list, methods=["GET"])
    add(one, "model", _show, methods=["GET"])
    add(one, "set_attributes", _set, methods=["PUT", "PATCH"])
    add(one, "remove_model", _remove, methods=["DELETE"])


def _list(docid: str, typename: str | None = None) -> Response:
    readable(docid)
    document = current_state().engine.open(docid)
    return jsonify([{"attributes": {}, **model} for model in document.models(typename)])


def _show(docid: str, typename: str, modelid: str) -> Response:
    readable(docid)
    return jsonify(_model(current_state().engine.open(docid), typename, modelid))


def _model(document: LiveDocument, typename: str, modelid: str) -> dict[str, Any]:
    model: dict[str, Any] = {"attributes": {}, **document.model_json(modelid)}
    if model["name"] != typename:
        raise UnknownModel(
            f"find the {typename} {modelid}", f"that model is a {model['name']}", "Mend the address"
        )
    return model


def _set(docid: str, typename: str, modelid: str) -> Response:
    writable(docid)
    document = current_state().engine.open(docid)
    _model(document, typename, modelid)
    return _apply(document, attribute_events(modelid, read_object()))


def _upsert(docid: str) -> Response:
    writable(docid)
    document = current_state().engine.open(docid)
    known = frozenset(model["id"] for model in document.models())
    return _apply(document, upsert_events(read_json(), known))


def _remove(docid: str, typename: str, modelid: str) -> Response:
    writable(docid)
    document = current_state().engine.open(docid)
    _model(document, typename, modelid)
    if modelid not in document.roots() or document.referrers(modelid):
        raise Conflict(
            f"remove the {typename} {modelid}",
            "other models refer to it",
            "Change those; what nothing refers to is dropped by itself",
        )
    return _apply(document, [{"kind": "RootRemoved", "model": {"id": modelid}}])


def _apply(document: LiveDocument, events: list[dict[str, Any]]) -> Response:
    seq = document.apply(
        Patch(events=events, buffers={}),
        actor=user_name(),
        origin=short_header("Bokeh-Origin"),
        key=short_header("Idempotency-Key"),
    )
    return jsonify(seq=seq)


def _collect(docid: str) -> Response:
    writable(docid)
    removed = current_state().engine.open(docid).collect()
    return jsonify(removed=len(removed))
