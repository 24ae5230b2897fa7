"""Documents of every sort, and whatever a script may do to one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.core.properties import AnyRef, Dict, Float, Instance, List, String, expr
from bokeh.document import Document
from bokeh.layouts import column, gridplot, row
from bokeh.model import DataModel, Model
from bokeh.models import (
    BooleanFilter,
    CDSView,
    ColorBar,
    ColumnDataSource,
    CumSum,
    CustomJS,
    CustomJSTickFormatter,
    DataTable,
    DatePicker,
    DateRangeSlider,
    Div,
    FactorRange,
    LinearColorMapper,
    MultiChoice,
    Plot,
    Range1d,
    RangeSlider,
    Select,
    Slider,
    Span,
    TableColumn,
    TabPanel,
    Tabs,
)
from bokeh.plotting import figure
from bokeh.transform import factor_cmap, jitter
from hypothesis import strategies as st
from protocol.value_strategies import Known, columns, filled, models, numbers, values, words

from support.data_models import data_models

__all__ = ["Operation", "Workbench", "documents", "operations", "with_data_models"]


class Workbench(Document):
    """A document of somebody who keeps what they take out of it.

    :ivar dropped: models that were in the document.
    """

    def __init__(self, *, title: str) -> None:
        super().__init__(title=title)
        self.dropped: list[Model] = []


#: changes a document; what Bokeh itself refuses raises.
Operation = Callable[[Workbench], None]


class Experiment(DataModel):
    """A data model of the user's, which the server never heard of."""

    gain = Float(default=1.0)
    note = AnyRef()
    parts = List(Instance(Model), default=[])
    by_name = Dict(String, AnyRef, default={})


class Measurement(Experiment):
    """A data model that extends another."""

    inner = Instance(Experiment)


class Board(DataModel):
    """Stands for a plot, which has so many defaults that Bokeh needs 10 ms to read one."""

    renderers = List(Instance(Model), default=[])
    x_range = AnyRef()


class Shelf(DataModel):
    """Stands for a layout."""

    children = List(Instance(Model), default=[])


with_data_models = data_models(Experiment, Measurement, Board, Shelf)


def make_source(data: dict[str, Any]) -> ColumnDataSource:
    """A data source; columns without rows where Bokeh refuses the data."""
    return ColumnDataSource(name="source", data=data)


def plain_roots(source: ColumnDataSource) -> list[Model]:
    """Quick ones: widgets, data models, a layout."""
    slider = Slider(start=0, end=10, value=1, name="slider", tags=[source])
    slider.js_on_change("value", CustomJS(args={"source": source}, code="source.change.emit()"))
    inner = Experiment(gain=2.0, note={"k": [1, {"x": None}]}, parts=[slider])
    return [
        Shelf(children=[Shelf(children=[slider, Div(text="hello")])], name="layout"),
        Board(renderers=[source], x_range=Range1d(start=0, end=float("inf")), name="plot"),
        Measurement(inner=inner, by_name={"slider": slider, "self": inner}, name="experiment"),
    ]


def widgets(source: ColumnDataSource) -> list[Model]:
    """Widgets with dates, ranges, options and a table."""
    day = dt.date(2026, 2, 3)
    table_columns = [TableColumn(field="a", title="A"), TableColumn(field="b")]
    table = DataTable(source=source, columns=table_columns, view=CDSView(filter=BooleanFilter()))
    return [
        row(
            DatePicker(value=day, name="date"),
            DateRangeSlider(start=day, end=dt.date(2027, 1, 1), value=(day, day), name="dates"),
            RangeSlider(start=0, end=9, value=(1, 2), name="range"),
            MultiChoice(options=["a", ("b", "B")], value=["a"], name="choice"),
            Select(options={"g": ["a", "b"]}, value="a", name="select"),
            name="widgets",
        ),
        table,
    ]


def plots(source: ColumnDataSource) -> list[Model]:
    """A grid of figures with glyphs, transforms, mappers and annotations."""
    source_of_plots = ColumnDataSource(
        {"x": np.arange(3), "y": [1.0, 2.0, 3.0], "c": ["a", "b", "a"]}, name="points"
    )
    factors = FactorRange(factors=[("a", "x"), ("b", "y")], name="factors")
    first = figure(width=200, height=200, name="figure", tools="pan,hover,lasso_select")
    first.line("x", "y", source=source_of_plots, name="line")
    first.scatter(jitter("x", 0.1), "y", size=5, source=source_of_plots,
                  color=factor_cmap("c", "Category10_3", ["a", "b"]))  # fmt: skip
    second = figure(width=200, height=200, x_range=factors, x_axis_type=None)
    second.image([np.arange(6.0).reshape(2, 3)], x=0, y=0, dw=1, dh=1)
    mapper = LinearColorMapper(palette="Viridis256", low=0, high=float("nan"))
    second.add_layout(ColorBar(color_mapper=mapper), "right")
    second.add_layout(Span(location=1, dimension="height"))
    first.yaxis.formatter = CustomJSTickFormatter(args={"source": source}, code="return tick")
    return [column(gridplot([[first, second]]), Tabs(tabs=[TabPanel(child=Plot(), title="t")]))]


