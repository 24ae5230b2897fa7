"""Documents in memory: opening, leaving, snapshots, hints."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from bokeh_server.channels import MemoryBroker
from bokeh_server.documents import Engine, Limits, LiveDocument
from bokeh_server.errors import (
    ServerFault,
    StorageFull,
    StorageUnavailable,
    TitleTaken,
    UnknownDocument,
    UnknownRevision,
)
from bokeh_server.protocol import Patch
from bokeh_server.storage import Snapshot, Store
from bokeh_server.storage.tables import Blob, Change, Document
from support.documents import TestFollower, doc_json, run_together, set_value, stream

NO_WATCH = Limits(watch_seconds=3600)
QUICK = Limits(idle_seconds=0.05, housekeeping_seconds=0.02)


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)


def made(engine: Engine) -> LiveDocument:
    """A document with content."""
    document = engine.open(engine.create("ada", "line").docid)
    document.replace(doc_json(), {}, actor="ada")
    return document


def test_constructing_starts_no_thread(store: Store) -> None:
    """Threads come with the first document, so that a server may fork before."""
    before = threading.enumerate()
    engine = Engine(store)
    engine.create("ada", "line")
    engine.list("ada")
    assert threading.enumerate() == before
    engine.close()


def test_documents_are_created_found_and_listed(engine: Engine) -> None:
    """The engine gives what the store has."""
    record = engine.create("ada", "line")
    assert engine.find("ada", "line") == record
    assert engine.get(record.docid) == record
    assert engine.list("ada") == engine.list() == [record]
    assert engine.publish(record.docid, True).published
    with pytest.raises(TitleTaken):
        engine.create("ada", "line")


@pytest.mark.parametrize("docid", ["", "none", "../../x", "a\0b", "\ud800", "x" * 10_000])
def test_a_document_that_is_not_there(engine: Engine, docid: str) -> None:
    """Whatever is asked for, an unknown document is unknown; no memory is kept of it."""
    with pytest.raises(UnknownDocument):
        engine.open(docid)
    for action in (engine.delete, lambda d: engine.publish(d, True)):
        with pytest.raises(UnknownDocument):
            action(docid)
    assert engine.viewers(docid) == 0
    gc.collect()
    assert not engine._known


def test_a_document_is_loaded_once(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty who open a document at once get the same one, read once."""
    other = Engine(store)
    docid = made(other).docid
    other.close()
    reads: list[str] = []
    latest = store.snapshots.latest

    def slow(docid: str) -> object:
        reads.append(docid)
        time.sleep(0.05)
        return latest(docid)

    monkeypatch.setattr(store.snapshots, "latest", slow)
    opened: list[LiveDocument] = []
    run_together(lambda: opened.append(engine.open(docid)) for _ in range(20))
    assert len(set(map(id, opened))) == 1
    assert reads == [docid]


def test_an_idle_document_leaves_memory(store: Store) -> None:
    """Nobody uses it: a snapshot is written and it goes; whoever holds it finds it again."""
    engine = Engine(store, limits=QUICK)
    live = made(engine)
    live.apply(set_value(5), actor="ada")
    wait_for(lambda: not engine._in_memory())
    snapshot = store.snapshots.latest(live.docid)
    assert snapshot is not None
    assert snapshot.seq == 2
    assert live._wire is None
    assert live.apply(set_value(6), actor="ada") == 3
    assert engine.open(live.docid) is live
    engine.close()


def test_a_followed_document_stays(store: Store) -> None:
    """While somebody follows, a document stays in memory."""
    engine = Engine(store, limits=QUICK)
    live = made(engine)
    bob = TestFollower("bob")
    bob.join(live)
    time.sleep(0.3)
    assert list(engine._in_memory()) == [live]
    assert bob.cursor is not None
    live.channel.unfollow(bob.cursor)
    wait_for(lambda: not engine._in_memory())
    engine.close()


