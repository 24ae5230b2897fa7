"""What is stored of each document is counted by whatever stores and drops it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from bokeh_server.errors import NotFound, QuotaReached
from bokeh_server.storage import NewChange, Store


def _used(store: Store, name: str) -> int:
    usage = store.usage.of(name)
    assert usage is not None
    return usage.bytes


def _append(store: Store, docid: str, seq: int, size: int) -> None:
    store.changes.append([NewChange(docid, seq, "ada", b"x" * size)])


def _snapshot(store: Store, docid: str, seq: int, base: int, bodies: list[bytes]) -> None:
    blobs = [(sha256(body).digest(), body) for body in bodies]
    added = {sha256(b"part" + digest).digest(): digest for digest, _ in blobs}
    assert store.snapshots.stage(docid, blobs)
    assert store.snapshots.write(docid, seq, base=base, added=added, ended=())


def test_the_count_is_what_is_measured(store: Store) -> None:
    """Through changes, snapshots that share blobs, and compaction the count is exact."""
    numbers = random.Random(7)
    docid = store.documents.create("ada", "a").docid
    other = store.documents.create("ada", "b").docid
    base, kept = 0, [numbers.randbytes(300)]
    for seq in range(1, 41):
        _append(store, docid, seq, numbers.randrange(500))
        if seq % 8 == 0:
            kept = [*kept[-2:], numbers.randbytes(numbers.randrange(10, 5000))]
            _snapshot(store, docid, seq, base, [*kept, kept[-1]])
            base = seq
        if seq % 16 == 0:
            later = datetime.now(UTC) + timedelta(days=1)
            before = _used(store, "ada")
            last = store.snapshots.retire(docid, seq - 4, later)
            while store.changes.forget(docid, last, 3) == 3:
                pass
            while store.snapshots.sweep(docid, 2) == 2:
                pass
            assert _used(store, "ada") < before
        assert _used(store, "ada") == store.usage.measure(docid)
    _append(store, other, 1, 1000)
    assert _used(store, "ada") == store.usage.measure(docid) + store.usage.measure(other)
    store.documents.delete(docid)
    assert _used(store, "ada") == store.usage.measure(other) == 1100


def test_usage_and_limits(store: Store) -> None:
    """Somebody's limits stand beside what they use; there is nobody of another name."""
    store.documents.create("ada", "a")
    store.usage.limit("ada", 3, None)
    usage = store.usage.of("ada")
    assert usage is not None
    assert (usage.documents, usage.most_documents, usage.most_bytes) == (1, 3, None)
    assert [each.name for each in store.usage.list()] == ["ada"]
    assert store.usage.of("grace") is None
    with pytest.raises(NotFound):
        store.usage.limit("grace", 1, 1)


def test_so_many_documents_and_no_more(store: Store) -> None:
    """The number is looked at in the transaction that makes another."""
    for title in ("a", "b"):
        store.documents.create("ada", title, most=2)
    with pytest.raises(QuotaReached, match="2 documents and may have 2"):
        store.documents.create("ada", "c", most=2)
    store.documents.create("grace", "c", most=2)
