"""Models that go and come back: what is loaded is what was there, whichever way it changed."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from bokeh_server.documents import Engine, Limits, LiveDocument
from bokeh_server.errors import InvalidPatch
from bokeh_server.protocol import Patch
from bokeh_server.storage import Store
from support.documents import doc_json, set_value

#: nothing happens by itself.
STILL = Limits(snapshot_changes=10**9, snapshot_bytes=10**12, snapshot_seconds=1e9)
IDS = st.sampled_from(["a", "b", "c"])
TYPES = st.sampled_from(["Div", "Paragraph"])


def add(model_id: str, type_name: str, text: str) -> Patch:
    """A patch that adds a root."""
    model = {"type": "object", "name": type_name, "id": model_id, "attributes": {"text": text}}
    return Patch([{"kind": "RootAdded", "model": model}], {})


def remove(model_id: str) -> Patch:
    """A patch that removes it."""
    return Patch([{"kind": "RootRemoved", "model": {"id": model_id}}], {})


def rewrite(model_id: str, text: str) -> Patch:
    """A patch that changes it."""
    event = {"kind": "ModelChanged", "model": {"id": model_id}, "attr": "text", "new": text}
    return Patch([event], {})


def shown(document: LiveDocument) -> Any:
    """All of a document, whatever order its models are written in."""
    value = json.loads(document.content(inline=True)[1])
    return value | {"roots": sorted(value["roots"], key=json.dumps)}


class ComingBack(RuleBasedStateMachine):
    """One engine that writes; now and then another one loads what is stored."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.store = Store.open(url)
        self.engine = Engine(self.store, limits=STILL)
        self.live = self.engine.open(self.engine.create("ada", f"line {uuid4()}").docid)
        self.live.replace(doc_json(), {}, actor="ada")
        self.was: dict[int, Any] = {}
        self.note()

    def note(self) -> None:
        """Remember what it is at this revision."""
        self.was[self.live.seq] = shown(self.live)

    def apply(self, patch: Patch) -> None:
        """Apply a patch that may make no sense just now."""
        with suppress(InvalidPatch):
            self.live.apply(patch, actor="ada")
        self.note()

    @rule(model_id=IDS, type_name=TYPES, text=st.text("xyz", max_size=3))
    def adds(self, model_id: str, type_name: str, text: str) -> None:
        """Add a model whose id may be that of one which is gone."""
        self.apply(add(model_id, type_name, text))

    @rule(model_id=IDS)
    def removes(self, model_id: str) -> None:
        """Remove one."""
        self.apply(remove(model_id))

    @rule(model_id=IDS, text=st.text("xyz", max_size=3))
    def rewrites(self, model_id: str, text: str) -> None:
        """Change one."""
        self.apply(rewrite(model_id, text))

    @rule(value=st.integers(0, 3))
    def tags(self, value: int) -> None:
        """Give the slider tags, which a restore before takes away as no patch can."""
        self.apply(set_value([value], "tags"))

    @rule(data=st.data())
    def restores(self, data: st.DataObject) -> None:
        """Go back to any revision."""
        self.live.restore(data.draw(st.sampled_from(sorted(self.was))), actor="ada")
        self.note()

    @rule()
    def replaces(self) -> None:
        """Put the first document in place of everything."""
        self.live.replace(doc_json(), {}, actor="ada")
        self.note()

    @rule()
    def snapshots(self) -> None:
        """Write a snapshot."""
        self.live.snapshot()

    @rule()
    def loads(self) -> None:
        """What another engine loads is what this one has, now and at every revision."""
        with closing(Engine(self.store, limits=STILL)) as other:
            assert shown(other.open(self.live.docid)) == shown(self.live)
            for seq in sorted(self.was)[-3:]:
                content = json.loads(other.revision(self.live.docid, seq).content(inline=True)[1])
                roots = sorted(content["roots"], key=json.dumps)
                assert content | {"roots": roots} == self.was[seq]

    def teardown(self) -> None:
        """Look a last time, and at what snapshots leave behind."""
        self.snapshots()
        self.loads()
        models = set(self.live._wire.models if self.live._wire else ())
        with closing(Engine(self.store, limits=STILL)) as other:
            again = other.open(self.live.docid)
            assert set(again._wire.models if again._wire else ()) == models
        self.engine.close()
        self.store.close()


def test_whatever_comes_back(database_kind: str, request: pytest.FixtureRequest) -> None:
    """In any order of edits, restores, snapshots and loads nothing that is gone comes back."""
    url = "sqlite://"
    if database_kind == "postgresql":
        url = request.getfixturevalue("ready_url")
    run_state_machine_as_test(
        lambda: ComingBack(url),
        settings=settings(max_examples=12, stateful_step_count=25, deadline=None),
    )


def test_a_restore_is_undone_after_a_restart(store: Store) -> None:
    """What was edited after a snapshot, taken away by a restore and brought back again, stays."""
    with closing(Engine(store, limits=STILL)) as engine:
        live = engine.open(engine.create("ada", "line").docid)
        live.replace(doc_json(), {}, actor="ada")
        live.apply(add("n", "Div", "first draft"), actor="ada")
        live.apply(set_value(["x"], "tags"), actor="ada")
        live.snapshot()
        good = live.apply(rewrite("n", "final text"), actor="ada")
        live.restore(1, actor="ada")
        live.snapshot()
        live.restore(good, actor="ada")
        assert live.model_json("n")["attributes"]["text"] == "final text"
    with closing(Engine(store)) as again:
        found = again.open(live.docid).model_json("n")
        assert found["attributes"]["text"] == "final text"


@pytest.mark.parametrize(
    "planted", [b"part :s", b"part :d", b"part ", b"part memory", b"whole"], ids=bytes.decode
)
def test_no_content_is_taken_for_a_part(store: Store, planted: bytes) -> None:
    """An array whose last chunk has the bytes of a part's name takes the place of no part."""
    data = np.frombuffer(b"\0" * 65_536 + planted, dtype=np.uint8)
    array = {
        "type": "ndarray",
        "array": {"type": "bytes", "data": {"id": "b"}},
        "shape": [len(data)],
        "dtype": "uint8",
        "order": "little",
    }
    columns = {"type": "map", "entries": [["x", array], ["y", array]]}
    event = {"kind": "ModelChanged", "model": {"id": "d"}, "attr": "data", "new": columns}
    with closing(Engine(store, limits=STILL)) as engine:
        live = engine.open(engine.create("ada", "line").docid)
        live.replace(doc_json(), {}, actor="ada")
        live.apply(Patch([event], {"b": data.tobytes()}), actor="ada")
        live.snapshot()
        before = shown(live)
    with closing(Engine(store)) as again:
        assert shown(again.open(live.docid)) == before
