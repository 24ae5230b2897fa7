"""Lists of documents, and their pictures."""

from __future__ import annotations

import pytest

from bokeh_server.errors import UnknownDocument
from bokeh_server.storage import Section, Store, Wish


def titles(store: Store, section: Section, name: str = "ada", **wish: object) -> list[str]:
    """The titles of a list, in order."""
    found = store.gallery.page(Wish(section, name, **wish))  # type: ignore[arg-type]
    return [record.title for record in found.records]


@pytest.fixture
def filled(store: Store) -> Store:
    """Documents of three people; ada may look at one of bob's, and everybody at two others."""
    for owner, title in (("ada", "Wetter"), ("ada", "ärger 100%"), ("bob", "Ärger"), ("bob", "x")):
        store.documents.create(owner, title)
    for owner in ("bob", "eve"):
        record = store.documents.create(owner, f"{owner}'s news")
        store.documents.publish(record.docid, True)
    shared = store.documents.find("bob", "Ärger")
    assert shared is not None
    store.grants.give(shared.docid, "ada", "viewer")
    return store


def test_everybody_has_their_own_lists(filled: Store) -> None:
    """A document is in one of somebody's lists at most; what is private is in none."""
    assert titles(filled, "mine", sort="title") == ["Wetter", "ärger 100%"]
    assert titles(filled, "shared") == ["Ärger"]
    assert titles(filled, "published", sort="title") == ["bob's news", "eve's news"]
    assert titles(filled, "published", "bob") == ["eve's news"]
    assert titles(filled, "published", "a stranger", sort="title") == ["bob's news", "eve's news"]
    assert titles(filled, "mine", "a stranger") == titles(filled, "shared", "eve") == []


def test_a_published_document_that_is_shared_is_listed_once(filled: Store) -> None:
    """What is shared with somebody is not among what everybody may see."""
    news = filled.documents.find("bob", "bob's news")
    assert news is not None
    filled.grants.give(news.docid, "ada", "editor")
    assert titles(filled, "shared", sort="title") == ["bob's news", "Ärger"]
    assert titles(filled, "published") == ["eve's news"]


def test_searching(filled: Store) -> None:
    """Each word is looked for in titles and names, in any case; no character means anything."""
    assert titles(filled, "mine", words=("ÄRGER",)) == ["ärger 100%"]
    assert titles(filled, "mine", words=("100%",)) == ["ärger 100%"]
    assert titles(filled, "shared", words=("ä", "BOB")) == ["Ärger"]
    for nothing in ("%", "_", "'", "wetter1", "\\"):
        found = titles(filled, "mine", words=(nothing,))
        assert found == (["ärger 100%"] if nothing == "%" else [])


def test_sorting_and_pieces(store: Store) -> None:
    """Lists come in the order that is asked for, piece by piece, with how many there are."""
    docids = {title: store.documents.create("ada", title).docid for title in "bAdC"}
    assert titles(store, "mine", sort="title") == ["A", "b", "C", "d"]
    assert titles(store, "mine", sort="created") == ["C", "d", "A", "b"]
    watched = {docids["A"]: 2, docids["d"]: 7}
    assert titles(store, "mine", sort="viewers", watched=watched) == ["d", "A", "C", "b"]
    assert titles(store, "mine", sort="viewers") == ["C", "d", "A", "b"]
    pieces = [titles(store, "mine", sort="title", skip=skip, most=3) for skip in (0, 3, 6)]
    assert pieces == [["A", "b", "C"], ["d"], []]
    assert store.gallery.page(Wish("mine", "ada", most=1)).total == 4


def test_cards(filled: Store) -> None:
    """A card has who has which role, and of which change there is a picture."""
    shared, other = filled.documents.find("bob", "Ärger"), filled.documents.find("bob", "x")
    assert shared is not None
    assert other is not None
    filled.thumbnails.put(shared.docid, 3, "image/webp", b"picture")
    cards = filled.gallery.cards([shared.docid, other.docid, "not-there"])
    assert cards.keys() == {shared.docid, other.docid}
    assert (cards[shared.docid].roles, cards[shared.docid].thumbnail) == ({"ada": "viewer"}, 3)
    assert (cards[other.docid].roles, cards[other.docid].thumbnail) == ({}, None)
    assert cards[shared.docid].record == shared


def test_a_picture_is_replaced_by_a_later_one(store: Store) -> None:
    """Of pictures that cross, the one of the later change stays; with the document it goes."""
    docid = store.documents.create("ada", "drawn").docid
    assert store.thumbnails.get(docid) is None
    assert store.thumbnails.put(docid, 5, "image/webp", b"five")
    assert not store.thumbnails.put(docid, 4, "image/webp", b"four")
    assert store.thumbnails.put(docid, 5, "image/webp", b"five again")
    found = store.thumbnails.get(docid)
    assert found is not None
    assert (found.seq, found.mimetype, found.body) == (5, "image/webp", b"five again")
    store.documents.delete(docid)
    assert store.thumbnails.get(docid) is None
    for unknown in (docid, "", "\x00", "a" * 300):
        assert store.thumbnails.get(unknown) is None
        with pytest.raises(UnknownDocument):
            store.thumbnails.put(unknown, 1, "image/webp", b"picture")