@st.composite
def data(draw: st.DrawFn, count: int | None = None) -> dict[str, Any]:
    """Columns of one length."""
    rows = draw(st.integers(0, 4)) if count is None else count
    names = draw(st.lists(st.sampled_from("abcde"), min_size=1, max_size=4, unique=True))
    return {name: draw(columns(rows)) for name in names}


_PARTS = {1: (widgets,), 2: (plots,)}


@st.composite
def documents(draw: st.DrawFn) -> Callable[[], Workbench]:
    """A maker of one document: quick parts always, figures seldom, as they take Bokeh long."""
    columns_of_source = draw(data())
    parts = draw(st.integers(0, 15).map(lambda n: _PARTS.get(n, ())))
    ready = draw(st.booleans())
    title = draw(words)
    patient = draw(st.booleans())

    def make() -> Document:
        made = Workbench(title=title)
        source = make_source({})
        for part in (plain_roots, *parts):
            for root in part(source):
                made.add_root(root)
        source.data = filled(columns_of_source, made)
        made.config.reconnect_session = patient
        if ready:
            made.js_on_event("document_ready", CustomJS(args={"source": source}, code="1"))
        return made

    return make


def _named(document: Document, name: str) -> Any:
    found = document.get_model_by_name(name)
    if found is None:
        raise KeyError(name)
    return found


def _set(name: str, attr: str) -> Callable[[Any], Operation]:
    return lambda value: (
        lambda document: setattr(_named(document, name), attr, filled(value, document))
    )


@st.composite
def streams(draw: st.DrawFn) -> Operation:
    """Rows of any form that are appended to whatever columns there are."""
    rows = draw(st.integers(0, 4))
    new = {name: draw(columns(rows)) for name in "abcde"}
    rollover = draw(st.none() | st.integers(0, 6))
    alike = draw(st.booleans())

    def stream(document: Workbench) -> None:
        source = _named(document, "source")
        given = {name: filled(new.get(name, new["a"]), document) for name in source.data}
        if alike:
            given = {name: _like(source.data[name], given[name]) for name in given}
        source.stream(given, rollover)

    return stream


def _like(old: Any, new: Any) -> Any:
    """The form that a column has already, as in most scripts."""
    if isinstance(old, np.ndarray):
        return np.resize(old, len(new)) if len(old) else old
    return [old[index % len(old)] for index in range(len(new))] if len(old) else []


cells = st.none() | st.lists(numbers, max_size=2) | st.dates() | st.dictionaries(words, words)
numeric = st.floats(width=16) | st.integers(0, 100) | st.booleans()


@st.composite
def patches(draw: st.DrawFn) -> Operation:
    """Single items, slices and regions inside arrays."""
    number = draw(st.integers(0, 9))
    changes = draw(st.lists(_places(), min_size=1, max_size=2))

    def patch(document: Workbench) -> None:
        source = _named(document, "source")
        names = list(source.data)
        source.patch({names[number % len(names)]: filled(changes, document)})

    return patch


@st.composite
def _places(draw: st.DrawFn) -> tuple[Any, Any]:
    index = draw(st.integers(0, 4))
    items = draw(st.sampled_from([numeric, numeric, words, numbers, cells]))
    kind = draw(st.sampled_from(["one", "slice", "inside"]))
    if kind == "one":
        return index, draw(items)
    if kind == "slice":
        start, step = draw(st.none() | st.integers(0, 2)), draw(st.sampled_from([None, 1, 2]))
        where = slice(start, draw(st.none() | st.just(index)), step)
        count = len(range(*where.indices(index)))
        return where, draw(st.lists(items, min_size=count, max_size=count))
    ends = st.builds(slice, st.none() | st.just(0), st.none() | st.just(2), st.none() | st.just(1))
    parts = draw(st.lists(st.integers(0, 2) | ends, min_size=1, max_size=2))
    new = draw(
        numeric | st.lists(numeric, min_size=1, max_size=6) | st.just([[1, 2, 3], [4, 5, 6]])
    )
    return [index, *parts], new


