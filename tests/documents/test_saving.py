"""Snapshots in a real database: what they hold, whoever writes them and whatever goes wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select

from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.documents.loading import apply_record, changes_after, load_at
from bokeh_server.documents.saving import Saver
from bokeh_server.errors import InvalidPatch, StorageFull
from bokeh_server.protocol import Patch, WireDocument, pack
from bokeh_server.storage import NewChange, Store
from bokeh_server.storage.tables import Blob
from support.documents import doc_json, set_value
from support.growth import ROWS, edits, large_document, patch_of

WHO = st.integers(0, 1)
FUTURE = datetime.now(UTC) + timedelta(days=1)


class Process:
    """One of the processes that write snapshots: its memory of the document, and its saver."""

    def __init__(self, store: Store, docid: str) -> None:
        self.store, self.docid = store, docid
        self.restart()

    def restart(self) -> None:
        """Forget everything, as a process that was killed."""
        loaded = load_at(self.store, self.docid, 2**60)
        self.wire, self.seq, self.saver = loaded.wire, loaded.seq, Saver(self.store, self.docid)
        self.follow()

    def follow(self) -> None:
        """Take in what is in the log."""
        for record in changes_after(self.store, self.docid, self.seq):
            apply_record(self.wire, record)
            self.seq = record.seq

    def save(self) -> int | None:
        """Write a snapshot of its memory, which may be behind."""
        return self.saver.save(lambda known, whole: (self.seq, self.wire.draft(known, whole=whole)))


class SavingMachine(RuleBasedStateMachine):
    """Two processes on one document; the model is a list of what it was after each change."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.store = Store.open(url)
        self.docid = self.store.documents.create("ada", f"large {uuid4()}").docid
        self.truth = WireDocument.empty()
        self.states = [self.truth.state()]
        self.append(
            Patch([{"kind": "DocumentReplaced", "doc": large_document()[0]}], large_document()[1])
        )
        self.processes = [Process(self.store, self.docid), Process(self.store, self.docid)]

    def append(self, patch: Patch) -> None:
        """Put a change into the log."""
        with contextlib.suppress(InvalidPatch):
            seq = len(self.states)
            applied = self.truth.apply(patch, seq=seq)
            body = pack(applied.events, applied.buffers)
            self.store.changes.append([NewChange(self.docid, seq, "ada", body)])
            self.states.append(self.truth.state())

    @rule(edit=edits)
    def changes(self, edit: tuple[str, int, Any]) -> None:
        """Somebody changes the document."""
        self.append(patch_of(edit))

    @rule(who=WHO)
    def follows(self, who: int) -> None:
        """A process takes in what was changed."""
        self.processes[who].follow()

    @rule(who=WHO)
    def saves(self, who: int) -> None:
        """A process writes a snapshot."""
        self.processes[who].save()

    @rule(who=WHO, where=st.sampled_from(["stage", "write"]))
    def fails(self, who: int, where: str) -> None:
        """A process has no room for its snapshot, before or after it staged the bytes."""

        def full(*_args: object, **_rest: object) -> bool:
            raise StorageFull("write a snapshot", "the disk is full")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(self.store.snapshots, where, full)
            with contextlib.suppress(StorageFull):
                self.processes[who].save()

    @rule(who=WHO)
    def is_killed(self, who: int) -> None:
        """A process starts again."""
        self.processes[who].restart()

    @rule(keep=st.integers(0, 5), steps=st.integers(1, 3))
    def compacts(self, keep: int, steps: int) -> None:
        """What is too old is deleted, or compaction stops in between."""
        base = self.store.snapshots.retire(self.docid, len(self.states) - keep, FUTURE)
        if steps > 1:
            self.store.changes.forget(self.docid, base, 2)
        if steps > 2:
            self.store.snapshots.sweep(self.docid, 5)

    @invariant()
    def every_kept_revision_is_what_it_was(self) -> None:
        """From the oldest on, by the snapshot before it and the changes after that."""
        for seq in range(self.store.snapshots.oldest(self.docid), len(self.states)):
            loaded = load_at(self.store, self.docid, seq)
            for record in changes_after(self.store, self.docid, loaded.seq):
                if record.seq <= seq:
                    apply_record(loaded.wire, record)
            assert loaded.wire.content() == WireDocument.from_state(*self.states[seq]).content()

    def teardown(self) -> None:
        """Nothing is left of a document that is deleted."""
        self.store.documents.delete(self.docid)
        assert count(self.store, self.docid) == 0
        self.store.close()


