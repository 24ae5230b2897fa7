"""Any revision that is kept can be read and restored, just as it was."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, CustomJS, Div, Slider
from bokeh.plotting import figure
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from protocol.bokeh_documents import Sender, apply, assert_same, from_json
from protocol.bokeh_documents import doc_json as json_of
from protocol.sender_operations import (
    Operation,
    Workbench,
    documents,
    operations,
    with_data_models,
)

from bokeh_server.documents import Engine, Limits, LiveDocument
from bokeh_server.errors import (
    BadRequest,
    InvalidPatch,
    NoLongerKept,
    UnknownDocument,
    UnknownRevision,
)
from bokeh_server.protocol import Patch, parse_patch
from bokeh_server.storage import Store
from support.documents import TestFollower, doc_json, run_together, set_value, stream

__all__ = ["with_data_models"]

quick = settings(
    max_examples=int(os.environ.get("REVISION_EXAMPLES", "25")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


def state_of(document: Any) -> Any:
    """A document as JSON values, arrays inline."""
    return orjson.loads(document.content(inline=True)[1])


def slider(document: Any) -> object:
    """The value of the slider."""
    return document.model_json("s")["attributes"]["value"]


def compact(store: Store, live: LiveDocument, keep: int) -> None:
    """Keep a snapshot and the last changes, as housekeeping does when it is time."""
    live.snapshot()
    soon = datetime.now(UTC) + timedelta(seconds=1)
    base = store.snapshots.retire(live.docid, live.seq - keep, soon)
    store.changes.forget(live.docid, base, 1000)


def test_every_revision_is_as_it_was(engine: Engine, live: LiveDocument) -> None:
    """From before the first change on; who made each, and when; a later change moves none."""
    states = [state_of(engine.revision(live.docid, 0)), state_of(live)]
    for value in range(2, 6):
        live.apply(set_value(value), actor=f"person {value}")
        states.append(state_of(live))
    for seq, state in enumerate(states):
        revision = engine.revision(live.docid, seq)
        assert state_of(revision) == state
        assert revision.content()[0] == revision.seq == seq
    revision = engine.revision(live.docid, 3)
    assert revision.actor == "person 3"
    assert revision.at is not None
    assert datetime.now(UTC) - revision.at < timedelta(minutes=1)
    live.apply(set_value(99), actor="ada")
    assert slider(engine.revision(live.docid, 3)) == 3


def test_a_revision_is_read_like_a_document(engine: Engine, live: LiveDocument) -> None:
    """Plots, places, names and models of a revision, whatever the document is now."""
    live.replace({"roots": []}, {}, actor="ada")
    revision = engine.revision(live.docid, 1)
    assert (revision.roots(), revision.plots()) == (["p", "s"], ["p"])
    assert revision.resolve("slider") == "s"
    assert revision.place("s").root == 1
    assert revision.type_of("d") == "ColumnDataSource"
    assert revision.standing_at(revision.place("p")) == "p"
    assert revision.labels(["s", "d", "gone"]) == {"s": "slider “slider”", "d": "line"}
    assert {model["id"] for model in revision.models("Slider")} == {"s"}
    assert engine.open(live.docid).roots() == []


def test_revisions_that_are_not_there(engine: Engine, live: LiveDocument) -> None:
    """Each error says which revisions can be opened."""
    live.apply(set_value(2), actor="ada")
    with pytest.raises(UnknownRevision, match="Revisions 0 to 2 can be opened"):
        engine.revision(live.docid, 3)
    with pytest.raises(UnknownRevision):
        live.restore(2**62, actor="ada")
    with pytest.raises(UnknownDocument):
        engine.revision("nothing", 1)
    assert live.seq == 2


def test_what_is_compacted_cannot_be_opened(
    engine: Engine, store: Store, live: LiveDocument
) -> None:
    """What is still kept can, before and after; what is gone says so, and restores nothing."""
    for value in range(2, 12):
        live.apply(set_value(value), actor="ada")
    compact(store, live, keep=4)
    for value in range(12, 22):
        live.apply(set_value(value), actor="ada")
    compact(store, live, keep=4)
    span = engine.span(live.docid)
    assert 0 < span.oldest <= 21 - 4
    assert span.head == 21
    for seq in range(span.oldest, 22):
        assert slider(engine.revision(live.docid, seq)) == seq
    with pytest.raises(NoLongerKept, match=f"Revisions {span.oldest} to 21 can be opened"):
        engine.revision(live.docid, span.oldest - 1)
    with pytest.raises(NoLongerKept):
        live.restore(0, actor="ada")
    assert live.seq == 21


def test_restoring_is_a_change(engine: Engine, live: LiveDocument) -> None:
    """It goes to followers and into the log, with who did it, and can be undone like any other."""
    follower = TestFollower("viewer")
    follower.join(live)
    live.apply(set_value(5), actor="ada")
    live.apply(stream(7), actor="ada")
    later = state_of(live)
    follower.take()
    seq = live.restore(1, actor="eve", origin="page")
    assert seq == 4
    assert state_of(live) == state_of(engine.revision(live.docid, 1))
    assert {event["kind"] for event in follower.take()} == {"ModelChanged"}
    assert engine.revision(live.docid, 4).actor == "eve"
    assert live.restore(3, actor="eve") == 5
    assert state_of(live) == later


def test_restoring_what_is_there_changes_nothing(live: LiveDocument) -> None:
    """The number of the last change is the answer."""
    live.apply(set_value(5), actor="ada")
    assert live.restore(2, actor="ada") == live.seq == 2


def test_the_log_says_what_was_restored(store: Store, live: LiveDocument) -> None:
    """The stored change names the revision; what followers get is Bokeh's and no more."""
    live.apply(set_value(5), actor="ada")
    follower = TestFollower("viewer")
    follower.join(live)
    live.restore(1, actor="ada")
    assert b'"restored":1' in store.changes.after(live.docid, 2)[0].body
    entry = follower.cursor and follower.cursor.channel.next(follower.cursor)
    assert entry is not None
    assert b"restored" not in (getattr(entry, "data", None) or b"")


