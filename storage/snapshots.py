"""Snapshots: revisions in parts, so that loading needs only the changes after.

A part is bytes under a key, from one snapshot until another replaced it. The bytes are kept once,
by their digest: they are staged little by little, and a snapshot then appears in one transaction.
Killed in between, it is as if it had not begun but for staged bytes, which :meth:`sweep` removes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from bokeh_server.storage.database import Database
from bokeh_server.storage.links import oldest_pinned
from bokeh_server.storage.records import Snapshot as SnapshotRecord
from bokeh_server.storage.tables import OPEN, Blob, Change, Document, Part, Snapshot
from bokeh_server.storage.usage import ROW_BYTES, count_bytes, lock_document

__all__ = ["SnapshotStore"]

#: bytes staged in one transaction, which other writers wait for.
STAGED_AT_ONCE = 1024 * 1024

Blobs = Iterable[tuple[bytes, bytes | memoryview]]

_END = (
    update(Part.__table__)  # type: ignore[arg-type]
    .where(Part.docid == bindparam("b_docid"), Part.key == bindparam("b_key"), Part.until == OPEN)
    .values(until=bindparam("b_seq"))
)


class _Refused(Exception):
    """What a snapshot was built on is no longer there."""


class SnapshotStore:
    """The snapshots of each document."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- reading -------------------------------------------------------------------------

    def latest(self, docid: str) -> SnapshotRecord | None:
        """The newest snapshot of a document."""
        return self.at(docid, OPEN - 1)

    def at(self, docid: str, seq: int) -> SnapshotRecord | None:
        """The newest snapshot of a document that holds no change after ``seq``."""
        newest = select(func.max(Snapshot.seq)).where(Snapshot.docid == docid, Snapshot.seq <= seq)
        with self._database.read(f"load document {docid}") as connection:
            found = connection.execute(newest).scalar_one()
            return None if found is None else _read(connection, docid, found)

    def oldest(self, docid: str) -> int:
        """The number of the oldest snapshot that is kept; 0 when all changes are."""
        kept = select(func.min(Snapshot.seq)).where(Snapshot.docid == docid)
        first = select(func.min(Change.seq)).where(Change.docid == docid)
        with self._database.read(f"look at document {docid}") as connection:
            if connection.execute(first).scalar_one() == 1:
                return 0
            return connection.execute(kept).scalar_one() or 0

    def index(self, docid: str) -> tuple[int, dict[bytes, bytes]]:
        """The number of the newest snapshot, 0 for none, and the digest of each of its parts."""
        head = select(Document.snapshot_seq).where(Document.id == docid)
        parts = select(Part.key, Part.digest).where(Part.docid == docid, Part.until == OPEN)
        with self._database.read(f"look at document {docid}") as connection:
            seq = connection.execute(head).scalar_one_or_none() or 0
            return seq, {row[0]: row[1] for row in connection.execute(parts)}

    # --- writing -------------------------------------------------------------------------

    def stage(self, docid: str, blobs: Blobs) -> bool:
        """Put bytes where the next snapshot finds them, a little at a time.

        :param blobs: digest and bytes; those that are there already cost little.
        :returns: false when there is no such document, or no longer.
        """
        add = _insert_missing(self._database)
        try:
            for some in _slices(blobs):
                rows = [{"docid": docid, "digest": key, "body": bytes(data)} for key, data in some]
                with self._writing(docid) as connection:
                    lock_document(connection, docid)
                    added = connection.execute(add, rows).scalars().all()
                    count_bytes(connection, docid, sum(added))
        except _Refused:
            return False
        return True

    def write(
        self,
        docid: str,
        seq: int,
        *,
        base: int,
        added: Mapping[bytes, bytes],
        ended: Collection[bytes] = (),
    ) -> bool:
        """Make a snapshot of the document as it is after change ``seq``.

        :param base: the newest snapshot, to which this one is compared; 0 for none.
        :param added: parts that are new or have changed, key to digest, staged before.
        :param ended: keys of parts that are no more.
        :returns: whether it was written: not for a deleted document, nor when the newest snapshot
            is another than ``base``, nor when staged bytes were swept away meanwhile.
        """
        try:
            with self._writing(docid) as connection:
                _advance(connection, docid, base, seq)
                _change_parts(connection, docid, seq, added, ended)
                connection.execute(insert(Snapshot).values(docid=docid, seq=seq))
                count_bytes(connection, docid, ROW_BYTES * len(added))
        except _Refused:
            return False
        return True

    @contextmanager
    def _writing(self, docid: str) -> Iterator[Connection]:
        with self._database.write(f"write a snapshot of document {docid}") as connection:
            try:
                yield connection
            except IntegrityError as error:
                raise _Refused from error

    # --- compaction ----------------------------------------------------------------------

    def retire(self, docid: str, up_to: int, before: datetime) -> int:
        """Drop the snapshots that are too old to be opened.

        The newest that holds no change after ``up_to``, nor one made at ``before`` or later,
        is kept, and those after it; with it what it takes to open any revision that a link shows.

        :returns: the number of the oldest that is kept, up to which changes may be forgotten;
            0 when none may.
        """
        young = (
            select(Snapshot.seq)
            .join(Change, (Change.docid == Snapshot.docid) & (Change.seq == Snapshot.seq))
            .where(Snapshot.docid == docid, Change.at >= before)
            .order_by(Snapshot.seq)
            .limit(1)
        )
        # Nobody makes a link meanwhile, who would find a revision that is about to go.
        lock = select(Document.id).where(Document.id == docid).with_for_update(read=True)
        with self._database.write(f"compact document {docid}") as connection:
            connection.execute(lock)
            first_young = connection.execute(young).scalar_one_or_none()
            pinned = connection.execute(oldest_pinned(docid)).scalar_one()
            last = up_to if first_young is None else min(up_to, first_young - 1)
            last = last if pinned is None else min(last, pinned)
            newest = select(func.max(Snapshot.seq)).where(
                Snapshot.docid == docid, Snapshot.seq <= last
            )
            base: int = connection.execute(newest).scalar_one() or 0
            connection.execute(delete(Snapshot).where(Snapshot.docid == docid, Snapshot.seq < base))
            return base

    def is_overdue(self, docid: str, up_to: int, before: datetime) -> bool:
        """Whether a change that need not be kept is, as no snapshot holds it.

        :param up_to: changes until this one need not be kept,
        :param before: when they were made before this.
        """
        old = (
            select(Change.seq)
            .join(Document, Document.id == Change.docid)
            .where(
                Change.docid == docid,
                Change.seq > Document.snapshot_seq,
                Change.seq <= up_to,
                Change.at < before,
            )
            .limit(1)
        )
        with self._database.read(f"look at document {docid}") as connection:
            return connection.execute(old).one_or_none() is not None

    def sweep(self, docid: str, limit: int) -> int:
        """Drop parts that no snapshot spans any more, and bytes that no part has.

        At most ``limit`` of each go in one transaction, so that it may be stopped at any moment.

        :returns: how many went; fewer than ``limit`` when none is left.
        """
        attempted = f"compact document {docid}"
        with self._database.write(attempted) as connection:
            lock_document(connection, docid)
            parts = connection.execute(_old_parts(docid, limit)).rowcount
            count_bytes(connection, docid, -ROW_BYTES * parts)
        with self._database.read(attempted) as connection:
            unused = list(connection.execute(_unused_blobs(docid, limit)).scalars())
        if unused:
            with self._database.write(attempted) as connection:
                lock_document(connection, docid)
                dropped = connection.scalars(_drop_unused(docid, unused)).all()
                count_bytes(connection, docid, -sum(dropped))
        return max(parts, len(unused))


