"""JSON: the models of a document, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
from flask import Blueprint, Response, jsonify

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.bodies import fingerprint, read_json, read_object, short_header
from bokeh_server.blueprint.documents.revisions import asked, asked_revision
from bokeh_server.blueprint.documents.upserts import Event, attribute_events, upsert_events
from bokeh_server.blueprint.people.access import readable, user_name, writable
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import Conflict, UnknownModel
from bokeh_server.protocol.patches import Patch

if TYPE_CHECKING:
    from bokeh_server.protocol import WireDocument

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
    readable(docid, asked_revision())
    models = asked(docid).models(typename)
    return _json([{"attributes": {}, **model} for model in models])


def _show(docid: str, typename: str, modelid: str) -> Response:
    readable(docid, asked_revision())
    document = asked(docid)
    _check_type(document.type_of(modelid), typename, modelid)
    return _json({"attributes": {}, **document.model_json(modelid)})


def _json(value: Any) -> Response:
    return Response(run_blocking(orjson.dumps, value), mimetype="application/json")


def _check_type(found: str | None, typename: str, modelid: str) -> None:
    if found == typename:
        return
    why = f"that model is a {found}" if found else "the document has no model of this id"
    raise UnknownModel(f"find the {typename[:80]} {modelid[:80]}", why, "Mend the address")


def _set(docid: str, typename: str, modelid: str) -> Response:
    writable(docid)
    attributes, weight = read_object()

    def plan(wire: WireDocument) -> list[Event]:
        _check_type(wire.type_of(modelid), typename, modelid)
        return attribute_events(modelid, attributes)

    return _edit(docid, plan, weight)


def _upsert(docid: str) -> Response:
    writable(docid)
    models, weight = read_json()

    def plan(wire: WireDocument) -> list[Event]:
        events = upsert_events(models, wire.models)
        for model in models:
            _check_same_type(wire.type_of(model["id"]), model)
        return events

    return _edit(docid, plan, weight)


def _check_same_type(found: str | None, model: Event) -> None:
    if found not in (None, model["name"]):
        raise Conflict(
            f"store the {model['name'][:80]} {model['id'][:80]}",
            f"the document has a {found} of this id",
            "Give the new model another id",
        )


def _remove(docid: str, typename: str, modelid: str) -> Response:
    writable(docid)

    def plan(wire: WireDocument) -> list[Event]:
        _check_type(wire.type_of(modelid), typename, modelid)
        if modelid not in wire.roots or wire.referrers(modelid):
            raise Conflict(
                f"remove the {typename} {modelid}",
                "other models refer to it",
                "Change those; what nothing refers to is dropped by itself",
            )
        return [{"kind": "RootRemoved", "model": {"id": modelid}}]

    return _edit(docid, plan)


def _edit(docid: str, plan: Callable[[WireDocument], list[Event]], weight: int = 0) -> Response:
    seq = (
        current_state()
        .engine.open(docid)
        .edit(
            lambda wire: Patch(events=plan(wire), buffers={}),
            actor=user_name(docid),
            origin=short_header("Bokeh-Origin"),
            key=short_header("Idempotency-Key"),
            request=fingerprint(),
            weight=weight,
        )
    )
    return jsonify(seq=seq)


def _collect(docid: str) -> Response:
    writable(docid)
    removed = current_state().engine.open(docid).collect()
    return jsonify(removed=len(removed))
