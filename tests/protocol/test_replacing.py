"""Replacing whole documents, and what takes the place of plots that are gone."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from bokeh.models import Slider
from protocol.bokeh_documents import apply, doc_json, from_json, view
from protocol.wire_documents import added, dashboard, document, model, removed

from bokeh_server.errors import InvalidPatch, UnknownModel
from bokeh_server.protocol import REPLACED, Patch, Place, WireDocument, parse_patch

Event = dict[str, Any]


def test_replacing_by_the_same_changes_nothing() -> None:
    """Pushing a document again is no change at all."""
    original = dashboard()
    wire = WireDocument.from_json(*doc_json(original))
    assert wire.replace(*doc_json(original)).keys == frozenset()


def test_replacing_keeps_common_models() -> None:
    """Followers get only what differs, and end at the same document."""
    original = dashboard()
    wire = WireDocument.from_json(*doc_json(original))
    follower = from_json(*wire.content())
    original.roots[0].children[0].renderers[0].data_source.data = {"x": [1, 2], "y": [3, 4]}
    original.roots[0].children[0].width = 500
    original.add_root(Slider(start=0, end=1, value=0.1))
    original.title = "other"
    applied = wire.replace(*doc_json(original))
    assert not applied.resync
    kinds = [event["kind"] for event in orjson.loads(applied.events)["events"]]
    assert sorted(kinds) == ["ModelChanged", "ModelChanged", "RootAdded", "TitleChanged"]
    apply(follower, applied.events, applied.buffers)
    assert view(follower) == view(from_json(*wire.content())) == view(original)


def test_replacing_by_a_new_run_of_the_script() -> None:
    """All models are new: roots go, roots come, and the log says so in Bokeh's events."""
    wire = WireDocument.empty()
    replay = WireDocument.empty()
    for _ in range(2):
        original = dashboard()
        original.callbacks._js_event_callbacks.clear()
        doc, buffers = doc_json(original)
        doc.pop("defs", None)  # the data models of other tests in this process
        applied = wire.replace(doc, buffers)
        assert not applied.resync
        replay.apply(parse_patch(applied.events, applied.buffers))
        assert view(from_json(*wire.content()))["roots"] == view(original)["roots"]
        assert replay.content() == wire.content()


@pytest.mark.parametrize(
    "change_it",
    [
        {"version": "9.9"},
        {"defs": [{"type": "model", "name": "A"}]},
        {"callbacks": {"type": "map", "entries": [["document_ready", []]]}},
        {"config": model("DocumentConfig", "c", reconnect_session=False)},
        {"roots": [model("Slider", "a")]},
        {"roots": [model("Div", "a", text="t")]},
    ],
)
def test_replacing_what_no_patch_can_express(change_it: Event) -> None:
    """New classes, callbacks, configuration, types or lost attributes: viewers pull again, and the
    log can still repeat it."""
    wire = document(model("Div", "a", text="t", name="n"))
    replay = WireDocument.from_state(*wire.state())
    given = {"roots": [model("Div", "a", text="t", name="n")], **change_it}
    applied = wire.replace(given, {})
    assert applied.resync
    assert orjson.loads(applied.events)["events"][0]["kind"] == REPLACED
    assert replay.apply(parse_patch(applied.events, applied.buffers)).resync
    assert replay.content() == wire.content() == WireDocument.from_json(given, {}).content()
    with pytest.raises(InvalidPatch, match="alone"):
        wire.apply(Patch([*orjson.loads(applied.events)["events"], removed("a")], {}))


def figures(*names: str | None, run: int) -> list[Event]:
    """Plots as another run of a script makes them."""
    named = [{"name": name} if name else {} for name in names]
    return [model("Figure", f"{run}-{n}", **attrs) for n, attrs in enumerate(named)]


def test_successors() -> None:
    """A plot that is gone is followed by the one of its name, else the one at its place."""
    wire = document(*figures("a", None, "c", run=1))
    wire.replace({"roots": figures("c", None, run=2)}, {})
    wire.replace({"roots": figures("c", None, run=3)}, {})
    for each in (wire, WireDocument.from_state(*wire.state())):
        assert each.successor("1-0") == "3-0"
        assert each.successor("1-1") == "3-1"
        assert each.successor("1-2") == "3-0"
        assert each.successor("2-1") == "3-1"
        assert each.successor("3-1") == "3-1"
        assert each.successor("never") is None
        assert each.place("3-1") == Place(None, 1, 1)
        assert each.find("c") == "3-0"
    with pytest.raises(UnknownModel):
        wire.place("1-0")


def test_successors_of_plots_inside_layouts() -> None:
    """The place of a plot is counted among the plots in drawing order, not among the roots."""

    def laid_out(run: int) -> Event:
        return {"roots": [model("Column", f"c{run}", children=figures(None, None, run=run))]}

    wire = WireDocument.from_json(laid_out(1), {})
    wire.replace(laid_out(2), {})
    assert wire.successor("1-1") == "2-1"
    assert wire.successor("c1") == "c2"
    mine = model("MyPlot", "m", renderers=[], x_range=None)
    wire.apply(Patch([added(mine)], {}))
    assert wire.plots()[-1] == "m"
