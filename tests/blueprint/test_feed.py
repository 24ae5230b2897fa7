"""The live feed of the gallery."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from bokeh_server.blueprint.documents.feed import INTERVAL, MOST_OTHERS, Feed, FeedHandler
from bokeh_server.documents import Engine
from bokeh_server.errors import StorageUnavailable
from bokeh_server.permissions import Actor
from bokeh_server.storage import Store


class Browser:
    """Stands for the connection of a gallery; keeps what it is sent, and when."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, dict[str, Any]]] = []
        self.closed = False

    def send(self, frame: bytes) -> None:
        """Take a frame of the server."""
        self.frames.append((time.monotonic(), orjson.loads(frame[frame.index(b"{") :])))

    def close(self, code: int, reason: str) -> None:
        """End."""
        self.closed = True

    @property
    def told(self) -> list[dict[str, Any]]:
        """The documents that it was told of, in order."""
        return [doc for _, message in self.frames for doc in message.get("docs", ())]

    @property
    def gone(self) -> list[str]:
        """The documents that are gone for it."""
        return [docid for _, message in self.frames for docid in message.get("gone", ())]

    def wait(self, count: int) -> list[dict[str, Any]]:
        """Wait until it was told of so many documents, and give them."""
        wait_for(lambda: len(self.told) >= count)
        return self.told


def wait_for(condition: Any) -> None:
    """Wait for what comes soon; the test that goes on says what is missing."""
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database of its own."""
    made = Store.open(f"sqlite:///{tmp_path / 'feed.sqlite3'}")
    yield made
    made.close()


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    """An engine on it, of a server that several people share."""
    made = Engine(store, sharing=True)
    yield made
    made.close()


@pytest.fixture
def feed(engine: Engine, store: Store) -> Iterator[Feed]:
    """A feed of that engine."""
    made = Feed(engine, store)
    yield made
    made.close()


def follow(feed: Feed, actor: str | Actor = "ada", *shown: str) -> tuple[Browser, FeedHandler]:
    """Open a gallery that shows some documents."""
    browser = Browser()
    who = Actor(actor) if isinstance(actor, str) else actor
    handler = FeedHandler(browser, feed, who)  # type: ignore[arg-type]
    handler.opened()
    if shown:
        handler.received(orjson.dumps({"shows": shown}))
    return browser, handler


def test_a_page_hears_what_changes(engine: Engine, feed: Feed) -> None:
    """A page hears of documents that are made, of those that it shows, and of what is deleted."""
    first = engine.create("ada", "first")
    browser, handler = follow(feed, "ada", first.docid)
    assert browser.frames[0][1] == {"type": "hello"}
    assert browser.wait(1)[0]["docid"] == first.docid
    second = engine.create("ada", "second")
    doc = browser.wait(2)[1]
    assert (doc["docid"], doc["section"], doc["thumbnail"]) == (second.docid, "mine", None)
    for record in (first, second):
        engine.delete(record.docid)
    wait_for(lambda: len(browser.gone) == 2)
    assert set(browser.gone) == {first.docid, second.docid}
    handler.closed()


def test_many_changes_are_told_at_most_once_a_second(engine: Engine, feed: Feed) -> None:
    """A document that changes all the time costs its watchers one message a second."""
    record = engine.create("ada", "busy")
    browser, handler = follow(feed)
    end = time.monotonic() + 2.2 * INTERVAL
    count = 0
    while time.monotonic() < end:
        count += 1
        engine.rename(record.docid, f"busy {count}")
        time.sleep(0.01)
    time.sleep(1.2 * INTERVAL)
    told = [(at, message) for at, message in browser.frames if message["type"] == "documents"]
    assert count > 20
    assert 2 <= len(told) <= 4
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(told)]
    assert min(gaps) > 0.9 * INTERVAL
    assert told[-1][1]["docs"][0]["title"] == f"busy {count}"
    handler.closed()


def test_of_what_nobody_shows_only_some_is_told(engine: Engine, feed: Feed) -> None:
    """However many documents change, a page hears of those it shows and of some others."""
    records = [engine.create("ada", f"document {i}") for i in range(MOST_OTHERS + 30)]
    browser, handler = follow(feed, "ada", records[0].docid)
    browser.wait(1)
    with feed._changed:  # as one burst
        for record in records:
            feed.hear(record.docid, "changed")
    browser.wait(2 + MOST_OTHERS)
    time.sleep(1.2 * INTERVAL)
    told = [doc["docid"] for doc in browser.told[1:]]
    assert len(told) == 1 + MOST_OTHERS
    assert {records[0].docid, records[-1].docid} <= set(told)
    handler.closed()


def test_nobody_hears_of_what_is_not_theirs(engine: Engine, feed: Feed) -> None:
    """Another person's document is not mentioned, whatever becomes of it."""
    browser, handler = follow(feed, "ada")
    nobody, other = follow(feed, Actor(None))
    secret = engine.create("bob", "secret")
    engine.rename(secret.docid, "still secret")
    engine.delete(secret.docid)
    engine.create("ada", "mine")
    assert [doc["title"] for doc in browser.wait(1)] == ["mine"]
    assert browser.gone == []
    assert [message for _, message in nobody.frames] == [{"type": "hello"}]
    for each in (handler, other):
        each.closed()