def test_a_restore_that_is_sent_again_is_answered_as_before(
    store: Store, live: LiveDocument
) -> None:
    """Also when the revision is not kept any more by then."""
    live.apply(set_value(5), actor="ada")
    seq = live.restore(1, actor="ada", key="k")
    assert live.restore(1, actor="ada", key="k") == seq
    for value in range(10):
        live.apply(set_value(value), actor="ada")
    compact(store, live, keep=10)
    assert live.restore(1, actor="ada", key="k") == seq
    with pytest.raises(BadRequest):
        live.restore(2, actor="ada", key="")


def test_restoring_while_others_write(engine: Engine, live: LiveDocument) -> None:
    """Changes and restores are in the log one after the other, each as it says."""

    def write() -> None:
        for value in range(30):
            live.apply(stream(value), actor="writer")

    def restore() -> None:
        for _ in range(10):
            live.restore(1, actor="restorer")

    run_together([write, write, restore])
    first = state_of(engine.revision(live.docid, 1))
    restored = 0
    for seq in range(2, live.seq + 1):
        revision = engine.revision(live.docid, seq)
        if revision.actor == "restorer":
            restored += 1
            assert state_of(revision) == first
    assert restored >= 1
    assert live.seq == 61 + restored


def test_a_document_made_again_with_its_old_id_is_another_one(engine: Engine) -> None:
    """What was remembered of a deleted document's revisions is never shown."""
    for value in (1, 2):
        docid = engine.create("ada", "line", "same-docid").docid
        live = engine.open(docid)
        live.replace(doc_json(), {}, actor="ada")
        live.apply(set_value(value * 10), actor="ada")
        assert slider(engine.revision(docid, 2)) == value * 10
        engine.delete(docid)
        with pytest.raises(UnknownDocument):
            engine.revision(docid, 2)


def test_only_so_much_is_remembered(store: Store) -> None:
    """Opening many revisions keeps no more in memory than the limit says."""
    engine = Engine(store, limits=Limits(revision_bytes=300_000))
    live = engine.open(engine.create("ada", "line").docid)
    live.replace(doc_json(), {}, actor="ada")
    for value in range(2, 12):
        live.apply(set_value(value), actor="ada")
    for seq in range(1, 12):
        assert slider(engine.revision(live.docid, seq)) == seq
    kept = engine._revisions._kept
    assert sum(each.size for each in kept.values()) <= 300_000
    assert engine.revision(live.docid, 11) is engine.revision(live.docid, 11)
    engine.close()


def test_many_open_revisions_at_once(engine: Engine, live: LiveDocument) -> None:
    """Threads that ask for the same and for different revisions get each what it asked for."""
    for value in range(2, 40):
        live.apply(set_value(value), actor="ada")
    wrong: list[int] = []
    lock = threading.Lock()

    def look(start: int) -> None:
        for seq in range(start, 40, 3):
            if slider(engine.revision(live.docid, seq)) != seq:
                with lock:
                    wrong.append(seq)

    run_together([lambda start=start: look(start) for start in (1, 1, 2, 3, 4, 5)])
    assert wrong == []


