"""Storing and loading, against documents that Bokeh itself keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.layouts import column, gridplot, row
from bokeh.models import Button, ColumnDataSource, Div, Slider, TabPanel, Tabs
from bokeh.plotting import figure

from bokeh_server.client import Session
from bokeh_server.errors import ConnectionFailed, InvalidPatch
from support.oracle import OracleServer, same_documents

Connect = Callable[..., Session]


def plot(document: Document) -> tuple[Any, ColumnDataSource]:
    """A figure with a line and its source, in a document."""
    source = ColumnDataSource({"x": [1, 2, 3], "y": [4.0, 5.0, 6.0]})
    p = figure()
    p.line("x", "y", source=source)
    document.add_root(p)
    return p, source


def test_first_store_replaces_everything(connect: Connect, oracle: OracleServer) -> None:
    """The first store sends the whole document; the second, without changes, sends nothing."""
    session, document = connect(), Document(title="test")
    plot(document)
    assert session.store_document(document)
    same_documents(oracle.only(), document)
    before = oracle.requests
    assert session.store_document(document) == []
    assert oracle.requests == before


def test_column_is_sent_alone(connect: Connect, oracle: OracleServer) -> None:
    """Setting one column sends one ColumnDataChanged with that column."""
    session, document = connect(), Document(title="test")
    _, source = plot(document)
    session.store_document(document)
    source.data["y"] = [7.0, 8.0, 9.0]
    assert session.store_objects(source) == [source]
    (event,) = oracle.events()
    assert event["cols"] == ["y"]
    assert event["data"]["entries"] == [["y", [7.0, 8.0, 9.0]]]
    same_documents(oracle.only(), document)


def test_streams_are_joined(connect: Connect, oracle: OracleServer) -> None:
    """Two streams go as one, with only the new points; the caller may reuse its list."""
    session, document = connect(), Document(title="test")
    _, source = plot(document)
    session.store_document(document)
    new = [1]
    source.stream({"x": new, "y": [1.5]}, 10)
    new[0] = 99
    source.stream({"x": [2], "y": [2.5]}, 10)
    session.store_objects(source)
    (event,) = oracle.events()
    assert event["kind"] == "ColumnsStreamed"
    assert event["rollover"] == 10
    assert dict(event["data"]["entries"]) == {"x": [1, 2], "y": [1.5, 2.5]}
    same_documents(oracle.only(), document)


def test_many_streams_become_the_column(connect: Connect, oracle: OracleServer) -> None:
    """Streams that wait grow no longer than the columns: then these are sent whole."""
    session, document = connect(), Document(title="test")
    _, source = plot(document)
    session.store_document(document)
    for number in range(1000):
        source.stream({"x": [number], "y": [float(number)]}, 5)
    assert not session.link(document).pending.sources[source.id].operations
    session.store_objects(source)
    (event,) = oracle.events()
    assert event["kind"] == "ColumnDataChanged"
    same_documents(oracle.only(), document)


def test_arrays_stream_and_patch(connect: Connect, oracle: OracleServer) -> None:
    """Array columns stream and patch in order, as binary buffers."""
    session, document = connect(), Document(title="test")
    source = ColumnDataSource({"x": np.arange(50.0), "y": np.arange(50.0)})
    document.add_root(figure())
    document.roots[0].line("x", "y", source=source)
    session.store_document(document)
    source.stream({"x": np.array([50.0]), "y": np.array([1.0])}, 50)
    source.patch({"y": [(0, -1.0), (slice(2, 4), [7.0, 8.0])]})
    source.stream({"x": np.array([51.0]), "y": np.array([2.0])}, 50)
    session.store_objects(source)
    kinds = [event["kind"] for event in oracle.events()]
    assert kinds == ["ColumnsStreamed", "ColumnsPatched", "ColumnsStreamed"]
    same_documents(oracle.only(), document)


def test_last_value_of_an_attribute(connect: Connect, oracle: OracleServer) -> None:
    """Repeated changes of one attribute are sent as its last value."""
    session, document = connect(), Document(title="test")
    p, _ = plot(document)
    session.store_document(document)
    for number in range(10):
        p.title.text = str(number)
        p.width = 300 + number
    session.store_objects(p)
    assert [event["new"] for event in oracle.events()] == ["9", 309]
    same_documents(oracle.only(), document)


def test_only_the_objects_asked_for(connect: Connect, oracle: OracleServer) -> None:
    """What changed elsewhere waits, and goes with the whole document."""
    session, document = connect(), Document(title="test")
    one, source = plot(document)
    other, _ = plot(document)
    session.store_document(document)
    source.data["y"] = [0.0, 0.0, 0.0]
    other.width = 111
    assert session.store_objects(one) == [source]
    assert session.store_objects(one) == []
    assert session.store_document(document) == [other]
    same_documents(oracle.only(), document)


def test_structures(connect: Connect, oracle: OracleServer) -> None:
    """Layouts, widgets, tabs, moved, removed and returning plots arrive as they are."""
    session, document = connect(), Document(title="test")
    one, _ = plot(document)
    session.store_document(document)
    two, three = figure(), figure()
    two.scatter([1], [2])
    layout = row(two, Slider(start=0, end=1, value=0.5), name="layout")
    document.add_root(layout)
    session.store_document(document)
    same_documents(oracle.only(), document)
    layout.children = [column(three, Button(label="b")), two]
    session.store_objects(layout)
    same_documents(oracle.only(), document)
    document.remove_root(one)
    document.add_root(Tabs(tabs=[TabPanel(child=Div(text="t"), title="x")]))
    document.add_root(gridplot([[figure(), None], [figure(), figure()]]))
    session.store_document(document)
    same_documents(oracle.only(), document)
    document.add_root(one)
    one.line([1, 2], [3, 4])
    session.store_document(document)
    same_documents(oracle.only(), document)


def test_plot_that_left_and_came_back(connect: Connect, oracle: OracleServer) -> None:
    """What changed while a plot was out of the document is sent when it is back."""
    session, document = connect(), Document(title="test")
    layout = row(figure(), figure())
    document.add_root(layout)
    session.store_document(document)
    first, second = layout.children
    document.hold()
    layout.children = [second]
    first.width = 123
    layout.children = [second, first]
    document.unhold()
    session.store_document(document)
    same_documents(oracle.only(), document)


def test_in_place_needs_dirty_only_false(connect: Connect, oracle: OracleServer) -> None:
    """Arrays set in place are not noticed; ``dirty_only=False`` sends them."""
    session, document = connect(), Document(title="test")
    p, source = plot(document)
    source.data = {"x": np.arange(3.0), "y": np.arange(3.0)}
    session.store_document(document)
    source.data["y"][0] = 42.0
    assert session.store_objects(source) == []
    assert source in session.store_objects(p, dirty_only=False)
    same_documents(oracle.only(), document)


def test_lost_answer_is_stored_once(connect: Connect, oracle: OracleServer) -> None:
    """A request whose answer is lost is sent again with its key, and points come once."""
    session, document = connect(), Document(title="test")
    _, source = plot(document)
    session.store_document(document)
    oracle.lose = 3
    source.stream({"x": [4], "y": [4.0]})
    with pytest.raises(ConnectionFailed):
        session.store_objects(source)
    source.stream({"x": [5], "y": [5.0]})
    session.store_objects(source)
    same_documents(oracle.only(), document)
    assert len(source.data["x"]) == 5


def test_refused_change_can_be_mended(connect: Connect, oracle: OracleServer) -> None:
    """After the server refused a patch, the next store sends the state as it is then."""
    session, document = connect(), Document(title="test")
    _, source = plot(document)
    session.store_document(document)
    (stored,) = oracle.documents.values()
    before, stored.document = stored.document, Document()
    source.stream({"x": [4], "y": [4.0]})
    with pytest.raises(InvalidPatch) as failure:
        session.store_objects(source)
    assert any("dirty_only=False" in note for note in failure.value.__notes__)
    stored.document = before
    session.store_objects(source)
    same_documents(oracle.only(), document)


def test_two_scripts_add_to_one_document(connect: Connect, oracle: OracleServer) -> None:
    """Two scripts that load and add keep each other's plots, and no id appears twice."""
    one, two = connect(), connect()
    mine, theirs = Document(), Document()
    one.load_document(mine)
    two.load_document(theirs)
    plot(mine)
    plot(theirs)
    one.store_document(mine)
    two.store_document(theirs)
    assert len(oracle.only().roots) == 2
    one.load_document(mine)
    assert [root.id for root in mine.roots] == [root.id for root in oracle.only().roots]


