"""JSON: the log of a document, to append to and to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from flask import Blueprint, Response, jsonify

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.access import readable, user_name, writable
from bokeh_server.blueprint.bodies import integer_argument, read_patch, short_header
from bokeh_server.blueprint.state import current_state
from bokeh_server.protocol.models import inline_buffers
from bokeh_server.protocol.packing import unpack

if TYPE_CHECKING:
    from bokeh_server.protocol import Patch
    from bokeh_server.storage import ChangeRecord, ChangeStore

__all__ = ["add_routes"]

_MOST_SEQ = 2**63 - 1
_MOST_CHANGES = 1000
#: most bytes of stored changes in one answer, unless its first has more.
_MOST_BYTES = 4 * 1024 * 1024


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    path = "/bokeh/doc/<docid>/changes"
    blueprint.add_url_rule(path, "changes", _read, methods=["GET"])
    blueprint.add_url_rule(path, "append_change", _append, methods=["POST"])


def _append(docid: str) -> Response:
    writable(docid)
    patch = read_patch()
    document = current_state().engine.open(docid)
    seq = document.apply(
        patch,
        actor=user_name(),
        origin=short_header("Bokeh-Origin"),
        key=short_header("Idempotency-Key"),
    )
    gone = document.gone(_targets(patch))
    return jsonify(seq=seq, gone=gone) if gone else jsonify(seq=seq)


def _targets(patch: Patch) -> list[str]:
    """The models that events change, which a document may have had and dropped."""
    models = [event.get("model") for event in patch.events if "attr" in event]
    ids = (model.get("id") for model in models if isinstance(model, dict))
    return sorted({model_id for model_id in ids if isinstance(model_id, str)})


def _read(docid: str) -> Response:
    readable(docid)
    after = integer_argument("after", 0, most=_MOST_SEQ)
    limit = integer_argument("limit", _MOST_CHANGES, most=_MOST_CHANGES)
    state = current_state()
    head = state.engine.open(docid).seq
    body = run_blocking(_changes_json, state.store.changes, docid, after, limit, head)
    return Response(body, mimetype="application/json")


def _changes_json(store: ChangeStore, docid: str, after: int, limit: int, head: int) -> bytes:
    records, more = store.page(docid, after, limit=limit, size=_MOST_BYTES)
    changes = b",".join(map(_change_json, records))
    flag = b"true" if more else b"false"
    return b'{"seq":%d,"more":%b,"changes":[%b]}' % (head, flag, changes)


def _change_json(record: ChangeRecord) -> bytes:
    content, buffers = unpack(record.body, "a stored change")
    head = {"seq": record.seq, "actor": record.actor, "at": record.at.isoformat()}
    # Both are objects, and become one; what is stored may be nested too deep to be parsed.
    events = inline_buffers(content, buffers).strip()
    return orjson.dumps(head)[:-1] + b"," + events[1:]
