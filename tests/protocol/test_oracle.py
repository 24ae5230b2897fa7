"""Wire documents against Bokeh's own, over random series of changes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from bokeh.core.properties import Any as AnyValue
from bokeh.core.properties import Float, Instance, List, String
from bokeh.document import Document
from bokeh.model import DataModel, Model
from bokeh.models import ColumnDataSource, CustomJS, Slider
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from protocol.bokeh_documents import Sender, apply, doc_json, from_json, view

from bokeh_server.protocol import Applied, WireDocument, parse_patch

quick = settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.generate, Phase.shrink],
)

Operation = Callable[[Document], None]


class Experiment(DataModel):
    """A data model of the user's, which the server never heard of."""

    gain = Float(default=1.0)
    note = AnyValue()


class Board(DataModel):
    """Stands for a plot, which has so many defaults that Bokeh needs 10 ms to read one."""

    renderers = List(Instance(Model), default=[])
    x_range = AnyValue()


class Shelf(DataModel):
    """Stands for a layout."""

    children = List(Instance(Model), default=[])


class Note(DataModel):
    """Stands for a text."""

    text = String(default="")


class Curve(DataModel):
    """Stands for a renderer."""

    source = Instance(ColumnDataSource)


def make_document() -> Document:
    """A document with a plot, widgets, a layout, a data model and columns of every form."""
    source = ColumnDataSource(
        name="source",
        data={
            "list": [1.0, float("nan"), 3.0],
            "array": np.array([1.0, 2.0, float("inf")]),
            "whole": np.array([1, 2, 3]),
            "text": ["a", "b", "ü"],
            "image": [np.zeros((2, 3)), np.ones((2, 3)), np.full((2, 3), 2.0)],
        },
    )
    plot = Board(name="plot", renderers=[Curve(source=source, name="line")])
    slider = Slider(start=0, end=10, value=1, name="slider", tags=[source])
    slider.js_on_change("value", CustomJS(args={"source": source}, code="source.change.emit()"))
    document = Document(title="oracle")
    document.add_root(Shelf(children=[Shelf(children=[slider, Note(text="hello")])], name="layout"))
    document.add_root(plot)
    document.add_root(Experiment(gain=2.0, note={"k": [1, {"x": None}]}, name="experiment"))
    return document


numbers = st.floats(width=32) | st.integers(-(2**40), 2**40)
words = st.text(max_size=5).filter(lambda text: "\x00" not in text)


def named(document: Document, name: str) -> Any:
    """The model that a name stands for."""
    return document.get_model_by_name(name)


@st.composite
def rows(draw: st.DrawFn, count: int) -> dict[str, Any]:
    """Data for all columns, each as a list or as an array."""

    def some(values: st.SearchStrategy[Any], dtype: type | None) -> Any:
        items = draw(st.lists(values, min_size=count, max_size=count))
        return np.array(items, dtype=dtype) if dtype and draw(st.booleans()) else items

    return {
        "list": some(numbers, float),
        "array": some(st.floats(width=32), float),
        "whole": some(st.integers(-(2**33), 2**33), np.int64),
        "text": some(words, np.str_),
        "image": [np.full((2, 3), draw(st.floats(width=32))) for _ in range(count)],
    }


@st.composite
def streams(draw: st.DrawFn) -> Operation:
    """Rows that are appended."""
    data = draw(rows(draw(st.integers(0, 4))))
    rollover = draw(st.none() | st.integers(0, 6))
    return lambda document: named(document, "source").stream(data, rollover)


@st.composite
def patches(draw: st.DrawFn) -> Operation:
    """Single items, slices and regions inside arrays."""
    name = draw(st.sampled_from(["list", "array", "text"]))
    values = words if name == "text" else st.floats(width=32)
    index = draw(st.integers(0, 3))
    kind = draw(st.sampled_from(["one", "slice", "inside"]))
    if kind == "one":
        return _patch(name, index, draw(values))
    if kind == "slice":
        where = slice(draw(st.none() | st.just(0)), index, draw(st.sampled_from([None, 1, 2])))
        count = len(range(*where.indices(100)))
        return _patch(name, where, draw(st.lists(values, min_size=count, max_size=count)))
    region = st.sampled_from([(1, slice(None), 3), (slice(0, 2), 1, 2), (0, 2, 1)])
    *where_inside, count = draw(region)
    new = draw(st.lists(st.floats(width=32), min_size=count, max_size=count))
    return _patch("image", [index, *where_inside], new)