def test_simple_ids_are_replaced(connect: Connect, oracle: OracleServer) -> None:
    """Models that Bokeh numbered before the session was there get ids of their own."""
    document = Document(title="test")
    p, source = plot(document)
    simple = p.id
    assert simple.removeprefix("p").isdigit()
    session = connect()
    session.store_document(document)
    assert p.id != simple
    assert not p.id.removeprefix("p").isdigit()
    assert document.get_model_by_id(p.id) is p
    source.data["x"] = [3, 2, 1]
    session.store_document(document)
    same_documents(oracle.only(), document)


def test_loading_keeps_identity_and_local_changes(connect: Connect, oracle: OracleServer) -> None:
    """Callbacks run for what changed, models stay the same, what is not stored survives."""
    session, document = connect(), Document(title="test")
    slider, other = Slider(start=0, end=9, value=1), Slider(start=0, end=9, value=1)
    document.add_root(row(slider, other))
    session.store_document(document)
    calls: list[Any] = []
    slider.on_change("value", lambda attr, old, new: calls.append((attr, old, new)))
    session.store_document(document)
    stored = oracle.only()
    stored.get_model_by_id(slider.id).value = 5
    stored.get_model_by_id(other.id).value = 5
    stored.add_root(Div(text="new"))
    next(iter(oracle.documents.values())).seq += 1
    other.value = 7
    session.load_document(document)
    assert calls == [("value", 1, 5)]
    assert (slider.value, other.value) == (5, 7)
    assert document.roots[0].children == [slider, other]
    session.store_document(document)
    same_documents(oracle.only(), document)


def test_loading_what_is_the_same_changes_nothing(connect: Connect, oracle: OracleServer) -> None:
    """Dates, NaN, arrays and lists that are the same on the server stay what they are here."""
    import datetime as dt

    session, document = connect(), Document(title="test")
    dates = [dt.datetime(2020, 1, day, tzinfo=dt.UTC) for day in (1, 2)]
    source = ColumnDataSource(
        {"d": dates, "n": [float("nan"), 1.0], "a": np.array([np.nan, 2.0]), "s": ["a", None],
         "i": np.arange(2), "b": np.array([True, False])}
    )  # fmt: skip
    p = figure(x_axis_type="datetime")
    p.line("d", "n", source=source)
    document.add_root(p)
    session.store_document(document)
    events: list[Any] = []
    document.on_change(lambda event: events.append(event))
    next(iter(oracle.documents.values())).seq += 1
    session.load_document(document)
    assert events == []
    assert source.data["d"] is dates or source.data["d"] == dates
