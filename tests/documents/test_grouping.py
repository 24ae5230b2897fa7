"""Writers share transactions, and nobody hears of what is not committed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.errors import BadRequest, ServerFault, StorageFull, StorageUnavailable
from bokeh_server.storage import NewChange, Outcome, Store
from support.documents import TestFollower, doc_json, run_together, set_value

Append = Callable[[Sequence[NewChange]], list[Outcome]]
DISK_SECONDS = 0.05


def make_documents(engine: Engine, count: int) -> list[LiveDocument]:
    """Documents of their own for many writers."""
    documents = []
    for number in range(count):
        live = engine.open(engine.create("ada", f"line {number}").docid)
        live.replace(doc_json(), {}, actor="ada")
        documents.append(live)
    return documents


@pytest.mark.parametrize("documents", [1, 4, 24])
def test_writers_do_not_wait_one_by_one(engine: Engine, store: Store, documents: int) -> None:
    """Twenty-four writers on a slow disk, of one and of many documents, take few turns of it."""
    lives = make_documents(engine, documents)
    groups: list[int] = []

    def slow(group: Sequence[NewChange]) -> list[Outcome]:
        groups.append(len(group))
        time.sleep(DISK_SECONDS)
        return store.changes.append(group)

    engine._committer._append = slow
    run_together(
        lambda n=n: [lives[n % documents].apply(set_value(turn), actor="ada") for turn in range(5)]
        for n in range(24)
    )
    assert sum(groups) == 24 * 5
    # one after the other it would be 120 turns; two at a time hold half of the writers each
    assert len(groups) < 30


def test_followers_see_only_what_is_stored(engine: Engine, store: Store) -> None:
    """Of commits that fail at random nobody sees a change that is not stored, before or after."""
    live, dice = make_documents(engine, 1)[0], random.Random(5006)
    ann = TestFollower("ann")
    ann.join(live)
    append, written = store.changes.append, []

    def failing(group: Sequence[NewChange]) -> list[Outcome]:
        chance = dice.random()
        if chance < 0.3:
            raise StorageFull("store changes", "the disk is full")
        seen = {event["new"] for event in ann.got}
        assert not seen.intersection(written[-1:]), "a follower was told before the commit"
        outcomes = append(group)
        if chance < 0.5:
            raise StorageUnavailable("store changes", "the answer was lost")
        return outcomes

    engine._committer._append = failing
    answered: list[int] = []

    def write(writer: int) -> None:
        for turn in range(30):
            value = writer * 1000 + turn
            try:
                live.apply(set_value(value), actor="ada", key=str(value))
            except ServerFault:
                continue
            answered.append(value)

    stop = threading.Event()
    watcher = threading.Thread(target=lambda: [ann.take() for _ in iter(stop.is_set, True)])
    watcher.start()
    run_together(lambda n=n: write(n) for n in range(4))
    engine._committer._append = append
    live.apply(set_value(-1), actor="ada")
    stop.set()
    watcher.join(20)
    ann.take()
    stored = [int(record.key) for record in store.changes.after(live.docid, 0) if record.key]
    assert [event["new"] for event in ann.got] == [*stored, -1]
    assert set(answered) <= set(stored)
    assert ann.seqs == list(range(2, live.seq + 1))


def test_a_change_that_the_database_does_not_take(engine: Engine, store: Store) -> None:
    """It fails alone: changes of other documents that waited with it are stored."""
    bad, good = make_documents(engine, 2)
    gate, append = threading.Event(), store.changes.append

    def picky(group: Sequence[NewChange]) -> list[Outcome]:
        gate.wait(20)
        if any(change.docid == bad.docid for change in group):
            raise BadRequest("store changes", "the database cannot hold this value")
        return append(group)

    engine._committer._append = picky
    answers: dict[str, object] = {}

    def write(name: str, live: LiveDocument) -> None:
        try:
            answers[name] = live.apply(set_value(5), actor="ada")
        except BadRequest as error:
            answers[name] = type(error)

    threading.Timer(0.3, gate.set).start()
    works = [("first", good), ("bad", bad), ("good", good)]
    run_together(lambda name=name, live=live: write(name, live) for name, live in works)
    assert answers["bad"] is BadRequest
    assert {answers["first"], answers["good"]} == {2, 3}


def test_a_refused_change_is_taken_back_without_loading(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure, and after a clash with another process, the memory is put right in place."""
    live = make_documents(engine, 1)[0]
    monkeypatch.setattr(live, "_load", lambda: pytest.fail("the document was loaded again"))
    append = store.changes.append

    def full(group: Sequence[NewChange]) -> list[Outcome]:
        raise StorageFull("store changes", "the disk is full")

    engine._committer._append = full
    for value in (5, 6):
        with pytest.raises(StorageFull):
            live.apply(set_value(value), actor="ada")
    assert live.model_json("s")["attributes"]["value"] == 1
    engine._committer._append = append
    other = Engine(store)
    assert other.open(live.docid).apply(set_value(7, "step"), actor="ada") == 2
    assert live.apply(set_value(8), actor="ada") == 3
    attributes = live.model_json("s")["attributes"]
    assert (attributes["value"], attributes["step"]) == (8, 7)
    assert live.content() == (3, *store_content(store, live.docid))
    other.close()


def store_content(store: Store, docid: str) -> tuple[bytes, dict[str, bytes]]:
    """What a server that starts afresh loads."""
    engine = Engine(store)
    content = engine.open(docid).content()[1:]
    engine.close()
    return content