def test_leaving_memory_loses_no_change(store: Store) -> None:
    """Writers and the housekeeper that takes their document away at every chance lose nothing."""
    engine = Engine(store, limits=Limits(idle_seconds=0.0, housekeeping_seconds=0.001))
    docid = made(engine).docid

    def write(start: int) -> None:
        for turn in range(30):
            engine.open(docid).apply(stream(start + turn), actor="ada")
            time.sleep(0.001)

    run_together(lambda start=start: write(start) for start in (100, 200, 300, 400))
    entries = engine.open(docid).model_json("d")["attributes"]["data"]["entries"]
    rows = dict(entries)["x"][2:]
    assert sorted(rows) == [start + turn for start in (100, 200, 300, 400) for turn in range(30)]
    assert [r.seq for r in store.changes.after(docid, 0)] == list(range(1, 122))
    engine.close()


def test_snapshots_are_written_as_the_log_grows(store: Store) -> None:
    """After so many changes a snapshot appears by itself, and old changes go."""
    limits = Limits(snapshot_changes=20, keep_changes=5, keep_time=timedelta(0), compact_seconds=0)
    engine = Engine(store, limits=limits)
    live = made(engine)
    for value in range(60):
        live.apply(set_value(value), actor="ada")
        time.sleep(0.005)  # time for a snapshot while changes come
    wait_for(lambda: (snapshot := store.snapshots.latest(live.docid)) and snapshot.seq >= 20)
    wait_for(lambda: store.changes.after(live.docid, 0, 1)[0].seq > 10)
    assert len(store.changes.after(live.docid, 0)) >= 5
    engine.close()
    again = Engine(store)
    assert again.open(live.docid).seq == 61
    assert again.open(live.docid).model_json("s")["attributes"]["value"] == 59
    again.close()


def test_recent_changes_are_kept(store: Store) -> None:
    """Neither the last so many nor those of the last days go: whichever is more stays."""
    limits = Limits(snapshot_changes=10, keep_changes=5, compact_seconds=0)
    engine = Engine(store, limits=limits)
    live = made(engine)
    for value in range(40):
        live.apply(set_value(value), actor="ada")
    wait_for(lambda: store.snapshots.latest(live.docid))
    engine._housekeeper._compact(live)
    assert len(store.changes.after(live.docid, 0)) == 41
    engine.close()


