"""Snapshots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import func, select

from bokeh_server.storage import NewChange, Store
from bokeh_server.storage.tables import Blob, Part, Snapshot

FUTURE = datetime.now(UTC) + timedelta(days=1)
PAST = datetime.now(UTC) - timedelta(days=1)


def stored(store: Store, changes: int) -> str:
    """A document with so many changes."""
    docid = store.documents.create("ada", "line").docid
    store.changes.append([NewChange(docid, seq, "ada", b"") for seq in range(1, changes + 1)])
    return docid


def digest(body: bytes) -> bytes:
    """The name of some bytes."""
    return sha256(body).digest()


def write(
    store: Store,
    docid: str,
    seq: int,
    parts: dict[bytes, bytes],
    *,
    base: int = 0,
    ended: tuple[bytes, ...] = (),
) -> bool:
    """Stage the bodies of some parts and make a snapshot of them."""
    staged = store.snapshots.stage(docid, [(digest(body), body) for body in parts.values()])
    added = {key: digest(body) for key, body in parts.items()}
    return staged and store.snapshots.write(docid, seq, base=base, added=added, ended=ended)


def content(store: Store, docid: str, seq: int | None = None) -> dict[bytes, bytes] | None:
    """The parts of a snapshot with their bodies."""
    found = store.snapshots.latest(docid) if seq is None else store.snapshots.at(docid, seq)
    return found and {key: found.blobs[each] for key, each in found.parts.items()}


def rows(store: Store, table: type[Blob] | type[Part] | type[Snapshot]) -> int:
    """How many rows a table has."""
    with store.database.read("count rows") as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_a_snapshot_is_its_parts_and_what_the_one_before_had(store: Store) -> None:
    """Parts that are not mentioned stay as they were; others are replaced, or end."""
    docid = stored(store, 9)
    assert store.snapshots.latest(docid) is None
    assert write(store, docid, 3, {b"a": b"1", b"b": b"2", b"c": b"3" * 10**6})
    assert write(store, docid, 9, {b"a": b"9"}, base=3, ended=(b"b",))
    newest = store.snapshots.latest(docid)
    assert newest is not None
    assert newest.seq == 9
    assert content(store, docid) == {b"a": b"9", b"c": b"3" * 10**6}
    assert store.snapshots.index(docid) == (9, {b"a": digest(b"9"), b"c": digest(b"3" * 10**6)})


def test_every_snapshot_that_is_kept_can_be_read(store: Store) -> None:
    """The newest at or before a change is given, each as it was."""
    docid = stored(store, 9)
    write(store, docid, 3, {b"a": b"1", b"b": b"2"})
    write(store, docid, 6, {b"a": b"6"}, base=3, ended=(b"b",))
    write(store, docid, 8, {b"b": b"8"}, base=6)
    assert content(store, docid, 2) is None
    assert content(store, docid, 3) == content(store, docid, 5) == {b"a": b"1", b"b": b"2"}
    assert content(store, docid, 7) == {b"a": b"6"}
    assert content(store, docid, 10**9) == {b"a": b"6", b"b": b"8"}


def test_equal_bytes_are_kept_once(store: Store) -> None:
    """However often a part goes back to what it was."""
    docid = stored(store, 9)
    write(store, docid, 1, {b"a": b"x", b"b": b"x"})
    write(store, docid, 2, {b"a": b"y"}, base=1)
    write(store, docid, 3, {b"a": b"x"}, base=2)
    assert rows(store, Blob) == 2
    assert content(store, docid) == {b"a": b"x", b"b": b"x"}


def test_a_snapshot_over_another_than_was_thought_changes_nothing(store: Store) -> None:
    """A process that is late cannot put an old revision over a newer one."""
    docid = stored(store, 9)
    write(store, docid, 5, {b"a": b"five"})
    assert not write(store, docid, 4, {b"a": b"four"})
    assert not write(store, docid, 5, {b"a": b"again"}, base=5)
    assert not write(store, docid, 6, {b"a": b"six"})
    assert content(store, docid) == {b"a": b"five"}


def test_a_snapshot_of_the_future_is_refused(store: Store) -> None:
    """A revision that the log does not have cannot be written."""
    docid = stored(store, 2)
    assert not write(store, docid, 3, {b"a": b"three"})
    assert store.snapshots.latest(docid) is None


def test_a_deleted_document_gets_no_snapshot(store: Store) -> None:
    """A snapshot that comes after its document was deleted leaves nothing."""
    docid = stored(store, 2)
    write(store, docid, 1, {b"a": b"one"})
    store.documents.delete(docid)
    assert not write(store, docid, 2, {b"a": b"two"}, base=1)
    assert not store.snapshots.write(docid, 2, base=1, added={b"a": digest(b"two")})
    assert store.snapshots.latest(docid) is None
    assert [rows(store, table) for table in (Blob, Part, Snapshot)] == [0, 0, 0]


def test_bytes_that_were_not_staged_are_missed(store: Store) -> None:
    """Where another process swept staged bytes away, no snapshot without them appears."""
    docid = stored(store, 2)
    assert not store.snapshots.write(docid, 2, base=0, added={b"a": digest(b"two")})
    assert store.snapshots.index(docid) == (0, {})
    assert write(store, docid, 2, {b"a": b"two"})


def test_compaction_keeps_what_the_kept_snapshots_need(store: Store) -> None:
    """Older snapshots go with the changes, parts and bytes that only they had."""
    docid = stored(store, 9)
    write(store, docid, 2, {b"a": b"1", b"b": b"1"})
    write(store, docid, 4, {b"a": b"2"}, base=2)
    write(store, docid, 6, {b"a": b"3"}, base=4, ended=(b"b",))
    store.snapshots.stage(docid, [(digest(b"left"), b"left by one that was killed")])
    assert store.snapshots.retire(docid, 5, FUTURE) == 4
    assert store.changes.forget(docid, 4) == 4
    assert store.snapshots.sweep(docid, 100) == 1
    assert content(store, docid, 3) is None
    assert content(store, docid, 5) == {b"a": b"2", b"b": b"1"}
    assert content(store, docid) == {b"a": b"3"}
    assert rows(store, Blob) == 3
    assert store.snapshots.oldest(docid) == 4
    assert [each.seq for each in store.changes.after(docid, 0)] == [5, 6, 7, 8, 9]


def test_compaction_goes_in_slices_and_may_stop_after_any(store: Store) -> None:
    """A slice at a time, and what is left is found the next time."""
    docid = stored(store, 40)
    for seq in range(1, 31):
        write(store, docid, seq, {b"a": b"%d" % seq}, base=seq - 1)
    assert store.snapshots.retire(docid, 30, FUTURE) == 30
    assert store.changes.forget(docid, 30, 25) == 25
    assert store.changes.forget(docid, 30, 25) == 5
    assert store.snapshots.sweep(docid, 20) == 20
    assert content(store, docid) == {b"a": b"30"}
    assert store.snapshots.sweep(docid, 20) == 9
    assert (rows(store, Part), rows(store, Blob), rows(store, Snapshot)) == (1, 1, 1)


def test_young_changes_and_their_snapshots_are_kept(store: Store) -> None:
    """Whatever their number, what was made since a moment is not compacted."""
    docid = stored(store, 9)
    write(store, docid, 3, {b"a": b"1"})
    write(store, docid, 6, {b"a": b"2"}, base=3)
    assert store.snapshots.retire(docid, 9, PAST) == 0
    assert store.snapshots.oldest(docid) == 0
    assert content(store, docid, 3) == {b"a": b"1"}


def test_nothing_is_forgotten_that_no_snapshot_holds(store: Store) -> None:
    """Changes after the oldest snapshot stay, whatever is asked."""
    docid = stored(store, 9)
    assert store.changes.forget(docid, 9) == 0
    write(store, docid, 3, {b"a": b"1"})
    assert store.changes.forget(docid, 9) == 3
