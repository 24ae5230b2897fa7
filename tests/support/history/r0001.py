"""Revision 0001: a snapshot is one packed body."""

from __future__ import annotations

import json
import struct
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from support.history.kept import DOCUMENTS, START, Kept

__all__ = ["fill", "fill_tables", "models_at", "pack", "state_at", "state_head"]

_MOMENT = sa.DateTime(timezone=True)
_user = sa.table("user", sa.column("id"), sa.column("name"), sa.column("created", _MOMENT))
_document = sa.table(
    "document",
    *(sa.column(name) for name in ("id", "owner_id", "title", "seq", "snapshot_seq", "plots")),
    sa.column("published", sa.Boolean),
    sa.column("created", _MOMENT),
    sa.column("changed", _MOMENT),
)
_change = sa.table(
    "change",
    *(sa.column(name) for name in ("docid", "seq", "actor", "key", "body")),
    sa.column("at", _MOMENT),
)
_snapshot = sa.table("snapshot", sa.column("docid"), sa.column("seq"), sa.column("body"))


def fill(connection: Connection) -> list[Kept]:
    """Put every document in."""
    fill_tables(connection)
    for kept in DOCUMENTS:
        if kept.snapshot:
            body = state_at(kept, kept.snapshot)
            row = {"docid": kept.docid, "seq": kept.snapshot, "body": body}
            connection.execute(sa.insert(_snapshot), row)
    return DOCUMENTS


def fill_tables(connection: Connection) -> None:
    """Fill the tables that revision 0002 has, too."""
    connection.execute(sa.insert(_user), _users_of())
    connection.execute(sa.insert(_document), _documents_of())
    for kept in DOCUMENTS:
        if kept.first:
            connection.execute(sa.insert(_change), _changes_of(kept))


def _users_of() -> list[dict[str, Any]]:
    """The rows of the owners."""
    names = sorted({kept.owner for kept in DOCUMENTS})
    return [{"id": at, "name": name, "created": START} for at, name in enumerate(names, 1)]


def _documents_of() -> list[dict[str, Any]]:
    """The rows of the documents."""
    numbers = {row["name"]: row["id"] for row in _users_of()}
    return [
        {
            "id": kept.docid,
            "owner_id": numbers[kept.owner],
            "title": kept.title,
            "seq": kept.head,
            "snapshot_seq": kept.snapshot,
            "published": kept.published,
            "plots": 0,
            "created": START,
            "changed": kept.at(kept.head),
        }
        for kept in DOCUMENTS
    ]


def _changes_of(kept: Kept) -> list[dict[str, Any]]:
    """The rows of a document's log."""
    return [
        {
            "docid": kept.docid,
            "seq": seq,
            "actor": kept.actor(seq),
            "at": kept.at(seq),
            "key": kept.keys.get(seq),
            "body": _patch(kept, seq),
        }
        for seq in kept.log
    ]


def pack(content: object, buffers: dict[str, bytes]) -> bytes:
    """JSON and buffers as one body."""
    text = json.dumps(content, separators=(",", ":")).encode()
    head = struct.pack("<4sQI", b"BkP1", len(text), len(buffers))
    sizes = (struct.pack("<HQ", len(key), len(data)) for key, data in buffers.items())
    rest = (key.encode() + data for key, data in buffers.items())
    return head + b"".join(sizes) + text + b"".join(rest)


def _patch(kept: Kept, seq: int) -> bytes:
    if seq == 1:
        models, buffers = models_at(kept, 1)
        events = [{"kind": "RootAdded", "model": model} for model in models]
        return pack({"events": events}, buffers)
    if seq % 2:
        change = {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "value", "new": seq}
        return pack({"events": [change]}, {})
    rows = {"kind": "ColumnsStreamed", "model": {"id": "d"}, "attr": "data", "rollover": None}
    return pack({"events": [{**rows, "data": {"x": [float(seq)]}}]}, {})


def models_at(kept: Kept, seq: int) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """The models as they are after a change, their column in a buffer."""
    column = kept.column(seq)
    array = {
        "type": "ndarray",
        "array": {"type": "bytes", "data": {"id": "0"}},
        "shape": [len(column)],
        "dtype": "float64",
        "order": "little",
    }
    source = {"data": {"type": "map", "entries": [["x", array]]}}
    slider = {"name": "größe", "start": 0, "end": 100, "value": kept.value(seq)}
    models = [
        {"type": "object", "name": "Slider", "id": "s", "attributes": slider},
        {"type": "object", "name": "ColumnDataSource", "id": "d", "attributes": source},
    ]
    return models, {"0": column.astype("<f8").tobytes()}


def state_head() -> dict[str, Any]:
    """What a snapshot says of a document beside its models."""
    memory = {"dropped": ["gone"], "retired": {"gone": ["größe", 0, None]}}
    kept = {"config": {"id": "config"}, "roots": ["s", "d"], "memory": memory}
    return {"version": "3.9.2", "title": "Bokeh Application", "kept": kept}


def state_at(kept: Kept, seq: int) -> bytes:
    """A document in one body, as it was after a change."""
    models, buffers = models_at(kept, seq)
    notifications = {"type": "object", "name": "Notifications", "id": "notes"}
    config = {
        "type": "object",
        "name": "DocumentConfig",
        "id": "config",
        "attributes": {"notifications": notifications},
    }
    return pack({**state_head(), "models": [config, *models]}, buffers)