def test_compaction_amid_loading(ready_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes that go after the snapshot was read, and before they were, are not left out."""
    limits = Limits(keep_changes=0, keep_time=timedelta(0), compact_seconds=0)
    with closing(Store.open(ready_url)) as store, closing(Store.open(ready_url)) as other:
        here, there = Engine(store, limits=limits), Engine(other)
        live = made(here)
        live.snapshot()
        read = other.snapshots.latest

        def amid(docid: str) -> Snapshot | None:
            monkeypatch.undo()
            found = read(docid)
            live.apply(stream(5), actor="ada")
            live.snapshot()
            here._housekeeper._compact(live)
            live.apply(stream(6), actor="ada")
            return found

        monkeypatch.setattr(other.snapshots, "latest", amid)
        opened = there.open(live.docid)
        assert (opened.seq, opened.content()[1:]) == (3, live.content()[1:])
        there.close()
        here.close()


def test_a_database_that_lost_changes(store: Store) -> None:
    """It was restored from a backup: writers go on from there, and followers pull again."""
    with closing(Engine(store, limits=NO_WATCH)) as engine:
        live = made(engine)
        for value in range(10, 16):
            live.apply(set_value(value), actor="ada", key=str(value))
        bob = TestFollower("bob")
        bob.join(live)
        go_back(store, live.docid, 4)
        assert live.apply(stream(5), actor="ada", key="new") == 5
        assert bob.take() == [("closed", 4001)]
        assert live.model_json("s")["attributes"]["value"] == 12
        assert live.apply(set_value(15), actor="ada", key="15") == 6
        bob.join(live)
        assert live.apply(set_value(20), actor="ada") == 7
        assert bob.values() == [20]
        with closing(Engine(store)) as again:
            assert again.open(live.docid).content() == live.content()


def test_who_only_reads_hears_that_the_database_lost_changes(store: Store) -> None:
    """Followers and revisions of a server that nobody writes to are right a moment later."""
    with closing(Engine(store, limits=Limits(watch_seconds=0.05))) as engine:
        live = made(engine)
        for value in range(10, 16):
            live.apply(set_value(value), actor="ada")
        assert engine.revision(live.docid, 5).model_json("s")["attributes"]["value"] == 13
        bob = TestFollower("bob")
        bob.join(live)
        go_back(store, live.docid, 4)
        wait_for(lambda: bob.take() == [("closed", 4001)])
        assert bob.join(live) == 4
        with pytest.raises(UnknownRevision):
            engine.revision(live.docid, 5)
        assert live.apply(set_value(20), actor="ada") == 5
        assert engine.revision(live.docid, 5).model_json("s")["attributes"]["value"] == 20


def go_back(store: Store, docid: str, seq: int) -> None:
    """Have the database be as it was after a change."""
    with store.database.write("go back") as connection:
        connection.execute(delete(Change).where(Change.docid == docid, Change.seq > seq))
        connection.execute(update(Document).where(Document.id == docid).values(seq=seq))


@pytest.mark.parametrize("more", [0, 3])
def test_a_document_that_is_made_again_is_another(store: Store, more: int) -> None:
    """Another process deletes it and imports one under its id: the two are never mixed."""
    with closing(Engine(store, limits=NO_WATCH)) as here, closing(Engine(store)) as there:
        live = made(here)
        live.apply(set_value(1), actor="ada")
        live.snapshot()
        made_again(there, live.docid, more)
        with pytest.raises(UnknownDocument):
            live.apply(stream(9), actor="ada")
        assert live.apply(stream(9), actor="ada") == 3 + more
        live.snapshot()
        with closing(Engine(store)) as again:
            assert again.open(live.docid).content() == live.content()


@pytest.mark.parametrize("more", [0, 3])
def test_followers_of_a_document_that_is_made_again(store: Store, more: int) -> None:
    """They pull the new one, whether it has more changes or not."""
    limits = Limits(watch_seconds=0.05)
    with closing(Engine(store, limits=limits)) as here, closing(Engine(store)) as there:
        live = made(here)
        live.apply(set_value(1), actor="ada")
        bob = TestFollower("bob")
        bob.join(live)
        new = made_again(there, live.docid, more)
        wait_for(lambda: bob.take())
        assert bob.got in ([("closed", 4001)], [("closed", 4004)])
        wait_for(lambda: here.open(live.docid).seq == new.seq)
        assert here.open(live.docid).content() == new.content()


def made_again(engine: Engine, docid: str, more: int) -> LiveDocument:
    """Delete a document, and import another under its id."""
    engine.delete(docid)
    new = engine.open(engine.create("ada", "line", docid).docid)
    new.replace(doc_json(), {}, actor="ada")
    for value in range(50, 51 + more):
        new.apply(set_value(value), actor="ada")
    return new


def test_a_log_that_lacks_changes_is_damaged(store: Store) -> None:
    """It is said, and not opened without them."""
    with closing(Engine(store)) as engine:
        live = made(engine)
        for value in range(4):
            live.apply(set_value(value), actor="ada")
        with store.database.write("damage") as connection:
            connection.exec_driver_sql("DELETE FROM change WHERE seq = 3")
        with closing(Engine(store)) as again, pytest.raises(ServerFault, match="missing"):
            again.open(live.docid)


def test_what_need_not_be_kept_goes_though_nobody_opens_it(store: Store) -> None:
    """A server was killed: what it left of a document, another drops while it does other things.

    That are changes that no snapshot holds, and bytes that were staged for one.
    """
    killed = Engine(store, limits=NO_WATCH)
    live = made(killed)
    for value in range(20):
        live.apply(set_value(value), actor="ada")
    content = live.content()
    store.snapshots.stage(live.docid, [(b"x" * 32, b"left over")])
    killed._housekeeper.close()
    killed._follower.close()
    killed._committer.close()
    limits = Limits(
        keep_changes=0, keep_time=timedelta(0), housekeeping_seconds=0.02, tend_seconds=0.02
    )
    with closing(Engine(store, limits=limits)) as engine:
        other = engine.create("ada", "other")
        assert engine.identity(other.docid) is not None
        wait_for(lambda: not store.changes.after(live.docid, 0))
        wait_for(lambda: blobs(store, b"x" * 32) == 0)
        assert engine.open(live.docid).content() == content


def blobs(store: Store, digest: bytes) -> int:
    """How many documents have these bytes."""
    with store.database.read("look") as connection:
        query = select(func.count()).where(Blob.digest == digest)
        return int(connection.execute(query).scalar_one())


def test_a_snapshot_that_cannot_be_written(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk costs the snapshot only: it is tried again later, not at every change."""
    tries: list[int] = []

    def full(docid: str, seq: int, **_parts: object) -> bool:
        tries.append(seq)
        raise StorageFull("write a snapshot", "the disk is full")

    engine = Engine(store, limits=Limits(snapshot_changes=5))
    live = made(engine)
    with monkeypatch.context() as patched:
        patched.setattr(store.snapshots, "write", full)
        for value in range(30):
            live.apply(set_value(value), actor="ada")
        wait_for(lambda: tries)
        time.sleep(0.05)
    assert len(tries) == 1
    assert "disk is full" in caplog.text
    engine.close()
    assert store.snapshots.latest(live.docid) is not None


def test_closing_writes_what_waits(store: Store) -> None:
    """Changes that wait when the server stops are stored; later ones are refused."""
    engine = Engine(store)
    live = made(engine)
    answers: list[object] = []

    def write() -> None:
        for _ in range(1000):
            try:
                answers.append(live.apply(set_value(1), actor="ada"))
            except StorageUnavailable as error:
                answers.append(error.code)
                return

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    time.sleep(0.1)
    engine.close()
    for writer in writers:
        writer.join(20)
    stored = [answer for answer in answers if answer != "unavailable"]
    assert sorted(stored) == list(range(2, len(stored) + 2))
    assert len(store.changes.after(live.docid, 1)) == len(stored)


def test_followers_wait_for_no_snapshot(ready_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process writes is shown while a large snapshot is on its way to the disk."""
    with closing(Store.open(ready_url)) as store, closing(Store.open(ready_url)) as other:
        here, there = Engine(store), Engine(other, limits=Limits(snapshot_changes=2))
        live, busy = made(here), there.open(there.create("ada", "busy").docid)
        bob, begun, ended = TestFollower("bob"), threading.Event(), threading.Event()
        bob.join(there.open(live.docid))

        def slow(*_: object) -> bool:
            begun.set()
            return not ended.wait(20)

        monkeypatch.setattr(other.snapshots, "stage", slow)
        busy.replace(doc_json(), {}, actor="ada")
        busy.apply(set_value(5), actor="ada")
        assert begun.wait(20)
        live.apply(set_value(9), actor="ada")
        there._heard(live.docid, live.seq)
        wait_for(lambda: bob.values() == [9])
        assert not ended.is_set()
        ended.set()
        there.close()
        here.close()


def test_one_document_that_is_held_keeps_up_no_other(ready_url: str) -> None:
    """The others follow the log meanwhile, and it does when it is free again."""
    with closing(Store.open(ready_url)) as store, closing(Store.open(ready_url)) as other:
        here, there = Engine(store), Engine(other)
        first, second = (here.open(here.create("ada", title).docid) for title in "ab")
        held = there.open(first.docid)
        ann, bob = TestFollower("ann"), TestFollower("bob")
        ann.join(held)
        bob.join(there.open(second.docid))
        with Holding(held):
            for live in (first, second):
                live.replace(doc_json(), {}, actor="ada")
                there._heard(live.docid, 1)
            wait_for(bob.take)
            assert ann.take() == []
        wait_for(ann.take)
        there.close()
        here.close()


class Holding:
    """Another thread holds a document."""

    def __init__(self, document: LiveDocument) -> None:
        self._held, self._free = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, args=[document])

    def _hold(self, document: LiveDocument) -> None:
        with document._lock:
            self._held.set()
            self._free.wait(20)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._held.wait(20)

    def __exit__(self, *_: object) -> None:
        self._free.set()
        self._thread.join()


def test_a_script_that_follows_is_no_viewer_and_keeps_the_document(engine: Engine) -> None:
    """It is not counted; the document stays in memory for it as it does for a browser."""
    live = made(engine)
    script = TestFollower("script", is_script=True)
    script.join(live)
    assert engine.viewers(live.docid) == 0
    assert live.idle_since is None


def test_watchers_hear_everything(engine: Engine) -> None:
    """Creating, changing, viewers, rights and deleting are told, until unsubscribed."""
    heard: list[tuple[str, str]] = []
    stop = engine.watch(lambda docid, what: heard.append((docid, what)))
    engine.watch(lambda docid, what: 1 / 0)
    live = made(engine)
    bob = TestFollower("bob")
    bob.join(live)
    assert engine.viewers(live.docid) == 1
    engine.publish(live.docid, True)
    engine.delete(live.docid)
    assert {docid for docid, _ in heard} == {live.docid}
    whats = [what for _, what in heard]
    assert whats == ["created", "changed", "viewers", "rights", "deleted"]
    stop()
    engine.create("ada", "other")
    assert len(heard) == 5


def test_the_number_of_plots_whoever_changes_them(store: Store) -> None:
    """It is right in the list of documents, though another process added what this one removes."""
    here, there = Engine(store), Engine(store)
    live = here.open(here.create("ada", "line").docid)
    other = there.open(live.docid)
    live.replace(doc_json(), {}, actor="ada")
    assert here.require(live.docid).plots == 1
    other.hear(1)
    other.follow_log()
    gone = Patch([{"kind": "RootRemoved", "model": {"id": "p"}}], {})
    assert other.apply(gone, actor="ada") == 2
    assert here.require(live.docid).plots == len(other.plots()) == 0
    there.close()
    here.close()


def test_hints_reach_other_engines(store: Store) -> None:
    """Through a broker the followers of one process hear of another's changes at once."""
    broker = MemoryBroker()
    here, there = Engine(store, broker=broker), Engine(store, broker=broker)
    live = made(here)
    bob = TestFollower("bob")
    bob.join(there.open(live.docid))
    for value in range(10):
        live.apply(set_value(value), actor="ada")
    wait_for(lambda: bob.take() and bob.seqs[-1] == 11)
    assert bob.seqs == list(range(2, 12))
    here.delete(live.docid)
    wait_for(lambda: bob.take() == [("closed", 4004)])
    here.close()
    there.close()


def test_a_deleted_id_may_come_back(engine: Engine) -> None:
    """A document that is imported again under its old id is a new one."""
    live = made(engine)
    engine.delete(live.docid)
    engine.create("ada", "line", live.docid)
    again = engine.open(live.docid)
    assert again is not live
    assert again.seq == 0
    patch = Patch([{"kind": "TitleChanged", "title": "T"}], {})
    assert again.apply(patch, actor="ada") == 1


def test_a_forked_child_has_an_engine_of_its_own(store: Store) -> None:
    """Children forked before or after the first change write on, and nothing is lost."""
    program = f"""
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from support.documents import doc_json, stream
from bokeh_server.documents import Engine
from bokeh_server.storage import Store
engine = Engine(Store.open({store.database.url.render_as_string()!r}))
docid = engine.create("ada", "line").docid

def in_child():
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        return
    for value in range(5):
        engine.open(docid).apply(stream(value), actor="child")
    engine.close()
    os._exit(0)

engine.open(docid).replace(doc_json(), {{}}, actor="parent")
in_child()
for value in range(5):
    engine.open(docid).apply(stream(value), actor="parent")
in_child()
engine.open(docid).follow_log()
print(engine.open(docid).seq)
engine.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""},
    )
    assert done.stdout == "16\n", done.stderr


def test_what_another_process_does_is_seen_without_a_broker(store: Store) -> None:
    """Followers get the changes that another server makes, and leave what it deletes."""
    limits = Limits(watch_seconds=0.05)
    here, there = Engine(store, limits=limits), Engine(store, limits=limits)
    document = made(here)
    viewer = TestFollower("viewer")
    viewer.join(document)
    there.open(document.docid).apply(set_value(7), actor="ada")
    wait_for(lambda: viewer.values() == [7])
    there.delete(document.docid)
    wait_for(lambda: viewer.take() == [("closed", 4004)])
    assert document.deleted
    here.close()
    there.close()


def test_watching_the_log_leaves_a_writer_of_our_own_alone(store: Store) -> None:
    """Changes of this process are not read again from the log while they are written."""
    engine = Engine(store, limits=Limits(watch_seconds=0.005))
    document = made(engine)
    viewer = TestFollower("viewer")
    viewer.join(document)
    run_together(
        lambda worker=worker: [
            document.apply(set_value(turn), actor="ada", origin=str(worker)) for turn in range(50)
        ]
        for worker in range(8)
    )
    assert len(viewer.values()) == 400
    assert document.seq == 401
    engine.close()
