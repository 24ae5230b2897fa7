"""The log of changes: every document's, in one table, written in groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage.database import Database
from bokeh_server.storage.faults import was_deadlock
from bokeh_server.storage.links import oldest_pinned
from bokeh_server.storage.records import (
    ChangeRecord,
    Clash,
    Gone,
    NewChange,
    Outcome,
    Repeated,
    Stored,
    Taken,
)
from bokeh_server.storage.tables import Change, Document, Snapshot
from bokeh_server.storage.types import UTCDateTime, utc_now
from bokeh_server.storage.usage import ROW_BYTES, count_bytes, lock_document

__all__ = ["ChangeStore"]

# Tables rather than classes: Core's executemany, without the ORM's bookkeeping.
_documents = Document.__table__
_changes = Change.__table__

_HEADS = (
    select(_documents.c.id, _documents.c.seq, _documents.c.created)
    .where(_documents.c.id.in_(bindparam("docids", expanding=True)))
    .order_by(_documents.c.id)  # every process locks in one order, so that none waits in a ring
    .with_for_update(key_share=True)  # who makes a link or a right does not wait for it
)
_KEYS = select(_changes.c.docid, _changes.c.key, _changes.c.seq).where(
    _changes.c.docid.in_(bindparam("docids", expanding=True)),
    _changes.c.key.in_(bindparam("keys", expanding=True)),
)
_INSERT = insert(Change.__table__)  # type: ignore[arg-type]
_ADVANCE = (
    update(Document.__table__)  # type: ignore[arg-type]
    .where(_documents.c.id == bindparam("b_docid"), _documents.c.seq == bindparam("b_before"))
    .values(
        seq=bindparam("b_seq"),
        changed=bindparam("b_at", type_=UTCDateTime()),
        bytes=func.coalesce(_documents.c.bytes, 0) + bindparam("b_bytes"),
    )
)
_PLOTS = (
    update(Document.__table__)  # type: ignore[arg-type]
    .where(_documents.c.id == bindparam("b_docid"))
    .values(plots=bindparam("b_plots"))
)
_TITLE = (
    update(Document.__table__)  # type: ignore[arg-type]
    .where(_documents.c.id == bindparam("b_docid"))
    .values(title=bindparam("b_title"))
)
_COLUMNS = (
    _changes.c.docid,
    _changes.c.seq,
    _changes.c.actor,
    _changes.c.at,
    _changes.c.body,
    _changes.c.key,
)
_AFTER = (
    select(*_COLUMNS)
    .where(_changes.c.docid == bindparam("docid"), _changes.c.seq > bindparam("seq"))
    .order_by(_changes.c.seq)
)
_BY_KEY = select(*_COLUMNS).where(
    _changes.c.docid == bindparam("docid"), _changes.c.key == bindparam("key")
)


class ChangeStore:
    """Appends to the log of changes and reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, group: Sequence[NewChange]) -> list[Outcome]:
        """Store a group of changes of any documents in one transaction, in order.

        A change that cannot be stored stops the later ones of its document, never those of others.

        :returns: one outcome for each change, in the same order.
        :raises StorageFull: nothing of the group was stored.
        :raises StorageUnavailable: as a rule nothing was stored; when the connection broke during
            the commit only the log can tell.
        """
        if not group:
            return []
        try:
            return self._append(group)
        except StorageUnavailable as error:
            if not was_deadlock(error):
                raise
        return self._append(group)  # nothing of it was stored, and who was in the way is done

    def _append(self, group: Sequence[NewChange]) -> list[Outcome]:
        with self._database.write("store changes") as connection:
            return _Group(connection, group).store()

    def after(self, docid: str, seq: int, limit: int | None = None) -> list[ChangeRecord]:
        """The changes after ``seq``, oldest first, at most ``limit``."""
        query = _AFTER if limit is None else _AFTER.limit(limit)
        with self._database.read(f"read the changes of document {docid}") as connection:
            rows = connection.execute(query, {"docid": docid, "seq": seq})
            return [_record(row) for row in rows]

    def page(
        self,
        docid: str,
        seq: int,
        *,
        limit: int,
        size: int,
        before: int | None = None,
        newest: bool = False,
    ) -> tuple[list[ChangeRecord], bool]:
        """The changes after ``seq``, oldest first, as many as fit, but at least one.

        :param limit: most changes; 0 for none.
        :param size: most bytes of their bodies.
        :param before: only changes of lower numbers.
        :param newest: newest first.
        :returns: the changes, and whether there are more after them, in that order.
        """
        within = [_changes.c.docid == docid, _changes.c.seq > seq]
        if before is not None:
            within.append(_changes.c.seq < before)
        order = _changes.c.seq.desc() if newest else _changes.c.seq
        sizes = select(_changes.c.seq, func.length(_changes.c.body)).where(*within).order_by(order)
        with self._database.read(f"read the changes of document {docid}") as connection:
            found = connection.execute(sizes.limit(limit + 1)).all()
            fitting = _those_that_fit([(row[0], row[1]) for row in found[:limit]], size)
            if not fitting:
                return [], bool(found)
            span = _changes.c.seq.between(min(fitting), max(fitting))
            query = select(*_COLUMNS).where(_changes.c.docid == docid, span).order_by(order)
            records = [_record(row) for row in connection.execute(query)]
        return records, len(records) < len(found)

    def oldest(self, docid: str) -> int | None:
        """The number of the oldest change that is kept; ``None`` where there is none."""
        query = select(func.min(_changes.c.seq)).where(_changes.c.docid == docid)
        with self._database.read(f"look up the changes of document {docid}") as connection:
            found: int | None = connection.execute(query).scalar_one()
        return found

    def signed(self, docid: str, seq: int) -> tuple[str, datetime] | None:
        """Who made a change, and when; ``None`` where it is not kept."""
        query = select(_changes.c.actor, _changes.c.at).where(
            _changes.c.docid == docid, _changes.c.seq == seq
        )
        with self._database.read(f"look up a change of document {docid}") as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row[0], row[1])

    def by_key(self, docid: str, key: str) -> ChangeRecord | None:
        """The change that was stored under an idempotency key."""
        with self._database.read(f"look up a change of document {docid}") as connection:
            row = connection.execute(_BY_KEY, {"docid": docid, "key": key}).one_or_none()
        return None if row is None else _record(row)

    def forget(self, docid: str, up_to: int, limit: int = 1000) -> int:
        """Delete the oldest changes, those numbered at most ``up_to``.

        At most ``limit`` go in one transaction, so that it may be stopped at any moment.
        A change that the oldest snapshot does not hold is never deleted, nor one that it takes to
        open a revision that a link shows.

        :returns: how many were deleted; fewer than ``limit`` when none is left.
        """
        held = select(func.min(Snapshot.seq)).where(Snapshot.docid == docid).scalar_subquery()
        pinned = oldest_pinned(docid).scalar_subquery()
        oldest = (
            select(_changes.c.seq)
            .where(_changes.c.docid == docid, _changes.c.seq <= up_to, _changes.c.seq <= held)
            .where(func.coalesce(pinned, held) >= held)
            .order_by(_changes.c.seq)
            .limit(limit)
        )
        with self._database.write(f"compact document {docid}") as connection:
            lock_document(connection, docid)
            gone = delete(Change).where(Change.docid == docid, Change.seq.in_(oldest))
            sizes = connection.scalars(gone.returning(func.length(Change.body))).all()
            count_bytes(connection, docid, -sum(sizes) - ROW_BYTES * len(sizes))
            return len(sizes)


