"""From the database to a document in memory, and from memory to a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from bokeh_server.blocking import run_blocking, run_sized
from bokeh_server.documents.saving import is_chunk
from bokeh_server.errors import BadRequest, ServerFault, UnknownDocument
from bokeh_server.protocol import Applied, WireDocument, parse_patch, unpack
from bokeh_server.protocol.texts import as_stored
from bokeh_server.storage import ChangeRecord, DocumentRecord, Snapshot, Store

__all__ = [
    "Gap",
    "Loaded",
    "apply_record",
    "changes_after",
    "load",
    "load_at",
    "unknown_document",
    "without_gap",
]

#: changes, and bytes of them, that are read at a time.
SLICE = 500
SLICE_BYTES = 8 * 1024 * 1024
#: the key of a part that is a whole document, as the first release wrote it.
WHOLE = sha256(b"whole").digest()
#: how often to read a document anew when what it takes had been compacted a moment before.
ATTEMPTS = 5

T = TypeVar("T")


class Gap(Exception):
    """A change that is needed is not in the log, or not any more."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document as its newest snapshot has it.

    :param record: what the database knew of it a moment before.
    :param seq: the change up to which ``wire`` goes.
    :param size: bytes of the snapshot.
    """

    record: DocumentRecord
    wire: WireDocument
    seq: int
    size: int


def load(store: Store, docid: str) -> Loaded:
    """Read a document's newest snapshot; the changes after it are for the caller to apply.

    :raises UnknownDocument: there is no such document.
    """
    record = run_blocking(store.documents.get, docid)
    if record is None:
        raise unknown_document(docid)
    return _loaded(record, run_blocking(store.snapshots.latest, docid))


def load_at(store: Store, docid: str, seq: int) -> Loaded:
    """Read the newest snapshot that holds no change after ``seq``.

    :raises UnknownDocument: there is no such document.
    """
    record = run_blocking(store.documents.get, docid)
    if record is None:
        raise unknown_document(docid)
    return _loaded(record, run_blocking(store.snapshots.at, docid, seq))


def _loaded(record: DocumentRecord, snapshot: Snapshot | None) -> Loaded:
    if snapshot is None:
        return Loaded(record, WireDocument.empty(), 0, 0)
    size = sum(map(len, snapshot.blobs.values()))
    wire = run_sized(size, _read_snapshot, snapshot)
    return Loaded(record, wire, snapshot.seq, size)


def changes_after(
    store: Store, docid: str, seq: int, *, least: int = 0, most: int | None = None
) -> Iterator[ChangeRecord]:
    """Every change after ``seq``, in order and without a gap, read a slice at a time.

    :param least: the log is known to go on until this change.
    :param most: the last change that is wanted.
    :raises Gap: one of them is not there.
    """
    more = most is None or seq < most
    while more:
        records, more = run_blocking(_slice, store, docid, seq, most)
        for record in records:
            if record.seq != seq + 1:
                raise Gap
            yield record
            seq = record.seq
    if seq < least:
        raise Gap


def _slice(store: Store, docid: str, seq: int, most: int | None) -> tuple[list[ChangeRecord], bool]:
    before = None if most is None else most + 1
    return store.changes.page(docid, seq, limit=SLICE, size=SLICE_BYTES, before=before)


def without_gap(docid: str, read: Callable[[], T]) -> T:
    """Call what reads a document until it meets no :class:`Gap`.

    :raises ServerFault: it always does, so the log is damaged.
    """
    for _ in range(ATTEMPTS):
        with suppress(Gap):
            return read()
    raise ServerFault(
        f"load document {docid}",
        "changes that it takes are missing",
        "Restore the document from a backup or an export",
    )


def apply_record(wire: WireDocument, record: ChangeRecord) -> Applied:
    """Apply a change of the log.

    :raises ServerFault: it cannot be applied, so the log is damaged.
    """
    try:
        return run_sized(len(record.body), _apply_stored, wire, record)
    except BadRequest as error:
        raise ServerFault(
            f"load document {record.docid}",
            f"its change {record.seq} cannot be applied ({error})",
            "Restore the document from a backup or an export",
        ) from error


def unknown_document(docid: str) -> UnknownDocument:
    """The error for a document that is not there, or no longer."""
    return UnknownDocument(
        f"open document {docid[:80]}", "there is no document of this id", "Check the address"
    )


def _apply_stored(wire: WireDocument, record: ChangeRecord) -> Applied:
    content, buffers = unpack(record.body, "a stored change")
    with as_stored():
        return wire.apply(parse_patch(content, buffers), seq=record.seq)


def _read_snapshot(snapshot: Snapshot) -> WireDocument:
    parts, blobs = snapshot.parts, snapshot.blobs
    if parts.keys() == {WHOLE}:
        return WireDocument.from_state(*unpack(blobs[parts[WHOLE]], "a snapshot"))
    bodies = (blobs[digest] for key, digest in parts.items() if not is_chunk(key, digest))
    try:
        return WireDocument.from_parts(bodies, blobs)
    except BadRequest as error:
        raise ServerFault(
            f"load document {snapshot.docid}",
            f"its snapshot {snapshot.seq} cannot be read ({error})",
            "Restore the document from a backup or an export",
        ) from error