def whole_documents() -> list[Document]:
    """Documents that differ in what no patch can say: callbacks, configuration, title, classes."""
    code = CustomJS(code="1")
    plain, called, other = Document(), Document(), Document()
    for document, title in ((plain, "plain"), (called, "called"), (other, "other")):
        source = ColumnDataSource({"x": [1, 2], "y": [3, 4]})
        plot = figure(name="plot")
        plot.line("x", "y", source=source)
        document.add_root(plot)
        document.title = title
    called.js_on_event("document_ready", code)
    other.config.notify_connection_status = False
    other.add_root(Div(text="more"))
    return [plain, called, other]


def test_everything_comes_back(engine: Engine) -> None:
    """Callbacks, configuration, title and definitions, for Bokeh and to the last id."""
    live = engine.open(engine.create("ada", "line").docid)
    given = []
    for number, document in enumerate(whole_documents()):
        doc, buffers = json_of(document)
        doc["defs"] = [{"type": "model", "name": f"mine.Model{number}"}]
        live.replace(doc, buffers, actor="ada")
        given.append(state_of(live))
    assert given[1]["callbacks"] != given[0].get("callbacks")
    for _ in range(2):
        for seq in (1, 3, 2):
            live.restore(seq, actor="ada")
            assert state_of(live) == given[seq - 1] == state_of(engine.revision(live.docid, seq))
            assert_same(from_json(*live.content()[1:]), whole_from(given[seq - 1]))


def whole_from(state: dict[str, Any]) -> Document:
    """Bokeh's document of JSON."""
    return from_json(orjson.dumps(state), {})


def test_a_callback_that_only_changed_inside_comes_back(engine: Engine) -> None:
    """A model that nothing but a callback of the document refers to is compared too."""
    document = Document()
    document.add_root(Slider(start=0, end=1, value=0))
    code = CustomJS(code="first")
    document.js_on_event("document_ready", code)
    live = engine.open(engine.create("ada", "line").docid)
    live.replace(*json_of(document), actor="ada")
    code.code = "second"
    live.replace(*json_of(document), actor="ada")
    assert live.seq == 2
    assert live.model_json(str(code.id))["attributes"]["code"] == "second"
    live.restore(1, actor="ada")
    assert live.model_json(str(code.id))["attributes"]["code"] == "first"


@pytest.mark.filterwarnings("ignore::bokeh.util.warnings.BokehUserWarning")
@quick
@given(documents(), st.lists(operations, min_size=2, max_size=6), st.data())
def test_any_revision_of_any_document(
    store: Store, make: Callable[[], Workbench], changes: list[Operation], data: st.DataObject
) -> None:
    """After any changes every revision is to the byte what it was, and can be restored; a Bokeh
    document that follows is then what it was, too."""
    engine = Engine(store)
    live = engine.open(engine.create("ada", os.urandom(8).hex()).docid)
    try:
        _check_revisions(engine, live, Sender(make()), changes, data)
    finally:
        engine.close()


def _check_revisions(
    engine: Engine,
    live: LiveDocument,
    sender: Sender,
    changes: list[Operation],
    data: st.DataObject,
) -> None:
    live.replace(*json_of(sender.document), actor="ada")
    seen = {live.seq: live.content()}
    for change in changes:
        if not _make(live, sender, change):
            break
        seen[live.seq] = live.content()
        if data.draw(st.integers(0, 4)) == 0:
            live.snapshot()
    for seq, content in seen.items():
        assert engine.revision(live.docid, seq).content() == content
    seq = data.draw(st.sampled_from(sorted(seen)))
    follower, judge = from_json(*live.content()[1:]), from_json(*seen[seq][1:])
    viewer = TestFollower("viewer")
    viewer.join(live)
    live.restore(seq, actor="ada")
    assert_same(from_json(*live.content()[1:]), judge)
    assert state_of(live) == orjson.loads(engine.revision(live.docid, seq).content(inline=True)[1])
    if viewer.take() != ["pull"] and live.seq not in seen:
        record = engine._store.changes.after(live.docid, live.seq - 1)[0]
        patch = _patch_of(record.body)
        apply(follower, orjson.dumps({"events": patch.events}), patch.buffers)
        assert_same(follower, judge)


def _patch_of(body: bytes) -> Patch:
    from bokeh_server.protocol import unpack

    return parse_patch(*unpack(body))


def _make(live: LiveDocument, sender: Sender, change: Operation) -> bool:
    """Make one change; whether both Bokeh and we took it."""
    try:
        change(sender.document)  # type: ignore[arg-type]
        patch = sender.take()
        if patch is not None:
            live.apply(parse_patch(orjson.dumps(patch[0]), patch[1]), actor="ada")
    except (InvalidPatch, ValueError, TypeError, AttributeError, IndexError, KeyError,
            RuntimeError, OverflowError, RecursionError):  # fmt: skip
        return False
    return True