def _record(row: Sequence[Any]) -> ChangeRecord:
    return ChangeRecord(*row)


def _those_that_fit(sizes: Iterable[tuple[int, int]], most: int) -> list[int]:
    """The numbers of the first changes that fit into ``most`` bytes; the first always does."""
    fitting: list[int] = []
    for seq, size in sizes:
        most -= size
        if fitting and most < 0:
            break
        fitting.append(seq)
    return fitting


class _Group:
    """One call of :meth:`ChangeStore.append`.

    The documents are locked first (SQLite: the whole database), so what is decided holds.
    """

    def __init__(self, connection: Connection, group: Sequence[NewChange]) -> None:
        self._connection = connection
        self._group = group
        self._at = utc_now()
        docids = sorted({change.docid for change in group})
        rows = connection.execute(_HEADS, {"docids": docids}).all()
        self._before: dict[str, int] = {row[0]: row[1] for row in rows}
        self._created: dict[str, datetime] = {row[0]: row[2] for row in rows}
        self._heads = dict(self._before)
        self._known = self._stored_keys(docids)
        #: documents of which a change was refused: the later ones were built on it.
        self._broken: set[str] = set()
        self._accepted: list[NewChange] = []

    def _stored_keys(self, docids: list[str]) -> dict[tuple[str, str], int]:
        keys = sorted({change.key for change in self._group if change.key is not None})
        if not keys:
            return {}
        rows = self._connection.execute(_KEYS, {"docids": docids, "keys": keys})
        return {(row[0], row[1]): row[2] for row in rows}

    def store(self) -> list[Outcome]:
        outcomes = [self._judge(change) for change in self._group]
        if self._accepted:
            self._advance()
            self._connection.execute(_INSERT, [self._row(change) for change in self._accepted])
        return outcomes

    def _judge(self, change: NewChange) -> Outcome:
        outcome = self._outcome(change)
        if isinstance(outcome, Stored):
            self._accepted.append(change)
            self._heads[change.docid] = change.seq
            if change.key is not None:
                self._known[change.docid, change.key] = change.seq
        else:
            self._broken.add(change.docid)
        return outcome

    def _outcome(self, change: NewChange) -> Outcome:
        head = self._heads.get(change.docid)
        if head is None or change.created not in (None, self._created[change.docid]):
            return Gone()
        if change.key is not None and (change.docid, change.key) in self._known:
            return Repeated(self._known[change.docid, change.key])
        if change.docid in self._broken or change.seq != head + 1:
            return Clash(head)
        if change.title is not None and not self._retitle(change.docid, change.title):
            return Taken(change.title)
        return Stored(change.seq, self._at)

    def _retitle(self, docid: str, title: str) -> bool:
        try:
            with self._connection.begin_nested():
                self._connection.execute(_TITLE, {"b_docid": docid, "b_title": title})
        except IntegrityError:
            return False
        return True

    def _advance(self) -> None:
        moved = [(docid, seq) for docid, seq in self._heads.items() if seq != self._before[docid]]
        sizes = _sizes(self._accepted)
        rows = [
            {
                "b_docid": docid,
                "b_before": self._before[docid],
                "b_seq": seq,
                "b_at": self._at,
                "b_bytes": sizes[docid],
            }
            for docid, seq in moved
        ]
        if self._connection.execute(_ADVANCE, rows).rowcount != len(rows):
            raise StorageUnavailable(
                "store changes", "another process changed a locked document", "Try again"
            )
        plots = _last_plots(self._accepted)
        if plots:
            self._connection.execute(
                _PLOTS, [{"b_docid": docid, "b_plots": count} for docid, count in plots.items()]
            )

    def _row(self, change: NewChange) -> dict[str, object]:
        return {
            "docid": change.docid,
            "seq": change.seq,
            "actor": change.actor,
            "at": self._at,
            "key": change.key,
            "body": change.body,
        }


def _sizes(changes: Iterable[NewChange]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for change in changes:
        sizes[change.docid] = sizes.get(change.docid, 0) + len(change.body) + ROW_BYTES
    return sizes


def _last_plots(changes: Iterable[NewChange]) -> dict[str, int]:
    return {change.docid: change.plots for change in changes if change.plots is not None}
