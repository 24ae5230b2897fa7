"""JSON: the log of a document, to append to and to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from flask import Blueprint, Response, jsonify

from bokeh_server.blueprint.access import readable, user_name, writable
from bokeh_server.blueprint.bodies import integer_argument, read_packed, short_header
from bokeh_server.blueprint.state import current_state
from bokeh_server.protocol.arrays import deflate
from bokeh_server.protocol.packing import unpack
from bokeh_server.protocol.patches import parse_patch

if TYPE_CHECKING:
    from bokeh_server.storage import ChangeRecord

__all__ = ["add_routes"]

_MOST_SEQ = 2**63 - 1
_MOST_CHANGES = 1000


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    path = "/bokeh/doc/<docid>/changes"
    blueprint.add_url_rule(path, "changes", _read, methods=["GET"])
    blueprint.add_url_rule(path, "append_change", _append, methods=["POST"])


def _append(docid: str) -> Response:
    writable(docid)
    patch = parse_patch(*read_packed())
    seq = (
        current_state()
        .engine.open(docid)
        .apply(
            patch,
            actor=user_name(),
            origin=short_header("Bokeh-Origin"),
            key=short_header("Idempotency-Key"),
        )
    )
    return jsonify(seq=seq)


def _read(docid: str) -> Response:
    readable(docid)
    after = integer_argument("after", 0, most=_MOST_SEQ)
    limit = integer_argument("limit", _MOST_CHANGES, most=_MOST_CHANGES)
    state = current_state()
    head = state.engine.open(docid).seq
    records = state.store.changes.after(docid, after, limit)
    changes = b",".join(_change_json(record) for record in records)
    body = b'{"seq":%d,"changes":[%b]}' % (head, changes)
    return Response(body, mimetype="application/json")


def _change_json(record: ChangeRecord) -> bytes:
    content, buffers = unpack(record.body, "a stored change")
    return orjson.dumps(
        {
            "seq": record.seq,
            "actor": record.actor,
            "at": record.at.isoformat(),
            "events": _inline(orjson.loads(content)["events"], buffers),
        }
    )


def _inline(value: Any, buffers: Mapping[str, bytes]) -> Any:
    """``value`` with every binary array written into it as base64 of its compressed bytes."""
    if isinstance(value, list):
        return [_inline(each, buffers) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "bytes" and isinstance(value.get("data"), dict):
        return {"type": "bytes", "data": deflate(buffers[value["data"]["id"]])}
    return {key: _inline(each, buffers) for key, each in value.items()}
