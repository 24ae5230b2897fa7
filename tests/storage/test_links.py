"""Share links and document keys, and what history keeps for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bokeh_server.errors import NoLongerKept, NotFound, UnknownDocument, UnknownRevision
from bokeh_server.storage import DocumentRecord, NewChange, NewLink, Store
from bokeh_server.storage.documents import make_docid
from bokeh_server.storage.types import utc_now

FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def line(store: Store) -> DocumentRecord:
    """A document of ada's."""
    return store.documents.create("ada", "line")


def link(docid: str, number: int = 1, **more: object) -> NewLink:
    """A link to be kept."""
    values = {"kind": "link", "title": "t", "role": "viewer", "creator": "ada", **more}
    return NewLink(id=f"id{number}", digest=b"%d" % number, docid=docid, **values)  # type: ignore[arg-type]


def change(store: Store, docid: str, upto: int) -> None:
    """Store changes until there are so many."""
    seq = store.documents.heads([docid])[docid][0]
    for number in range(seq + 1, upto + 1):
        store.changes.append([NewChange(docid, number, "ada", b"{}")])


def compact(store: Store, docid: str, up_to: int) -> tuple[int, int | None]:
    """Forget what need not be kept; gives the oldest revision and the first change that are."""
    base = store.snapshots.retire(docid, up_to, FUTURE)
    while store.changes.forget(docid, base, 3) == 3:
        pass
    return store.snapshots.oldest(docid), store.changes.oldest(docid)


def test_a_link_is_found_listed_and_revoked(store: Store, line: DocumentRecord) -> None:
    """By its id, in its own document."""
    ends = utc_now() + timedelta(days=1)
    made = store.links.add(link(line.docid, expires=ends))
    other = store.documents.create("ada", "curve")
    store.links.add(link(other.docid, 2, kind="key", role="editor"))
    assert store.links.get("id1") == made
    assert (made.used, made.expires, made.is_good) == (None, ends, True)
    assert store.links.get("id3") is None
    assert [each.id for each in store.links.of(line.docid)] == ["id1"]
    assert [each.id for each in store.links.of()] == ["id2", "id1"]
    store.links.note("id1")
    assert store.links.of(line.docid)[0].used is not None
    with pytest.raises(NotFound):
        store.links.revoke("id1", other.docid)
    assert store.links.good(["id1", "id2", "id3"]) == {"id1", "id2"}
    assert store.links.revoke("id1", line.docid).id == "id1"
    assert store.links.get("id1") is None
    store.documents.delete(other.docid)
    assert store.links.of() == []
    with pytest.raises(UnknownDocument):
        store.links.add(link(make_docid()))


def test_a_link_ends(store: Store, line: DocumentRecord) -> None:
    """It is good no more, and is listed still."""
    store.links.add(link(line.docid, expires=utc_now() - timedelta(seconds=1)))
    assert store.links.get("id1") is None
    assert store.links.good(["id1"]) == set()
    assert [each.is_good for each in store.links.of(line.docid)] == [False]


def test_what_a_link_shows_is_kept(store: Store, line: DocumentRecord) -> None:
    """Until it is revoked or has ended: the snapshot before that revision, and what came after."""
    docid = line.docid
    for seq, base in ((4, 0), (8, 4), (12, 8)):
        change(store, docid, seq)
        assert store.snapshots.write(docid, seq, base=base, added={})
    store.links.add(link(docid, 1, revision=6))
    store.links.add(link(docid, 2, revision=5, expires=utc_now() - timedelta(seconds=1)))
    store.links.add(link(docid, 3, revision=None))
    assert compact(store, docid, 12) == (4, 5)
    store.links.revoke("id1")
    assert compact(store, docid, 12) == (12, None)


def test_before_the_first_snapshot_all_is_kept(store: Store, line: DocumentRecord) -> None:
    """A revision that only changes lead to needs all of them."""
    docid = line.docid
    change(store, docid, 6)
    assert store.snapshots.write(docid, 6, base=0, added={})
    store.links.add(link(docid, 1, revision=2))
    assert compact(store, docid, 6) == (0, 1)
    # as if it had been made after snapshots were retired, and before changes are forgotten
    store.links.revoke("id1")
    base = store.snapshots.retire(docid, 6, FUTURE)
    store.links.add(link(docid, 2, revision=2))
    assert (base, store.changes.forget(docid, base)) == (6, 0)
    assert compact(store, docid, 6) == (0, 1)


def test_a_link_to_what_is_not_there(store: Store, line: DocumentRecord) -> None:
    """There is none to what is not kept any more, nor to what is not there yet."""
    docid = line.docid
    change(store, docid, 6)
    assert store.snapshots.write(docid, 6, base=0, added={})
    assert compact(store, docid, 6) == (6, None)
    with pytest.raises(NoLongerKept):
        store.links.add(link(docid, revision=5))
    with pytest.raises(UnknownRevision):
        store.links.add(link(docid, revision=7))
    assert store.links.of() == []
    assert store.links.add(link(docid, revision=6)).revision == 6
