"""What a change has done is taken back as if it had never been."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bokeh_server.errors import InvalidPatch
from bokeh_server.protocol import Applied, Patch, WireDocument
from support.growth import edits, inside, large_document, patch_of

Event = dict[str, Any]

IDS = st.sampled_from("abcef")


def column(model_id: str, *children: Event) -> Event:
    """A layout in full, of a name of its own."""
    attributes = {"children": list(children), "name": f"column {model_id}"}
    return {"type": "object", "name": "Column", "id": model_id, "attributes": attributes}


def set_children(model_id: str, children: list[Event]) -> Event:
    """Let a layout have other children."""
    head = {"kind": "ModelChanged", "model": {"id": model_id}, "attr": "children"}
    return {**head, "new": children}


MODELS = st.recursive(
    IDS.map(lambda model_id: {"id": model_id}) | IDS.map(column),
    lambda inner: st.builds(column, IDS, inner) | st.builds(column, IDS, inner, inner),
    max_leaves=4,
)
EVENTS = st.one_of(
    st.builds(lambda model: {"kind": "RootAdded", "model": model}, MODELS),
    st.builds(lambda each: {"kind": "RootRemoved", "model": {"id": each}}, IDS),
    st.builds(set_children, IDS, st.lists(MODELS, max_size=3)),
    st.builds(
        lambda model, title: {
            "kind": "DocumentReplaced",
            "doc": {"roots": [model], "title": title},
        },
        MODELS,
        st.sampled_from(["one", "two"]),
    ),
    st.builds(lambda title: {"kind": "TitleChanged", "title": title}, st.sampled_from("xyz")),
)
PATCHES = st.one_of(
    st.lists(EVENTS, min_size=1, max_size=3).map(lambda events: Patch(events, {})),
    edits.map(patch_of),
)


def told(wire: WireDocument) -> tuple[object, ...]:
    """All that a document says, remembers and goes by."""
    models = {each: (model.depth, list(model.all_refs())) for each, model in wire.models.items()}
    places = {each: wire.successor(each) for each in (*"abcef", *(f"r{n}" for n in range(5)))}
    return (inside(wire), wire.plots(), wire.roots, wire.title, list(models.items()), places)


def tried(wire: WireDocument, patch: Patch, seq: int) -> Applied | None:
    """Apply a patch, unless the document refuses it."""
    try:
        return wire.apply(patch, seq=seq)
    except InvalidPatch:
        return None


@settings(max_examples=60, deadline=None)
@given(st.lists(PATCHES, max_size=6), st.lists(PATCHES, min_size=1, max_size=5))
def test_whatever_was_applied_is_taken_back(before: list[Patch], after: list[Patch]) -> None:
    """The last first, it is as before; then it does the same again, and snapshots are right."""
    wire = WireDocument.from_json(*large_document())
    for seq, patch in enumerate(before, 1):
        tried(wire, patch, seq)
    states, undos = [], []
    for seq, patch in enumerate(after, len(before) + 1):
        states.append(told(wire))
        applied = tried(wire, patch, seq)
        undos.append(applied.undo if applied else lambda: None)
    end = told(wire)
    while states:
        undo = undos.pop()
        assert undo is not None
        undo()
        assert told(wire) == states.pop()
    for seq, patch in enumerate(after, len(before) + 1):
        tried(wire, patch, seq)
    assert told(wire) == end


def test_who_is_behind_pulls_when_models_came_back() -> None:
    """What changed of a model that went and came back is not known, so nobody is told a part."""
    wire = WireDocument.from_json({"roots": [column("a", column("b"))], "title": ""}, {})
    rename = {"kind": "ModelChanged", "model": {"id": "b"}, "attr": "name", "new": "other"}
    wire.apply(Patch([rename], {}), seq=1)
    assert wire.changed_since(0) is not None
    applied = wire.apply(Patch([set_children("a", [])], {}), seq=2)
    assert applied.dropped == {"b"}
    assert applied.undo is not None
    applied.undo()
    wire.apply(Patch([{"kind": "TitleChanged", "title": "x"}], {}), seq=2)
    assert wire.changed_since(0) is None
    assert wire.changed_since(1) is not None