def _patch(name: str, index: Any, value: Any) -> Operation:
    return lambda document: named(document, "source").patch({name: [(index, value)]})


def _set(name: str, attr: str, value: Any) -> Operation:
    return lambda document: setattr(named(document, name), attr, value)


def _column(name: str, make: Callable[[int], Any]) -> Operation:
    def change(document: Document) -> None:
        source = named(document, "source")
        source.data[name] = make(len(source.data["list"]))

    return change


def _add_line(document: Document) -> None:
    source = ColumnDataSource(data={"x": [1, 2], "y": np.array([3, 4])})
    named(document, "plot").renderers.append(Curve(source=source))
    source.stream({"x": [5], "y": [6.5]})


def _add_child(document: Document) -> None:
    layout = named(document, "layout")
    layout.children = [*layout.children, Note(text="more", tags=[named(document, "slider")])]


def _drop_child(document: Document) -> None:
    layout = named(document, "layout")
    layout.children = layout.children[:-1] if len(layout.children) > 1 else layout.children


def _add_root(document: Document) -> None:
    document.add_root(Shelf(children=[Note(text="root", tags=[named(document, "source")])]))


def _drop_root(document: Document) -> None:
    if len(document.roots) > 3:
        document.remove_root(document.roots[-1])


def _take_out_and_back(document: Document) -> None:
    root = document.roots[0]
    document.remove_root(root)
    document.add_root(root)


values = st.recursive(
    st.none() | st.booleans() | numbers | words | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
operations = st.one_of(
    streams(),
    patches(),
    rows(2).map(lambda data: _set("source", "data", data)),
    st.floats(0, 10).map(lambda value: _set("slider", "value", value)),
    values.map(lambda value: _set("experiment", "note", value)),
    values.map(lambda value: _set("slider", "tags", [value])),
    words.map(lambda title: lambda document: setattr(document, "title", title)),
    st.sampled_from(
        [
            _add_line,
            _add_child,
            _drop_child,
            _add_root,
            _drop_root,
            _take_out_and_back,
            _column("whole", lambda count: np.arange(count)),
            _column("new", lambda count: [{"k": 1}] * count),
            _set("slider", "tags", []),
        ]
    ),
)


class Trial:
    """One sender, a wire document, and Bokeh's documents that judge it."""

    def __init__(self) -> None:
        self.sender = Sender(make_document())
        doc, buffers = doc_json(self.sender.document)
        self.wire = WireDocument.from_json(doc, buffers)
        self.judge = from_json(doc, buffers)
        self.follower = from_json(*self.wire.content())

    def change(self, operation: Operation) -> None:
        """Let the sender change; what it refuses itself is no change."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                operation(self.sender.document)
            except (ValueError, TypeError, AttributeError, IndexError, KeyError) as fault:
                event(f"refused by the sender: {type(fault).__name__}")

    def deliver(self) -> Applied | None:
        """Give everything that waits to all, as one patch."""
        patch = self.sender.take()
        if patch is None:
            return None
        content, buffers = patch
        applied = self.wire.apply(parse_patch(orjson.dumps(content), buffers))
        apply(self.judge, content, buffers)
        apply(self.follower, applied.events, applied.buffers)
        return applied

    def check(self) -> None:
        """Everybody says the same, in every form."""
        expected = view(self.judge)
        assert view(from_json(*self.wire.content())) == expected
        assert view(self.follower) == expected
        reloaded = WireDocument.from_state(*self.wire.state())
        assert reloaded.content() == self.wire.content()
        assert {str(model.id) for model in self.judge.models} <= self.wire.models.keys()


@quick
@given(st.lists(operations, min_size=1, max_size=10))
def test_patches_one_by_one(changes: list[Operation]) -> None:
    """After any series of changes wire document, follower and reload equal Bokeh's document."""
    trial = Trial()
    for change in changes:
        trial.change(change)
        trial.deliver()
    trial.check()


@quick
@given(st.lists(st.lists(operations, min_size=1, max_size=4), min_size=1, max_size=3))
def test_patches_in_groups(groups: list[list[Operation]]) -> None:
    """The same when several changes come as one patch, as browsers send them."""
    trial = Trial()
    for group in groups:
        for change in group:
            trial.change(change)
            if any(each["events"][0].get("cols") is not None for each, _ in trial.sender.sent):
                trial.deliver()
        trial.deliver()
    trial.check()
