"""One live document: writing, following, pulling."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from bokeh_server.documents import Engine, Limits, LiveDocument
from bokeh_server.errors import (
    BadRequest,
    InvalidPatch,
    StorageFull,
    StorageUnavailable,
    TitleTaken,
    TooLarge,
    UnknownDocument,
    UnknownModel,
)
from bokeh_server.protocol import Patch
from bokeh_server.storage import ChangeRecord, NewChange, Outcome, Store
from support.documents import (
    TestFollower,
    doc_json,
    events_of,
    frames_of,
    run_together,
    set_value,
    stream,
)


def value_of(document: LiveDocument) -> object:
    """The slider's value as everybody sees it."""
    return document.model_json("s")["attributes"]["value"]


def column(document: LiveDocument, name: str = "x") -> object:
    """A column of the data source."""
    entries = document.model_json("d")["attributes"]["data"]["entries"]
    return dict(entries)[name]


# --- writing ---------------------------------------------------------------------------


def test_a_change_is_stored_before_it_is_answered(live: LiveDocument, store: Store) -> None:
    """When ``apply`` returns the change is in the log under the number it returned."""
    assert live.apply(set_value(5), actor="ada") == 2
    assert live.seq == 2
    assert [record.seq for record in store.changes.after(live.docid, 0)] == [1, 2]
    record = store.documents.get(live.docid)
    assert record is not None
    assert (record.seq, record.plots) == (2, 1)


def test_everybody_but_the_sender_gets_a_change(live: LiveDocument) -> None:
    """Followers get the change once; its sender does not get it back."""
    ann, bob = TestFollower("ann"), TestFollower("bob")
    assert ann.join(live) == bob.join(live) == 1
    live.apply(set_value(7), actor="ada", origin="ann")
    assert bob.values() == [7]
    assert ann.take() == []


def test_what_a_browser_computed_is_not_stored(live: LiveDocument, store: Store) -> None:
    """A patch of view state alone changes nothing, is stored nowhere and goes to nobody."""
    bob = TestFollower("bob")
    bob.join(live)
    event = {"kind": "ModelChanged", "model": {"id": "p"}, "attr": "inner_width", "new": 400}
    assert live.apply(Patch([event], {}), actor="ada", browser=True) == 1
    assert bob.take() == []
    assert len(store.changes.after(live.docid, 0)) == 1


def test_a_wrong_patch_changes_nothing(live: LiveDocument, store: Store) -> None:
    """A patch that cannot be applied is refused whole, and the next one is stored as usual."""
    bob = TestFollower("bob")
    bob.join(live)
    unknown = {"kind": "ModelChanged", "model": {"id": "none"}, "attr": "value", "new": 1}
    with pytest.raises(InvalidPatch):
        live.apply(Patch([*set_value(9).events, unknown], {}), actor="ada")
    assert value_of(live) == 1
    assert live.apply(set_value(2), actor="ada") == 2
    assert bob.values() == [2]


def test_a_patch_that_is_too_large(store: Store) -> None:
    """A patch over the limit is refused and the document is as before."""
    engine = Engine(store, limits=Limits(patch_bytes=100_000))
    live = engine.open(engine.create("ada", "line").docid)
    live.replace(doc_json(), {}, actor="ada")
    with pytest.raises(TooLarge):
        live.apply(set_value("x" * 200_000, "title"), actor="ada")
    assert live.apply(set_value(3), actor="ada") == 2
    assert "title" not in live.model_json("s")["attributes"]
    engine.close()


def test_a_whole_document_may_be_larger(store: Store) -> None:
    """The limit is for patches: what was stored whole is loaded and stored whole again."""
    engine = Engine(store, limits=Limits(patch_bytes=1000))
    live = engine.open(engine.create("ada", "line").docid)
    assert live.replace(doc_json(), {}, actor="ada") == 1
    _, content, buffers = live.content()
    assert len(content) > 1000
    copy = engine.open(engine.create("ada", "copy").docid)
    assert copy.replace(json.loads(content), buffers, actor="ada") == 1
    with pytest.raises(TooLarge):
        copy.apply(set_value("x" * 2000, "title"), actor="ada")
    assert copy.content()[1] == content
    engine.close()