def test_a_right_given_and_taken_shows_at_once(engine: Engine, feed: Feed, store: Store) -> None:
    """A share, its role, and that it was published appear where they are seen, and go again."""
    record = engine.create("bob", "shared")
    engine.create("ada", "makes her known")
    browser, handler = follow(feed, "ada")

    def last() -> tuple[str, list[str]] | None:
        return (browser.told[-1]["section"], browser.told[-1]["rights"]) if browser.told else None

    for role, rights in (("viewer", ["read"]), ("editor", ["read", "write"])):
        engine.share(record.docid, "ada", role)
        wait_for(lambda expected=rights: last() == ("shared", expected))
        assert last() == ("shared", rights)
        assert browser.told[-1]["shared"] == 0  # with how many is not for her to know
    engine.unshare(record.docid, "ada")
    wait_for(lambda: browser.gone)
    assert browser.gone == [record.docid]
    engine.publish(record.docid, True)
    wait_for(lambda: last() == ("published", ["read"]))
    assert last() == ("published", ["read"])
    engine.publish(record.docid, False)
    wait_for(lambda: len(browser.gone) == 2)
    assert browser.gone == [record.docid] * 2
    count = len(browser.frames)
    engine.rename(record.docid, "hers no more")
    time.sleep(1.2 * INTERVAL)
    assert len(browser.frames) == count
    handler.closed()


def test_claiming_to_show_a_document_tells_nothing_of_it(engine: Engine, feed: Feed) -> None:
    """A page that names others' documents hears the same of them as of any that are not there."""
    secret = engine.create("bob", "secret")
    browser, handler = follow(feed, "ada", secret.docid, "x" * 24)
    wait_for(lambda: len(browser.gone) == 2)
    assert set(browser.gone) == {secret.docid, "x" * 24}
    engine.rename(secret.docid, "still secret")
    engine.delete(secret.docid)
    time.sleep(1.2 * INTERVAL)
    assert (browser.told, len(browser.gone)) == ([], 2)
    for bad in (b"\xff", b"[]", b"{}", b'{"shows": 3}', b'{"shows": [1, null, ""]}', b"null",
                b'{"shows": ["a\\u0000b", "a b", "\\n"]}'):  # fmt: skip
        handler.received(bad)
    assert handler.shown == set()
    handler.closed()


def test_a_wish_that_cannot_be_answered_is_nobody_elses_loss(
    engine: Engine, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one page asks for may fail; the others hear of what happened meanwhile."""
    cards = feed._gallery.cards

    def fail(docids: list[str]) -> Any:
        if "poison" in docids:
            raise RuntimeError("it cannot be answered")
        return cards(docids)

    monkeypatch.setattr(feed._gallery, "cards", fail)
    made = engine.create("ada", "meanwhile")
    browser, handler = follow(feed, "ada", made.docid)
    browser.wait(1)
    _, bad = follow(feed, "mallory")
    with feed._changed:  # so that it is asked for with what happens
        bad.received(b'{"shows": ["poison"]}')
        feed.hear(made.docid, "renamed")
    assert browser.wait(2)[1]["docid"] == made.docid
    handler.closed()
    bad.closed()


def test_who_is_logged_out_hears_no_more(engine: Engine, feed: Feed) -> None:
    """When the login of a page has ended, so does its feed, before it is told anything."""
    browser, good = Browser(), [True]
    handler = FeedHandler(browser, feed, Actor("ada"), lambda: good[0])  # type: ignore[arg-type]
    handler.opened()
    good[0] = False
    engine.create("ada", "too late")
    wait_for(lambda: browser.closed)
    assert browser.closed
    assert browser.told == []
    handler.closed()


def test_the_only_user_sees_their_own(engine: Engine, feed: Feed) -> None:
    """A single-user server tells of its user's documents, and of none that others left in it."""
    browser, handler = follow(feed, Actor("defaultuser", single_user=True))
    engine.publish(engine.create("bob", "of another time").docid, True)
    engine.create("defaultuser", "mine")
    assert [doc["title"] for doc in browser.wait(1)] == ["mine"]
    handler.closed()


def test_the_thread_runs_only_while_somebody_follows(engine: Engine, feed: Feed) -> None:
    """The last page that closes ends it, and the next one starts it again."""
    for _ in range(3):
        _, handler = follow(feed)
        assert feed._thread is not None
        handler.closed()
        wait_for(lambda: feed._thread is None)
        assert feed._thread is None


@pytest.mark.parametrize("error", [StorageUnavailable("look", "it is away"), RuntimeError("bug")])
def test_pages_hear_of_changes_after_the_database_was_away(
    engine: Engine, feed: Feed, store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """What could not be looked up is told later, and an error of ours costs one message at most."""
    record = engine.create("ada", "first")
    browser, handler = follow(feed)
    real, failed = store.gallery.cards, threading.Event()

    def fail(docids: list[str]) -> None:
        monkeypatch.setattr(store.gallery, "cards", real)
        failed.set()
        raise error

    monkeypatch.setattr(store.gallery, "cards", fail)
    engine.publish(record.docid, True)
    assert failed.wait(5)
    if isinstance(error, RuntimeError):
        engine.publish(record.docid, True)
    assert browser.wait(1)[0]["published"]
    assert feed._thread is not None
    handler.closed()