def _read(connection: Connection, docid: str, seq: int) -> SnapshotRecord:
    query = (
        select(Part.key, Part.digest, Blob.body)
        .join(Blob, (Blob.docid == Part.docid) & (Blob.digest == Part.digest))
        .where(Part.docid == docid, Part.since <= seq, Part.until > seq)
    )
    record = SnapshotRecord(docid, seq, {}, {})
    for key, digest, body in connection.execute(query):
        record.parts[key] = digest
        record.blobs[digest] = body
    return record


def _insert_missing(database: Database) -> Any:
    dialect = sqlite if database.is_sqlite else postgresql
    # Only what was not there yet is given back.
    size = func.length(Blob.body)
    return dialect.insert(Blob.__table__).on_conflict_do_nothing().returning(size)


def _slices(blobs: Blobs) -> Iterator[list[tuple[bytes, bytes | memoryview]]]:
    some: list[tuple[bytes, bytes | memoryview]] = []
    size = 0
    for digest, data in blobs:
        some.append((digest, data))
        size += len(data)
        if size >= STAGED_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _advance(connection: Connection, docid: str, base: int, seq: int) -> None:
    newer = (
        update(Document)
        .where(
            Document.id == docid,
            Document.snapshot_seq == base,
            Document.snapshot_seq < seq,
            Document.seq >= seq,
        )
        .values(snapshot_seq=seq)
    )
    if connection.execute(newer).rowcount != 1:
        raise _Refused


def _change_parts(
    connection: Connection,
    docid: str,
    seq: int,
    added: Mapping[bytes, bytes],
    ended: Collection[bytes],
) -> None:
    over = [{"b_docid": docid, "b_key": key, "b_seq": seq} for key in {*added, *ended}]
    if over:
        connection.execute(_END, over)
    rows = [
        {"docid": docid, "key": key, "since": seq, "until": OPEN, "digest": digest}
        for key, digest in added.items()
    ]
    if rows:
        connection.execute(insert(Part), rows)


def _old_parts(docid: str, limit: int) -> Any:
    oldest = select(func.min(Snapshot.seq)).where(Snapshot.docid == docid).scalar_subquery()
    old = select(Part.key, Part.since).where(Part.docid == docid, Part.until <= oldest).limit(limit)
    return delete(Part).where(Part.docid == docid, tuple_(Part.key, Part.since).in_(old))


def _is_unused(docid: str) -> Any:
    used = select(Part.digest).where(Part.docid == docid, Part.digest == Blob.digest)
    return (Blob.docid == docid) & ~used.exists()


def _unused_blobs(docid: str, limit: int) -> Any:
    return select(Blob.digest).where(_is_unused(docid)).limit(limit)


def _drop_unused(docid: str, digests: list[bytes]) -> Any:
    # Asked again, as a part may have come to need some of them.
    gone = delete(Blob).where(_is_unused(docid), Blob.digest.in_(digests))
    return gone.returning(func.length(Blob.body))
