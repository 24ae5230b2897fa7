"""Rights in documents that owners gave to others."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from functools import partial

import pytest

from bokeh_server.errors import NotFound, TitleTaken, UnknownDocument
from bokeh_server.storage import DocumentRecord, NewChange, Store
from bokeh_server.storage.documents import make_docid
from support.documents import run_together


@pytest.fixture
def line(store: Store) -> DocumentRecord:
    """A document of ada, where bob and eve are known, too."""
    for name in ("ada", "bob", "eve"):
        store.users.create(name, None)
    return store.documents.create("ada", "line")


def test_giving_and_taking(store: Store, line: DocumentRecord) -> None:
    """A right is listed by name until it is taken back."""
    assert store.grants.of(line.docid) == []
    store.grants.give(line.docid, "eve", "viewer")
    store.grants.give(line.docid, "bob", "editor")
    given = store.grants.of(line.docid)
    assert [(each.name, each.role) for each in given] == [("bob", "editor"), ("eve", "viewer")]
    assert store.grants.roles(line.docid) == {"bob": "editor", "eve": "viewer"}
    assert store.grants.take(line.docid, "bob")
    assert not store.grants.take(line.docid, "bob")
    assert not store.grants.take(line.docid, "nobody")
    assert not store.grants.take(make_docid(), "eve")
    assert store.grants.roles(line.docid) == {"eve": "viewer"}


def test_a_right_takes_the_place_of_another(store: Store, line: DocumentRecord) -> None:
    """Nobody has two rights in a document, and rights in others stay as they are."""
    other = store.documents.create("ada", "other")
    for document in (line, other):
        store.grants.give(document.docid, "bob", "viewer")
    store.grants.give(line.docid, "eve", "viewer")
    store.grants.give(line.docid, "bob", "editor")
    assert store.grants.roles(line.docid) == {"bob": "editor", "eve": "viewer"}
    assert store.grants.roles(other.docid) == {"bob": "viewer"}


def test_what_was_shared_is_listed(store: Store, line: DocumentRecord) -> None:
    """The last changed comes first, of all owners, and only what is shared with them still."""
    curve, plot = (store.documents.create(owner, "curve") for owner in ("ada", "eve"))
    for document in (plot, line, curve):
        store.grants.give(document.docid, "bob", "viewer")
    assert _titles(store, "bob") == [plot.docid, curve.docid, line.docid]
    store.changes.append([NewChange(line.docid, 1, "ada", b"")])
    assert _titles(store, "bob") == [line.docid, plot.docid, curve.docid]
    assert store.grants.shared_with("bob")[0] == store.documents.get(line.docid)
    store.grants.take(plot.docid, "bob")
    assert _titles(store, "bob") == [line.docid, curve.docid]
    assert _titles(store, "eve") == _titles(store, "nobody") == []


def test_documents_of_one_moment_have_an_order(store: Store, line: DocumentRecord) -> None:
    """Those that were changed together are listed by id, as all lists of documents are."""
    docids = sorted(make_docid() for _ in range(8))
    for number, docid in enumerate(docids[::2] + docids[1::2]):
        store.documents.create("ada", f"line {number}", docid)
        store.grants.give(docid, "bob", "viewer")
    store.changes.append([NewChange(docid, 1, "ada", b"") for docid in docids])
    assert _titles(store, "bob") == docids


def _titles(store: Store, name: str) -> list[str]:
    return [record.docid for record in store.grants.shared_with(name)]


def test_rights_that_cannot_be_given(store: Store, line: DocumentRecord) -> None:
    """To nobody, or in no document."""
    with pytest.raises(NotFound, match="nobody has this name"):
        store.grants.give(line.docid, "nobody", "viewer")
    for docid in (make_docid(), "", "../x"):
        with pytest.raises(UnknownDocument):
            store.grants.give(docid, "bob", "viewer")


def test_a_deleted_document_takes_its_rights_along(store: Store, line: DocumentRecord) -> None:
    """The document that is made again under its id is shared with nobody."""
    store.grants.give(line.docid, "bob", "editor")
    store.documents.delete(line.docid)
    assert store.grants.of(line.docid) == []
    with pytest.raises(UnknownDocument):
        store.grants.give(line.docid, "bob", "editor")
    store.documents.create("ada", "line", line.docid)
    assert store.grants.of(line.docid) == []


def test_sharing_while_it_is_deleted(store: Store, line: DocumentRecord, ready_url: str) -> None:
    """Whoever shares a document that somebody deletes at once hears that it is not there."""
    with closing(Store.open(ready_url, tidy=False)) as there:
        for turn in range(10):
            docid = store.documents.create("ada", f"goes {turn}").docid
            ready = threading.Barrier(4)
            deletes = Deleting(store, docid, ready)
            shares = [Sharing(where, docid, ready) for where in (store, store, there)]
            run_together([deletes.run, *(each.run for each in shares)])
            assert store.grants.of(docid) == []


class Deleting:
    """Deletes a document when all are ready."""

    def __init__(self, store: Store, docid: str, ready: threading.Barrier) -> None:
        self.store, self.docid, self.ready = store, docid, ready

    def run(self) -> None:
        """Do it."""
        self.ready.wait(30)
        self.store.documents.delete(self.docid)


class Sharing(Deleting):
    """Shares a document until it is not there."""

    def run(self) -> None:
        """Do it, and leave others a turn, as SQLite does not."""
        self.ready.wait(30)
        with pytest.raises(UnknownDocument):
            self._share()

    def _share(self) -> None:
        for turn in range(5000):
            self.store.grants.give(self.docid, "bob", ("viewer", "editor")[turn % 2])
            time.sleep(0.002)


def test_many_give_the_same_right(store: Store, line: DocumentRecord, ready_url: str) -> None:
    """Twenty at once make one right of it, and all are told that it was given."""
    with closing(Store.open(ready_url, tidy=False)) as there:
        start = threading.Barrier(20)

        def give(which: int) -> None:
            start.wait(30)
            (store, there)[which % 2].grants.give(line.docid, "bob", "editor")

        run_together(partial(give, which) for which in range(20))
    assert store.grants.roles(line.docid) == {"bob": "editor"}


def test_somebody_who_is_deleted_has_no_rights(store: Store, line: DocumentRecord) -> None:
    """Whoever takes the name afterwards is somebody else."""
    store.grants.give(line.docid, "bob", "editor")
    store.users.delete("bob")
    assert store.grants.of(line.docid) == []
    store.users.create("bob", None)
    assert store.grants.shared_with("bob") == []


def test_a_document_gets_another_owner(store: Store) -> None:
    """It is theirs afterwards, without the right they had; titles stay unique for each owner."""
    for name in ("ada", "bob", "eve"):
        store.users.create(name, None)
    docid = store.documents.create("ada", "line").docid
    for name in ("bob", "eve"):
        store.grants.give(docid, name, "viewer")
    assert store.documents.give(docid, "bob").owner == "bob"
    assert store.grants.roles(docid) == {"eve": "viewer"}
    store.documents.create("ada", "line")
    with pytest.raises(TitleTaken):
        store.documents.give(docid, "ada")
    with pytest.raises(NotFound):
        store.documents.give(docid, "nobody")
    with pytest.raises(UnknownDocument):
        store.documents.give("x" * 24, "ada")
    assert store.documents.find("bob", "line") is not None
