"""Putting right who may show something else than is stored, whatever is in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage import DocumentRecord, Store
from support.documents import TestFollower, doc_json

VALUE = [("s", "value")]


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)


def test_an_outage_only_delays_it(
    engine: Engine, store: Store, live: LiveDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a follower had to be told while the database was lost it is told after."""
    bob = TestFollower("bob")
    bob.join(live)
    live.doubt()
    asked: list[str] = []

    def lost(docid: str) -> DocumentRecord | None:
        asked.append(docid)
        raise StorageUnavailable("look up the document", "the database is gone")

    with monkeypatch.context() as outage:
        outage.setattr(store.documents, "get", lost)
        engine._settler.note(live, "bob", VALUE)
        wait_for(lambda: len(asked) >= 2)
        assert bob.take() == []
    wait_for(lambda: bob.values() == [1])


def test_who_has_left_is_forgotten(
    engine: Engine, store: Store, live: LiveDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told again and again who is not there any more, nor about what is gone."""
    bob = TestFollower("bob")
    bob.join(live)
    assert bob.cursor is not None
    live.channel.unfollow(bob.cursor)
    live.doubt()
    with monkeypatch.context() as outage:
        outage.setattr(store.documents, "get", None)
        engine._settler.note(live, "bob", VALUE)
        wait_for(lambda: not engine._settler._due)
    bob.join(live)
    engine.delete(live.docid)
    engine._settler.note(live, "bob", VALUE)
    wait_for(lambda: not engine._settler._due)


def test_a_document_that_is_held_keeps_up_no_other(engine: Engine, live: LiveDocument) -> None:
    """Followers of the others are told at once; those of this one when it is free again."""
    other = engine.open(engine.create("ada", "other").docid)
    other.replace(doc_json(), {}, actor="ada")
    bob, eve = TestFollower("bob"), TestFollower("eve")
    bob.join(live)
    eve.join(other)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with live._lock:
            held.set()
            free.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    engine._settler.note(live, "bob", VALUE)
    engine._settler.note(other, "eve", VALUE)
    wait_for(lambda: eve.values() == [1])
    assert bob.take() == []
    assert not free.is_set()
    free.set()
    holder.join()
    wait_for(lambda: bob.values() == [1])