@st.composite
def new_columns(draw: st.DrawFn) -> Operation:
    """One column that is replaced or added."""
    name, options = draw(st.sampled_from("abcdef")), [draw(columns(count)) for count in range(5)]

    def change(document: Workbench) -> None:
        source = _named(document, "source")
        count = len(next(iter(source.data.values()), ()))
        source.data[name] = filled(options[min(count, 4)], document)

    return change


def _add_line(document: Workbench) -> None:
    source = ColumnDataSource(data={"x": [1, 2], "y": np.array([3, 4])})
    _named(document, "plot").renderers.append(source)
    source.stream({"x": [5], "y": [6.5]})


def _drop_child(document: Workbench) -> None:
    layout = _named(document, "layout")
    document.dropped.extend(layout.children[-1:])
    layout.children = layout.children[:-1]


def _reuse(document: Workbench) -> None:
    layout = _named(document, "layout")
    layout.children = [*layout.children, document.dropped.pop()]


def _drop_root(document: Workbench) -> None:
    root = document.roots[-1]
    document.dropped.append(root)
    document.remove_root(root)


def _add_root(document: Workbench) -> None:
    dropped = document.dropped
    document.add_root(dropped.pop() if dropped else Shelf(children=[Div(text="root")]))


def _take_out_and_back(document: Workbench) -> None:
    root = document.roots[0]
    document.remove_root(root)
    document.add_root(root)


def _come_back(document: Workbench) -> None:
    if document.roots:
        document.dropped.extend(reversed(document.roots))
        document.clear()
    while document.dropped:
        _add_root(document)


def _with_child(child: Any) -> Operation:
    def change(document: Workbench) -> None:
        layout = _named(document, "layout")
        layout.children = [*layout.children, filled(child, document)]

    return change


def _send(message: Any) -> Operation:
    return lambda document: document.callbacks.send_message("mine", filled(message, document))


def _note(key: Any, value: Any) -> Operation:
    return lambda document: _named(document, "experiment").by_name.update(
        {key: filled(value, document)}
    )


colors = st.sampled_from(["red", "#123456", {"field": "c"}, {"value": "blue"}, (1, 2, 3, 0.5)])
sizes = numeric | st.just({"field": "x"}) | st.just({"value": 3}) | st.just("y")
#: the parts of a document that only some have.
seldom = st.one_of(
    st.dates().map(_set("date", "value")),
    st.tuples(st.dates(), st.datetimes()).map(_set("dates", "value")),
    st.tuples(st.floats(0, 9), st.integers(0, 9)).map(_set("range", "value")),
    st.lists(st.sampled_from("ab"), unique=True).map(_set("choice", "value")),
    st.sampled_from("abc").map(_set("select", "value")),
    st.sampled_from([["a"], ["a", "b"], [("c", "d", "e")]]).map(_set("factors", "factors")),
    words.map(
        lambda text: lambda document: setattr(_named(document, "figure").title, "text", text)
    ),
    colors.map(lambda color: lambda document: setattr(_glyph(document), "line_color", color)),
    sizes.map(lambda size: lambda document: setattr(_glyph(document), "line_width", size)),
    st.just(lambda document: _named(document, "figure").line([1], [2])),
    st.just(lambda document: setattr(_glyph(document), "x", jitter("x", 0.5))),
    st.just(lambda document: setattr(_glyph(document), "y", expr(CumSum(field="y")))),
    st.just(lambda document: setattr(_named(document, "figure"), "renderers", [])),
    numbers.map(
        lambda end: lambda document: setattr(_named(document, "figure").x_range, "end", end)
    ),
)


def _glyph(document: Workbench) -> Any:
    return _named(document, "line").glyph


operations: st.SearchStrategy[Operation] = st.one_of(
    streams(),
    streams(),
    patches(),
    patches(),
    new_columns(),
    data().map(_set("source", "data")),
    numbers.map(_set("slider", "value")),
    values.map(_set("experiment", "note")),
    st.builds(_note, words, values),
    st.lists(values, max_size=2).map(_set("slider", "tags")),
    st.lists(models, max_size=3).map(_set("experiment", "parts")),
    models.map(_with_child),
    words.map(lambda title: lambda document: setattr(document, "title", title)),
    values.map(_send),
    st.builds(Known, st.integers(0, 40)).map(
        lambda known: (
            lambda document: setattr(filled(known, document), "tags", [filled(known, document)])
        )
    ),
    seldom,
    st.sampled_from(
        [_add_line, _drop_child, _reuse, _add_root, _drop_root, _take_out_and_back, _come_back]
    ),
)
