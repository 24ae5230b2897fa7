"""The live feed of the index page."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from bokeh_server.blueprint.feed import INTERVAL, Feed, FeedHandler
from bokeh_server.documents import Engine
from bokeh_server.errors import StorageUnavailable
from bokeh_server.permissions import Actor
from bokeh_server.storage import Store


class Browser:
    """Stands for the connection of an index page; keeps what it is sent, and when."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, dict[str, Any]]] = []

    def send(self, frame: bytes) -> None:
        """Take a frame of the server."""
        self.frames.append((time.monotonic(), orjson.loads(frame[frame.index(b"{") :])))

    def wait(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many messages, and give them."""
        deadline = time.monotonic() + 5
        while len(self.frames) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return [message for _, message in self.frames]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a database of its own."""
    store = Store.open(f"sqlite:///{tmp_path / 'feed.sqlite3'}")
    made = Engine(store)
    yield made
    made.close()
    store.close()


@pytest.fixture
def feed(engine: Engine) -> Iterator[Feed]:
    """A feed of that engine."""
    made = Feed(engine)
    yield made
    made.close()


def follow(feed: Feed, name: str = "ada") -> tuple[Browser, FeedHandler]:
    """Open an index page."""
    browser = Browser()
    handler = FeedHandler(browser, feed, Actor(name))  # type: ignore[arg-type]
    handler.opened()
    return browser, handler


def test_first_everything_then_what_changes(engine: Engine, feed: Feed) -> None:
    """A page knows all documents at once, and hears of each that is made, changed or deleted."""
    first = engine.create("ada", "first")
    browser, handler = follow(feed)
    assert [doc["title"] for doc in browser.wait(1)[0]["docs"]] == ["first"]
    second = engine.create("ada", "second")
    assert browser.wait(2)[1]["doc"]["docid"] == second.docid
    engine.delete(first.docid)
    assert browser.wait(3)[2] == {"type": "deleted", "docid": first.docid}
    handler.closed()


def test_many_changes_are_told_at_most_once_a_second(engine: Engine, feed: Feed) -> None:
    """A document that changes all the time costs its watchers one message a second."""
    record = engine.create("ada", "busy")
    browser, handler = follow(feed)
    browser.wait(1)
    end = time.monotonic() + 2.2 * INTERVAL
    count = 0
    while time.monotonic() < end:
        count += 1
        engine.rename(record.docid, f"busy {count}")
        time.sleep(0.01)
    time.sleep(1.2 * INTERVAL)
    told = [(at, message) for at, message in browser.frames if message["type"] == "document"]
    assert count > 20
    assert 2 <= len(told) <= 4
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(told)]
    assert min(gaps) > 0.9 * INTERVAL
    assert told[-1][1]["doc"]["title"] == f"busy {count}"
    handler.closed()


def test_nobody_hears_of_what_is_not_theirs(engine: Engine, feed: Feed) -> None:
    """Another person's unpublished document is not mentioned."""
    browser, handler = follow(feed, "ada")
    engine.create("bob", "secret")
    mine = engine.create("ada", "mine")
    titles = [message["doc"]["title"] for message in browser.wait(2)[1:]]
    assert titles == ["mine"]
    assert browser.frames[0][1]["docs"] == []
    assert mine.title == "mine"
    handler.closed()


def test_the_thread_runs_only_while_somebody_follows(engine: Engine, feed: Feed) -> None:
    """The last page that closes ends it, and the next one starts it again."""
    for _ in range(3):
        browser, handler = follow(feed)
        browser.wait(1)
        assert feed._thread is not None
        handler.closed()
        deadline = time.monotonic() + 5
        while feed._thread is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert feed._thread is None


@pytest.mark.parametrize("error", [StorageUnavailable("look", "it is away"), RuntimeError("bug")])
def test_pages_hear_of_changes_after_the_database_was_away(
    engine: Engine, feed: Feed, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """What could not be looked up is told later, and an error of ours costs one message at most."""
    record = engine.create("ada", "first")
    browser, handler = follow(feed)
    browser.wait(1)
    real, failed = engine.get, threading.Event()

    def fail(docid: str) -> None:
        monkeypatch.setattr(engine, "get", real)
        failed.set()
        raise error

    monkeypatch.setattr(engine, "get", fail)
    engine.publish(record.docid, True)
    assert failed.wait(5)
    if isinstance(error, RuntimeError):
        engine.publish(record.docid, True)
    assert browser.wait(2)[1]["doc"]["published"]
    assert feed._thread is not None
    handler.closed()
