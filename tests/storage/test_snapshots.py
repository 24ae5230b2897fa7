"""Snapshots."""

from __future__ import annotations

from bokeh_server.storage import NewChange, Snapshot, Store


def stored(store: Store, changes: int) -> str:
    """A document with so many changes."""
    docid = store.documents.create("ada", "line").docid
    store.changes.append([NewChange(docid, seq, "ada", b"") for seq in range(1, changes + 1)])
    return docid


def test_the_newest_snapshot_replaces_the_others(store: Store) -> None:
    """Only the newest is kept."""
    docid = stored(store, 9)
    assert store.snapshots.latest(docid) is None
    assert store.snapshots.write(docid, 3, b"three")
    assert store.snapshots.write(docid, 9, b"nine" * 10**6)
    assert store.snapshots.latest(docid) == Snapshot(docid, 9, b"nine" * 10**6)


def test_an_older_snapshot_changes_nothing(store: Store) -> None:
    """A process that is late cannot put an old revision over a newer one."""
    docid = stored(store, 9)
    store.snapshots.write(docid, 5, b"five")
    assert not store.snapshots.write(docid, 4, b"four")
    assert not store.snapshots.write(docid, 5, b"again")
    assert store.snapshots.latest(docid) == Snapshot(docid, 5, b"five")


def test_a_snapshot_of_the_future_is_refused(store: Store) -> None:
    """A revision that the log does not have cannot be written."""
    docid = stored(store, 2)
    assert not store.snapshots.write(docid, 3, b"three")
    assert store.snapshots.latest(docid) is None


def test_a_deleted_document_gets_no_snapshot(store: Store) -> None:
    """A snapshot that comes after its document was deleted leaves nothing."""
    docid = stored(store, 2)
    store.documents.delete(docid)
    assert not store.snapshots.write(docid, 2, b"two")
    assert store.snapshots.latest(docid) is None