def count(store: Store, docid: str) -> int:
    """How many blobs a document has."""
    with store.database.read("count") as connection:
        query = select(func.count()).select_from(Blob).where(Blob.docid == docid)
        return int(connection.execute(query).scalar_one())


def test_snapshots_by_two_processes(database_url: str) -> None:
    """Whatever fails, is killed or deleted meanwhile, kept revisions are what they were."""
    run_state_machine_as_test(
        lambda: SavingMachine(database_url),
        settings=settings(max_examples=8, stateful_step_count=15, deadline=None),
    )


@pytest.fixture
def large(store: Store) -> Iterator[LiveDocument]:
    """A live document with large arrays, of which there is a snapshot."""
    engine = Engine(store)
    live = engine.open(engine.create("ada", "large").docid)
    live.replace(*large_document(), actor="ada")
    live.apply(patch_of(("stream", 1, None)), actor="ada")
    assert live.snapshot()
    yield live
    engine.close()


def test_a_point_more_stages_little(
    large: LiveDocument, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The array and the list are not written again, but for their last chunks."""
    staged: list[int] = []
    stage = store.snapshots.stage

    def counting(docid: str, blobs: Any) -> bool:
        found = list(blobs)
        staged.append(sum(len(body) for _, body in found))
        return stage(docid, found)

    monkeypatch.setattr(store.snapshots, "stage", counting)
    for _ in range(3):
        large.apply(patch_of(("stream", 1, ROWS)), actor="ada")
        assert large.snapshot()
    assert max(staged) < 150_000
    assert not large.snapshot()


def test_a_snapshot_goes_on_beside_writers(large: LiveDocument, store: Store) -> None:
    """A change that comes while a snapshot is written is not part of it, and not lost."""
    write, seq = store.snapshots.write, large.seq

    def while_somebody_writes(docid: str, number: int, **parts: Any) -> bool:
        large.apply(patch_of(("stream", 1, None)), actor="ada")
        return write(docid, number, **parts)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store.snapshots, "write", while_somebody_writes)
        large.apply(patch_of(("title", 1, None)), actor="ada")
        assert large.snapshot()
    assert large.seq == seq + 2
    newest = store.snapshots.latest(large.docid)
    assert newest is not None
    assert newest.seq == seq + 1
    assert large.snapshot()
    assert load_at(store, large.docid, seq + 2).wire.content() == large.content()[1:]


def test_a_document_of_the_first_release_is_read(store: Store) -> None:
    """A snapshot that is one whole is read, and the next one is in parts."""
    wire = WireDocument.from_json(doc_json(), {})
    body = pack(*wire.state())
    docid = store.documents.create("ada", "old").docid
    store.changes.append([NewChange(docid, 1, "ada", pack(b'{"events":[]}', {}))])
    digest = sha256(body).digest()
    store.snapshots.stage(docid, [(digest, body)])
    store.snapshots.write(docid, 1, base=0, added={sha256(b"whole").digest(): digest})
    engine = Engine(store)
    live = engine.open(docid)
    assert live.content()[1:] == wire.content()
    live.apply(set_value(7), actor="ada")
    assert live.snapshot()
    assert len(store.snapshots.index(docid)[1]) == len(wire.models) + 2
    engine.close()
    assert load_at(store, docid, 2).wire.model_json("s")["attributes"]["value"] == 7