def test_writers_of_one_document_share_transactions(
    live: LiveDocument, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one commit is on its way others wait together; none is lost, all are in order."""
    sizes: list[int] = []
    append = store.changes.append

    def slow(group: Sequence[NewChange]) -> list[Outcome]:
        sizes.append(len(group))
        time.sleep(0.01)
        return append(group)

    monkeypatch.setattr(live._committer, "_append", slow)
    bob = TestFollower("bob")
    bob.join(live)
    answers: list[int] = []

    def write(worker: int) -> None:
        for turn in range(10):
            answers.append(live.apply(set_value(worker * 100 + turn), actor="ada"))

    run_together(lambda worker=worker: write(worker) for worker in range(16))
    assert sorted(answers) == list(range(2, 162))
    assert sum(sizes) == 160
    assert len(sizes) < 60
    values = bob.values()
    assert len(values) == 160
    assert values[-1] == value_of(live)
    assert bob.seqs == list(range(2, 162))


# --- edits that cross ------------------------------------------------------------------


def events_until(follower: TestFollower, count: int) -> list[Any]:
    """The next ``count`` events, as soon as they have come."""
    events: list[Any] = []
    deadline = time.monotonic() + 20
    while len(events) < count:
        assert time.monotonic() < deadline, events
        events += follower.take()
        time.sleep(0.005)
    return events


def test_crossing_edits_converge(live: LiveDocument) -> None:
    """Of two who set one value at once the one whose change came last is shown it again."""
    ann, bob = TestFollower("ann"), TestFollower("bob")
    ann.join(live)
    bob.join(live)
    live.apply(set_value(1), actor="ada", origin="ann")
    live.apply(set_value(2), actor="ada", origin="bob")
    assert [event["new"] for event in events_until(bob, 2)] == [1, 2]
    assert ann.values() == [2]


def test_nothing_comes_back_while_its_sender_goes_on(live: LiveDocument) -> None:
    """A slider that crossed with another's does not jump back under the finger, only settle."""
    ann = TestFollower("ann")
    ann.join(live)
    live.apply(set_value(-1), actor="ada", origin="bob")
    for value in range(100):
        live.apply(set_value(value), actor="ada", origin="ann")
    assert [event["new"] for event in events_until(ann, 2)] == [-1, 99]


class Laggard(TestFollower):
    """A viewer whose edits and news are on their way for a while."""

    def __init__(self, origin: str, live: LiveDocument) -> None:
        super().__init__(origin)
        self.value: object = 0
        self.sent: list[int] = []
        self.coming: list[object] = []
        self.live = live
        self.join(live)

    def move(self, value: int) -> None:
        """Set the value here; the server hears of it later."""
        self.value = value
        self.sent.append(value)

    def deliver(self) -> None:
        """Let the oldest edit arrive at the server."""
        if self.sent:
            self.live.apply(set_value(self.sent.pop(0)), actor="ada", origin=self.origin)

    def hear(self) -> None:
        """Let the oldest news arrive here."""
        self.coming += self.values()
        if self.coming:
            self.value = self.coming.pop(0)


@pytest.mark.parametrize("seed", range(12))
def test_viewers_with_slow_lines_end_with_the_stored_value(store: Store, seed: int) -> None:
    """Edits and news cross in every way; when all is quiet, everybody shows what is stored."""
    engine = Engine(store, limits=Limits(quiet_seconds=0.02))
    live = engine.open(engine.create("ada", "line").docid)
    live.replace(doc_json(), {}, actor="ada")
    viewers = [Laggard(name, live) for name in ("ann", "bob", "cleo")]
    dice = random.Random(seed)
    for turn in range(60):
        viewer = dice.choice(viewers)
        dice.choice([partial(viewer.move, turn), viewer.deliver, viewer.hear])()
        time.sleep(dice.choice([0, 0, 0, 0.03]))
    deadline = time.monotonic() + 20
    while not all(viewer.value == value_of(live) and not viewer.sent for viewer in viewers):
        assert time.monotonic() < deadline, [viewer.value for viewer in viewers]
        for viewer in viewers:
            viewer.deliver()
            viewer.hear()
        time.sleep(0.005)
    engine.close()


def test_edits_of_other_attributes_do_not_cross(store: Store) -> None:
    """Who is alone with an attribute never hears of their own changes."""
    engine = Engine(store, limits=Limits(quiet_seconds=0.01))
    live = engine.open(engine.create("ada", "line").docid)
    live.replace(doc_json(), {}, actor="ada")
    ann = TestFollower("ann")
    ann.join(live)
    live.apply(set_value("title", "title"), actor="ada", origin="bob")
    for value in range(5):
        live.apply(set_value(value), actor="ada", origin="ann")
    time.sleep(0.1)
    assert ann.values() == []
    engine.close()


def test_edits_long_ago_do_not_cross(store: Store) -> None:
    """After a while another's edit is forgotten, and nothing comes back."""
    engine = Engine(store, limits=Limits(crossing_seconds=0.0, quiet_seconds=0.01))
    live = engine.open(engine.create("ada", "line").docid)
    live.replace(doc_json(), {}, actor="ada")
    ann = TestFollower("ann")
    ann.join(live)
    live.apply(set_value(1), actor="ada", origin="bob")
    live.apply(set_value(2), actor="ada", origin="ann")
    time.sleep(0.1)
    assert ann.values() == [1]
    engine.close()


def test_crossing_streams_converge(live: LiveDocument) -> None:
    """Rows that cross are not sent back, for they would be there twice: the whole column is.

    Nobody but their sender pays for that.
    """
    ann, bob, viewer = TestFollower("ann"), TestFollower("bob"), TestFollower("viewer")
    ann.join(live)
    bob.join(live)
    viewer.join(live)
    live.apply(stream(10), actor="ada", origin="ann")
    live.apply(stream(20), actor="ada", origin="bob")
    first, last = events_until(bob, 2)
    assert first["kind"] == "ColumnsStreamed"
    assert dict(last["data"]["entries"])["x"] == column(live) == [1, 2, 10, 20]
    assert [event["kind"] for event in ann.take()] == ["ColumnsStreamed"]
    assert [event["kind"] for event in viewer.take()] == ["ColumnsStreamed"] * 2


# --- messages --------------------------------------------------------------------------


def message(name: str) -> dict[str, object]:
    """An event that is no change."""
    return {"kind": "MessageSent", "msg_type": "test", "msg_data": name}


def test_messages_are_relayed_and_not_stored(live: LiveDocument, store: Store) -> None:
    """A browser's message reaches scripts, a script's everybody; the log has neither."""
    browser, script = TestFollower("browser"), TestFollower("script", is_script=True)
    browser.join(live)
    script.join(live)
    patch = Patch([message("a")], {})
    assert live.apply(patch, actor="ada", origin="x", browser=True) == 1
    assert [event["msg_data"] for event in script.take()] == ["a"]
    assert browser.take() == []
    assert live.apply(Patch([message("b")], {}), actor="ada", origin="y") == 1
    assert [event["msg_data"] for event in script.take()] == ["b"]
    assert [event["msg_data"] for event in browser.take()] == ["b"]
    assert len(store.changes.after(live.docid, 0)) == 1


def test_a_message_beside_a_change_follows_it(live: LiveDocument) -> None:
    """A patch with both is stored without the message, which comes after the change."""
    bob = TestFollower("bob")
    bob.join(live)
    live.apply(Patch([message("a"), *set_value(4).events], {}), actor="ada", origin="x")
    assert [event["kind"] for event in bob.take()] == ["ModelChanged", "MessageSent"]


# --- idempotency -----------------------------------------------------------------------


def test_a_key_is_applied_once(live: LiveDocument, store: Store) -> None:
    """The second change of a key is answered like the first, and nothing happens."""
    assert live.apply(stream(9), actor="ada", key="k") == 2
    assert live.apply(stream(9), actor="ada", key="k") == 2
    assert column(live) == [1, 2, 9]
    assert len(store.changes.after(live.docid, 0)) == 2


def test_a_key_sent_many_times_at_once(live: LiveDocument) -> None:
    """Sixteen threads with one key make one change and get one answer."""
    answers: set[int] = set()
    run_together(
        lambda: answers.add(live.apply(stream(9), actor="ada", key="k")) for _ in range(16)
    )
    assert answers == {2}
    assert column(live) == [1, 2, 9]


def test_a_key_is_known_after_a_restart(live: LiveDocument, store: Store) -> None:
    """Another process, with or without a snapshot in between, still knows the key."""
    live.apply(stream(9), actor="ada", key="k")
    for _ in range(2):
        engine = Engine(store)
        again = engine.open(live.docid)
        assert again.apply(stream(9), actor="ada", key="k") == 2
        assert column(again) == [1, 2, 9]
        engine.close()  # writes a snapshot


def test_a_repeated_change_that_cannot_be_applied_again(live: LiveDocument, store: Store) -> None:
    """The first answer is given even when the change makes no sense a second time."""
    move = Patch([{"kind": "RootAdded", "model": slider("t")}], {})
    assert live.apply(move, actor="ada", key="k") == 2
    live.snapshot()
    engine = Engine(store)
    assert engine.open(live.docid).apply(move, actor="ada", key="k") == 2
    engine.close()


def slider(key: str) -> dict[str, object]:
    """A new slider."""
    return {"type": "object", "name": "Slider", "id": key, "attributes": {"start": 0, "end": 1}}


def test_others_write_while_a_key_is_looked_up(
    store: Store, live: LiveDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a patch that makes no sense was stored before is asked without the document's lock.

    One that changes nothing is logged with its key, so that it never has to be asked about.
    """
    asked, written, answered = threading.Event(), threading.Event(), []
    by_key = store.changes.by_key

    def slow(docid: str, key: str) -> ChangeRecord | None:
        asked.set()
        assert written.wait(20)
        answered.append(key)
        return by_key(docid, key)

    def refused() -> None:
        with pytest.raises(InvalidPatch):
            live.apply(Patch([{"kind": "nothing"}], {}), actor="ada", key="refused")
        assert live.apply(Patch([], {}), actor="ada", key="empty") == 3

    def write() -> None:
        assert asked.wait(20)
        assert live.apply(set_value(5), actor="ada") == 2
        written.set()

    monkeypatch.setattr(store.changes, "by_key", slow)
    run_together([refused, write])
    assert answered == ["refused"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", "\ud800"])
def test_keys_that_cannot_be_stored(live: LiveDocument, key: str) -> None:
    """A key that the database could not keep is the caller's fault."""
    with pytest.raises(BadRequest):
        live.apply(set_value(1), actor="ada", key=key)


# --- pulling and catching up -----------------------------------------------------------


def test_pulling_gives_what_is_committed(live: LiveDocument) -> None:
    """A pull is the document after its last change; the same revision is written once."""
    live.apply(set_value(42), actor="ada")
    pulled = live.pull()
    assert pulled.seq == 2
    doc = json.loads(list(frames_of(pulled.body.frames))[1])["doc"]
    assert [root["id"] for root in doc["roots"]] == ["p", "s"]
    assert doc["roots"][1]["attributes"]["value"] == 42
    assert live.pull().body is pulled.body
    live.apply(set_value(43), actor="ada")
    assert live.pull().body is not pulled.body


def test_joining_misses_nothing(live: LiveDocument) -> None:
    """Whoever joins while others write gets exactly the changes after what was pulled."""
    stop: list[bool] = []
    joined: list[tuple[int, TestFollower]] = []

    def write() -> None:
        value = 0
        while not stop:
            live.apply(set_value(value := value + 1), actor="ada")

    def join() -> None:
        for turn in range(30):
            follower = TestFollower(f"f{turn}")
            joined.append((follower.join(live), follower))
            time.sleep(0.002)
        stop.append(True)

    run_together([write, write, join])
    for seq, follower in joined:
        follower.take()
        assert follower.seqs == list(range(seq + 1, live.seq + 1))


def test_a_change_on_its_way_is_not_seen(
    live: LiveDocument, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull waits for the commit, so that what it shows cannot be taken back."""

    def fail(group: Sequence[NewChange]) -> list[Outcome]:
        time.sleep(0.2)
        raise StorageFull("store changes", "the disk is full")

    monkeypatch.setattr(live._committer, "_append", fail)
    seen: list[object] = []

    def write() -> None:
        with pytest.raises(StorageFull):
            live.apply(set_value(99), actor="ada")

    def look() -> None:
        time.sleep(0.05)
        seen.append(value_of(live))

    run_together([write, look])
    assert seen == [1]


def test_catching_up_gives_newest_values(live: LiveDocument) -> None:
    """One patch holds the last value of everything that changed, columns included."""
    seq = live.apply(set_value(1), actor="ada")
    for value in range(50):
        live.apply(set_value(value), actor="ada")
    live.apply(stream(5), actor="ada")
    late = TestFollower("late")
    data, cursor = live.resume(late, seq)
    assert data is not None
    events = {(event["model"]["id"], event["attr"]): event for event in events_of(data)}
    assert events["s", "value"]["new"] == 49
    assert dict(events["d", "data"]["data"]["entries"])["x"] == [1, 2, 5]
    assert len(events) == 2
    late.cursor = cursor
    live.apply(set_value(60), actor="ada")
    assert late.values() == [60]


def test_catching_up_over_new_roots_takes_a_pull(live: LiveDocument) -> None:
    """When the structure changed, values are not enough."""
    live.apply(Patch([{"kind": "RootAdded", "model": slider("t")}], {}), actor="ada")
    assert live.catch_up(1) is None
    assert live.catch_up(2) is not None


# --- when the database fails -----------------------------------------------------------


def test_a_failed_commit_fails_all_who_waited(
    live: LiveDocument, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every writer of a failed group hears of it, nobody saw anything, and it goes on after."""
    bob = TestFollower("bob")
    bob.join(live)
    append = store.changes.append
    broken = [True]

    def maybe(group: Sequence[NewChange]) -> list[Outcome]:
        time.sleep(0.02)
        if broken[0]:
            raise StorageUnavailable("store changes", "the database does not answer")
        return append(group)

    monkeypatch.setattr(live._committer, "_append", maybe)
    failed: list[str] = []

    def write(value: int) -> None:
        with pytest.raises(StorageUnavailable) as caught:
            live.apply(set_value(value), actor="ada")
        failed.append(caught.value.code)

    run_together(lambda value=value: write(value) for value in range(12))
    assert failed == ["unavailable"] * 12
    assert bob.take() == []
    assert value_of(live) == 1
    broken[0] = False
    assert live.apply(set_value(3), actor="ada") == 2
    assert bob.values() == [3]


def test_structure_that_was_not_stored_is_taken_back(
    live: LiveDocument, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the database: who was there reads on, and a viewer sees and gets what is stored."""
    bob = TestFollower("bob")
    bob.join(live)
    live.apply(set_value(2), actor="ada")
    before, other = live.content(), {"roots": [slider("t")], "title": "other"}

    def lost(*_: object) -> Any:
        raise StorageUnavailable("reach the database", "it is gone")

    events: list[dict[str, Any]] = [
        {"kind": "RootRemoved", "model": {"id": "p"}},
        {"kind": "RootAdded", "model": slider("t")},
        {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "tags", "new": [slider("u")]},
    ]
    with monkeypatch.context() as outage:
        outage.setattr(live._committer, "_append", lost)
        outage.setattr(store.documents, "get", lost)
        for event in events:
            with pytest.raises(StorageUnavailable):
                live.apply(Patch([event], {}), actor="ada")
            assert live.content() == before
        with pytest.raises(StorageUnavailable):
            live.replace(other, {}, actor="ada")
        assert (live.content(), live.plots()) == (before, ["p"])
    assert live.apply(Patch(events, {}), actor="ada") == 3
    assert bob.take()[1:] == events
    engine = Engine(store)
    assert engine.open(live.docid).content() == live.content()
    engine.close()


def test_an_unexpected_failure_is_a_fault_of_the_server(
    live: LiveDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug below does not hang writers: they hear that the server failed."""
    monkeypatch.setattr(live._committer, "_append", lambda group: 1 / 0)
    with pytest.raises(Exception, match="ZeroDivisionError") as caught:
        live.apply(set_value(3), actor="ada")
    assert caught.value.status == 503  # type: ignore[attr-defined]


def test_a_commit_whose_answer_was_lost(
    live: LiveDocument, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that is stored though its writer heard of a failure reaches the followers."""
    bob = TestFollower("bob")
    bob.join(live)
    append = store.changes.append

    def lose(group: Sequence[NewChange]) -> list[Outcome]:
        append(group)
        raise StorageUnavailable("store changes", "the connection broke")

    with monkeypatch.context() as patched:
        patched.setattr(live._committer, "_append", lose)
        with pytest.raises(StorageUnavailable):
            live.apply(stream(8), actor="ada", key="k")
    assert live.apply(stream(8), actor="ada", key="k") == 2
    assert column(live) == [1, 2, 8]
    assert [event["kind"] for event in bob.take()] == ["ColumnsStreamed"]


# --- several processes -----------------------------------------------------------------


def test_two_engines_share_a_document(database_url: str) -> None:
    """Writers in two processes lose nothing; followers of both see every change in order."""
    stores = [Store.open(database_url), Store.open(database_url)]
    engines = [Engine(store) for store in stores]
    live = engines[0].open(engines[0].create("ada", "line").docid)
    live.replace(doc_json(), {}, actor="ada")
    other = engines[1].open(live.docid)
    ann, bob = TestFollower("ann"), TestFollower("bob")
    ann.join(live)
    bob.join(other)

    def write(document: LiveDocument, start: int) -> None:
        for turn in range(20):
            document.apply(stream(start + turn), actor="ada")

    run_together([lambda: write(live, 100), lambda: write(other, 200), lambda: write(other, 300)])
    live.follow_log()
    other.follow_log()
    assert live.seq == other.seq == 61
    assert column(live) == column(other)
    assert sorted(column(live)[2:]) == [s + t for s in (100, 200, 300) for t in range(20)]  # type: ignore[index]
    for follower in (ann, bob):
        follower.take()
        assert follower.seqs == list(range(2, 62))
    for engine, store in zip(engines, stores, strict=True):
        engine.close()
        store.close()


def test_a_snapshot_of_another_process_hides_the_changes(live: LiveDocument, store: Store) -> None:
    """When what was missed is no longer in reach, followers are told to pull again."""
    ann = TestFollower("ann")
    ann.join(live)
    engine = Engine(store)
    other = engine.open(live.docid)
    for value in range(5):
        other.apply(set_value(value), actor="ada")
    engine.close()  # writes a snapshot
    assert store.changes.forget(live.docid, 6) == 6
    live.apply(set_value(50), actor="ada")
    assert ann.take()[0] == "pull"
    assert value_of(live) == 50
    assert live.seq == 7


# --- titles, deletion, models ----------------------------------------------------------


def test_renaming_is_a_change(live: LiveDocument, engine: Engine) -> None:
    """A rename is in the log, followers hear of it, and the document is found by it."""
    bob = TestFollower("bob")
    bob.join(live)
    assert engine.rename(live.docid, "curve").title == "curve"
    assert [event["title"] for event in bob.take()] == ["curve"]
    assert engine.find("ada", "line") is None
    assert engine.rename(live.docid, "curve").seq == 3


def test_a_title_that_is_taken(live: LiveDocument, engine: Engine) -> None:
    """A rename to a taken title changes nothing, in memory neither."""
    engine.create("ada", "other")
    bob = TestFollower("bob")
    bob.join(live)
    with pytest.raises(TitleTaken):
        engine.rename(live.docid, "other")
    with pytest.raises(BadRequest):
        engine.rename(live.docid, "")
    assert bob.take() == []
    assert engine.require(live.docid).title == "line"
    assert live.apply(set_value(3), actor="ada") == 2


def test_the_title_of_the_page_is_another(live: LiveDocument, engine: Engine) -> None:
    """A patch that changes Bokeh's title does not rename the stored document."""
    patch = Patch([{"kind": "TitleChanged", "title": "My page"}], {})
    assert live.apply(patch, actor="ada") == 2
    record = engine.get(live.docid)
    assert record is not None
    assert record.title == "line"


def test_a_deleted_document_lets_its_followers_go(live: LiveDocument, engine: Engine) -> None:
    """Followers are closed with 4004, and whoever still holds the document can do nothing."""
    bob = TestFollower("bob")
    bob.join(live)
    engine.delete(live.docid)
    assert bob.take() == [("closed", 4004)]
    for action in (lambda: live.apply(set_value(1), actor="ada"), live.pull, live.roots):
        with pytest.raises(UnknownDocument):
            action()
    with pytest.raises(UnknownDocument):
        engine.open(live.docid)
    with pytest.raises(UnknownDocument):
        engine.delete(live.docid)


def test_deleted_by_another_process(live: LiveDocument, store: Store) -> None:
    """A document whose row is gone is unknown to its writers from then on."""
    bob = TestFollower("bob")
    bob.join(live)
    store.documents.delete(live.docid)
    for _ in range(2):
        with pytest.raises(UnknownDocument):
            live.apply(set_value(1), actor="ada")
    with pytest.raises(UnknownDocument):
        live.pull()
    assert bob.take() == [("closed", 4004)]


def test_models_are_found(live: LiveDocument) -> None:
    """Models are found by id, name and type, and successors by what was there before."""
    assert live.roots() == ["p", "s"]
    assert live.plots() == ["p"]
    assert live.find("plot") == "p"
    assert live.find("nothing") is None
    assert [model["id"] for model in live.models("Slider")] == ["s"]
    assert len(live.models()) > 10
    assert live.referrers("d")
    assert live.place("s").root == 1
    assert live.collect() == []
    for ask in (live.model_json, live.resolve, live.place):
        with pytest.raises(UnknownModel):
            ask("nothing")  # type: ignore[operator]


def test_a_replaced_plot_is_still_found(live: LiveDocument, store: Store) -> None:
    """The address of a plot that a later run replaced leads to its successor, restarted or not."""
    assert live.resolve("p") == "p"
    new: Any = json.loads(json.dumps(doc_json()).replace('"p"', '"q"').replace('"s"', '"t"'))
    live.replace(new, {}, actor="ada")
    assert live.resolve("p") == "q"
    for _ in range(2):
        engine = Engine(store)
        assert engine.open(live.docid).resolve("p") == "q"
        engine.close()
