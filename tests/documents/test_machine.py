"""Any order of writing, failing, restarting and leaving memory, against a simple model."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.errors import InvalidPatch, StorageUnavailable
from bokeh_server.protocol import Patch
from bokeh_server.storage import NewChange, Outcome, Store
from support.documents import TestFollower, doc_json, set_value, stream

WHO = st.integers(0, 1)
KEYS = st.sampled_from([None, "a", "b", "c"])


class EngineMachine(RuleBasedStateMachine):
    """Two engines on one database; the model is a list of rows, a value and the answers by key."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.store = Store.open(url)
        self.engines = [Engine(self.store), Engine(self.store)]
        self.docid = self.engines[0].create("ada", f"line {uuid4()}").docid
        self.at(0).replace(doc_json(), {}, actor="ada")
        self.rows: list[float] = [1, 2]
        self.value: object = 1
        self.seq = 1
        self.answers: dict[str, int] = {}
        self.follower = TestFollower("follower")
        self.follower.join(self.at(0))

    def at(self, which: int) -> LiveDocument:
        """The document in one of the engines."""
        return self.engines[which].open(self.docid)

    def expect(self, key: str | None) -> tuple[int, bool]:
        """The answer to the next change, and whether it is new."""
        if key in self.answers:
            return self.answers[key or ""], False
        self.seq += 1
        if key is not None:
            self.answers[key] = self.seq
        return self.seq, True

    @rule(which=WHO, key=KEYS, x=st.integers(0, 100))
    def streams(self, which: int, key: str | None, x: int) -> None:
        """Append a row."""
        answer, new = self.expect(key)
        assert self.at(which).apply(stream(x), actor="ada", key=key) == answer
        self.rows += [x] if new else []

    @rule(which=WHO, key=KEYS, value=st.integers(0, 100))
    def sets(self, which: int, key: str | None, value: int) -> None:
        """Set the slider."""
        answer, new = self.expect(key)
        assert self.at(which).apply(set_value(value), actor="ada", key=key) == answer
        self.value = value if new else self.value

    @rule(which=WHO)
    def errs(self, which: int) -> None:
        """Send a patch of which the second half is wrong."""
        wrong = {"kind": "RootRemoved", "model": {"id": "never"}}
        with pytest.raises(InvalidPatch):
            self.at(which).apply(Patch([*stream(7).events, wrong], {}), actor="ada")

    @rule(which=WHO, stored=st.booleans())
    def loses(self, which: int, stored: bool) -> None:
        """Lose the database during a commit, before or after it was stored."""
        committer = self.engines[which]._committer
        append = committer._append
        at = self.at(which)
        at.follow_log()

        def fail(group: Sequence[NewChange]) -> list[Outcome]:
            if stored:
                append(group)
            raise StorageUnavailable("store changes", "the database is gone")

        committer._append = fail  # type: ignore[method-assign]
        with pytest.raises(StorageUnavailable):
            at.apply(stream(55), actor="ada")
        committer._append = append  # type: ignore[method-assign]
        if stored:
            self.seq += 1
            self.rows.append(55)

    @rule(which=WHO)
    def snapshots(self, which: int) -> None:
        """Write a snapshot."""
        self.at(which).snapshot()

    @rule(which=WHO)
    def leaves(self, which: int) -> None:
        """Leave memory, unless followed."""
        self.at(which).unload()

    @rule()
    def restarts(self) -> None:
        """Stop the engine that nobody follows, and start another."""
        self.engines[1].close()
        self.engines[1] = Engine(self.store)

    @precondition(lambda self: self.seq % 3 == 0)
    @rule()
    def hears(self) -> None:
        """Take in what the other engine has written."""
        self.at(0).follow_log()

    @rule()
    def agrees(self) -> None:
        """Both engines show what the model says, and the log has no gap."""
        for which in (0, 1):
            document = self.at(which)
            document.follow_log()
            assert document.seq == self.seq
            assert document.model_json("s")["attributes"]["value"] == self.value
            entries = document.model_json("d")["attributes"]["data"]["entries"]
            assert dict(entries)["x"] == self.rows
        self.follower.take()
        if "pull" not in self.follower.got:
            assert self.follower.seqs == list(range(2, self.seq + 1))

    def teardown(self) -> None:
        """Compare a last time and stop the threads."""
        self.agrees()
        for engine in self.engines:
            engine.close()
        log = self.store.changes.after(self.docid, 0)
        assert [record.seq for record in log] == list(range(1, self.seq + 1))
        self.store.close()


def test_any_order_of_events(database_kind: str, request: pytest.FixtureRequest) -> None:
    """Whatever happens in whatever order: engines, log and a follower agree with the model."""
    in_memory = database_kind == "sqlite"
    url = "sqlite://" if in_memory else request.getfixturevalue("ready_url")
    run_state_machine_as_test(
        lambda: EngineMachine(url),
        settings=settings(max_examples=25, stateful_step_count=25, deadline=None),
    )
