"""Revision 0002: snapshots in parts, and long arrays in chunks, by the digests of their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from support.history import r0001
from support.history.kept import DOCUMENTS, Kept

__all__ = ["fill"]

_OPEN = 2**63 - 1
_CHUNK = 65_536
_SMALL = 4_096
_snapshot = sa.table("snapshot", sa.column("docid"), sa.column("seq"))
_blob = sa.table("blob", sa.column("docid"), sa.column("digest"), sa.column("body"))
_part = sa.table(
    "part", *(sa.column(name) for name in ("docid", "key", "since", "until", "digest"))
)

#: key and body.
Parts = dict[bytes, bytes]


def fill(connection: Connection) -> list[Kept]:
    """Put every document in; one was upgraded from 0001 and not written again since."""
    r0001.fill_tables(connection)
    for kept in DOCUMENTS:
        if kept.snapshot:
            _fill_snapshots(connection, kept)
    return DOCUMENTS


def _fill_snapshots(connection: Connection, kept: Kept) -> None:
    """Keep the newest revision, and one before that is kept, too, where there is one."""
    earlier = kept.snapshot - 1 if kept.docid in ("both", "large") else None
    times = [kept.snapshot] if earlier is None else [earlier, kept.snapshot]
    connection.execute(sa.insert(_snapshot), [{"docid": kept.docid, "seq": t} for t in times])
    last = dict(_parts(kept, kept.snapshot))
    before = {} if earlier is None else dict(_parts(kept, earlier))
    rows, bodies = [], set[bytes]()
    for key in before | last:
        rows += _history_of(key, times, before.get(key), last.get(key))
        bodies |= {body for body in (before.get(key), last.get(key)) if body is not None}
    blobs = [{"docid": kept.docid, "digest": _digest(body), "body": body} for body in bodies]
    connection.execute(sa.insert(_blob), blobs)
    connection.execute(sa.insert(_part), [{"docid": kept.docid, **row} for row in rows])


def _history_of(
    key: bytes, times: list[int], before: bytes | None, last: bytes | None
) -> Iterator[dict[str, Any]]:
    if before is not None:
        until = _OPEN if before == last else times[-1]
        yield {"key": key, "since": times[0], "until": until, "digest": _digest(before)}
    if last is not None and last != before:
        yield {"key": key, "since": times[-1], "until": _OPEN, "digest": _digest(last)}


def _parts(kept: Kept, seq: int) -> Iterator[tuple[bytes, bytes]]:
    if kept.docid == "compacted":
        yield _digest(b"whole"), r0001.state_at(kept, seq)
        return
    state = r0001.state_head()
    head = {"version": state["version"], "title": state["title"]}
    yield _part_of("", head | {each: state["kept"][each] for each in ("config", "roots")}, {})
    yield _part_of("memory", state["kept"]["memory"], {})
    notifications = {"type": "object", "name": "Notifications", "id": "notes"}
    yield _part_of(":notes", notifications, {})
    config = {"type": "object", "name": "DocumentConfig", "id": "config"}
    yield _part_of(":config", config | {"attributes": {"notifications": {"id": "notes"}}}, {})
    models, buffers = r0001.models_at(kept, seq)
    for model in models:
        has_array = model["id"] == "d"
        yield from _model(model, buffers if has_array else {})


def _model(model: dict[str, Any], buffers: dict[str, bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Short arrays are in the part itself, long ones in chunks that are parts of their own."""
    short = {number: data for number, data in buffers.items() if len(data) <= _SMALL}
    stretches: dict[str, list[Any]] = {}
    for number, data in buffers.items():
        if number not in short:
            chunks = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
            stretches[number] = [0, *(_digest(chunk).hex() for chunk in chunks)]
            yield from ((_digest(chunk), chunk) for chunk in chunks)
    yield _part_of(f":{model['id']}", model, short, stretches)


def _part_of(
    name: str,
    content: object,
    buffers: dict[str, bytes],
    stretches: dict[str, list[Any]] | None = None,
) -> tuple[bytes, bytes]:
    body = {"key": name, "stretches": stretches or {}, "part": content}
    return _digest(b"part " + name.encode()), r0001.pack(body, buffers)


def _digest(data: bytes) -> bytes:
    return sha256(data).digest()
