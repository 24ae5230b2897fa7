"""Documents and their owners."""

from __future__ import annotations

import threading
from datetime import UTC

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bokeh_server.errors import BadRequest, BokehServerError, Conflict, TitleTaken, UnknownDocument
from bokeh_server.storage import NewChange, Store
from bokeh_server.storage.documents import check_title, is_docid, make_docid


def test_a_new_document_is_empty(store: Store) -> None:
    """A document starts unpublished with no change; its times are aware and in UTC."""
    record = store.documents.create("ada", "line")
    assert (record.title, record.owner, record.seq, record.plots) == ("line", "ada", 0, 0)
    assert not record.published
    assert record.created == record.changed
    assert record.created.tzinfo is UTC
    assert store.documents.get(record.docid) == record


def test_documents_are_found_by_owner_and_title(store: Store) -> None:
    """Each owner has titles of their own."""
    hers = store.documents.create("ada", "line")
    his = store.documents.create("bob", "line")
    assert store.documents.find("ada", "line") == hers
    assert store.documents.find("bob", "line") == his
    assert store.documents.find("ada", "other") is None
    assert store.documents.find("eve", "line") is None
    assert store.documents.find("ada", "li\0ne") is None
    assert store.documents.find("ada", "\ud800") is None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=260))
@example("a\u00a0b")
@example("\U0001f469\u200d\U0001f52c lab")
@example("soft\u00adhyphen")
@example("a\u2028b")
@example("a\u2029b")
@example("e\u0301 is not \u00e9 ")
@example("\U0010ffff" * 255)
def test_every_title_that_is_accepted_is_found(store: Store, title: str) -> None:
    """Whatever a document can be called, it is found by that; what is refused is never found."""
    try:
        check_title(title)
    except BadRequest:
        assert store.documents.find("ada", title) is None
        return
    record = store.documents.create("ada", title)
    assert store.documents.find("ada", title) == record
    with pytest.raises(TitleTaken):
        store.documents.create("ada", title)
    store.documents.delete(record.docid)
    assert store.documents.find("ada", title) is None


def test_a_title_is_taken_once(store: Store) -> None:
    """The second document of a title is refused and nothing is left of it."""
    store.documents.create("ada", "line")
    with pytest.raises(TitleTaken):
        store.documents.create("ada", "line")
    assert len(store.documents.list("ada")) == 1


def test_one_of_many_gets_the_title(store: Store) -> None:
    """Eight threads that create the same document make one; seven hear that it is taken."""
    results: list[str] = []

    def create() -> None:
        try:
            store.documents.create("ada", "line")
            results.append("made")
        except BokehServerError as error:
            results.append(error.code)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == ["made"] + ["title_taken"] * 7


@pytest.mark.parametrize("title", ["", "  ", "x" * 256, "a\0b", "a\nb", "\ud800", None, 7])
def test_titles_that_cannot_be(store: Store, title: str) -> None:
    """A title no database could hold, or nobody could read, is the caller's fault."""
    with pytest.raises(BadRequest):
        store.documents.create("ada", title)
    with pytest.raises(BadRequest):
        check_title(title)


@pytest.mark.parametrize(
    "title", ["Ω 漢字 🌋", "100 % of _it_", "x" * 255, "'; DROP TABLE change--"]
)
def test_titles_that_can_be(store: Store, title: str) -> None:
    """A title may be any text; it comes back as it was."""
    record = store.documents.create("ada", title)
    assert store.documents.find("ada", title) == record


def test_a_document_can_be_imported_under_its_id(store: Store) -> None:
    """A given id is kept; a second document of it is refused."""
    docid = make_docid()
    assert store.documents.create("ada", "one", docid).docid == docid
    with pytest.raises(Conflict) as caught:
        store.documents.create("ada", "two", docid)
    assert not isinstance(caught.value, TitleTaken)
    with pytest.raises(BadRequest):
        store.documents.create("ada", "three", "../../etc/passwd")


@pytest.mark.parametrize("docid", ["", "nothing", "../x", "a\0b", "%", "\ud800", "x" * 10_000])
def test_an_id_that_is_not_there(store: Store, docid: str) -> None:
    """Whatever is asked for by id, a document that is not there is unknown and never a fault."""
    assert store.documents.get(docid) is None
    with pytest.raises(UnknownDocument):
        store.documents.delete(docid)
    with pytest.raises(UnknownDocument):
        store.documents.publish(docid, True)


def test_the_list_has_the_newest_first(store: Store) -> None:
    """Documents are listed by their last change, each owner's apart, or all."""
    first = store.documents.create("ada", "first").docid
    second = store.documents.create("ada", "second").docid
    third = store.documents.create("bob", "third").docid
    store.changes.append([NewChange(first, 1, "ada", b"")])
    assert [record.docid for record in store.documents.list("ada")] == [first, second]
    assert [record.docid for record in store.documents.list()] == [first, third, second]
    assert store.documents.list("eve") == []


def test_one_after_the_other(store: Store) -> None:
    """Every document comes once, in the order of ids."""
    docids = {store.documents.create("ada", f"line {turn}").docid for turn in range(5)}
    found = [""]
    while (record := store.documents.after(found[-1])) is not None:
        found.append(record.docid)
    assert len(found) == 6
    assert set(found[1:]) == docids


def test_publishing(store: Store) -> None:
    """It changes one thing and gives the record as it is then."""
    docid = store.documents.create("ada", "line").docid
    assert store.documents.publish(docid, True).published
    assert not store.documents.publish(docid, False).published


def test_sites(store: Store) -> None:
    """None, some and every site are three things; a document of none is told of."""
    docid = store.documents.create("ada", "line").docid
    for sites in ("https://a.org https://b.org:8443", "", None, "x" * 2048):
        assert store.documents.embed(docid, sites).sites == sites
        assert store.documents.get(docid) == store.documents.embed(docid, sites)
    with pytest.raises(UnknownDocument):
        store.documents.embed("x" * 24, None)


def test_deleting(store: Store) -> None:
    """A deleted document is gone at once, and its title is free again."""
    docid = store.documents.create("ada", "line").docid
    store.documents.delete(docid)
    assert store.documents.get(docid) is None
    assert store.documents.create("ada", "line").docid != docid


def test_ids_look_like_ids() -> None:
    """Ids are URL-safe, never begin like an option, and do not repeat."""
    docids = {make_docid() for _ in range(5000)}
    assert len(docids) == 5000
    assert all(is_docid(docid) and len(docid) == 24 for docid in docids)
    assert not any(docid.startswith(("-", "_")) for docid in docids)
    assert not is_docid("-abc")
    assert not is_docid("abc\n")
