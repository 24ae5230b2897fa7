"""What followers get where BokehJS would make something else of rows and patches."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import orjson
import pytest
from protocol.wire_documents import document, model

from bokeh_server.errors import InvalidPatch
from bokeh_server.protocol import Applied, Patch, WireDocument, parse_patch

HEAD = {"model": {"id": "s"}, "attr": "data"}
TYPED = {"type": "typed_array", "array": {"type": "bytes", "data": "H4sIAAEAAAAA/2MAAI3vAtIBAAAA"},
         "order": "little", "dtype": "uint8"}  # fmt: skip
NAN = {"type": "number", "value": "nan"}


def array(dtype: str, *items: Any, shape: list[int] | None = None) -> dict[str, Any]:
    """An array as a flat list, which any dtype may come as."""
    rep = {"type": "ndarray", "array": list(items), "dtype": dtype, "order": "little"}
    return {**rep, "shape": shape or [len(items)]}


def columns(**some: Any) -> dict[str, Any]:
    """Columns."""
    return {"type": "map", "entries": [[name, value] for name, value in some.items()]}


def source(**data: Any) -> WireDocument:
    """A document with a data source."""
    return document(model("ColumnDataSource", "s", data=columns(**data)))


def stream(wire: WireDocument, rollover: int | None = None, **rows: Any) -> Applied:
    """Append rows."""
    event = {**HEAD, "kind": "ColumnsStreamed", "data": columns(**rows), "rollover": rollover}
    return wire.apply(Patch([event], {}))


def patch(wire: WireDocument, index: Any, value: Any) -> Applied:
    """Set something in column x."""
    changes = columns(x=[[index, value]])
    return wire.apply(Patch([{**HEAD, "kind": "ColumnsPatched", "patches": changes}], {}))


def part(start: int | None, stop: int | None) -> dict[str, Any]:
    """A slice."""
    return {"type": "slice", "start": start, "stop": stop, "step": None}


SAME_ROWS = [
    ([1, "a", None], [2], None),
    ([1, 2, 3], [4], 2),
    ([], array("float64", 1.5), None),
    (array("float64", 1, 2), [3, NAN, True], None),
    (array("int32", 1, 2), [3, -4], None),
    (array("int32", 1, 2), array("int8", 3), 2),
    (array("float32", 1, 2), array("float32", 3), 5),
    (array("object", "a"), ["b"], None),
    (array("object", "a", None), [1, NAN, "x", None], 2),
    (array("object", "a"), array("object", 1, "b"), None),
    (array("bool", True), [False], None),
]
OTHER_ROWS = [
    ([1, 2, 3], [4], 0),
    ([1, 2], array("float64", 3), None),
    (array("int32", 1, 2), [0.5], None),
    (array("int32", 1, 2), [2**40], None),
    (array("int8", 1, 2), [3], None),
    (array("float32", 1, 2), [0.1], None),
    (array("float64", 1, 2), [None], None),
    (array("float64", 1, 2), ["3"], None),
    (array("float64", 1, 2, 3, 4), [5], 2),
    (array("int32"), [1], None),
    (array("object", 1, "a"), array("int32", 3), None),
    (array("bool", True), [2], None),
    (array("object"), [], None),
    ([], TYPED, None),
    (array("float64", 1, 2, 3, 4, shape=[2, 2]), [], None),
]


@pytest.mark.parametrize(("old", "new", "rollover"), SAME_ROWS)
def test_rows_that_browsers_append_alike(old: Any, new: Any, rollover: int | None) -> None:
    """They get the rows, at the cost of the rows."""
    assert stream(source(x=old), rollover, x=new).corrected is None


@pytest.mark.parametrize(("old", "new", "rollover"), OTHER_ROWS)
def test_rows_that_browsers_would_change(old: Any, new: Any, rollover: int | None) -> None:
    """Followers get the columns as they are; the log has what was sent, which leads to the same."""
    wire, follower, replay = (source(x=old) for _ in range(3))
    applied = stream(wire, rollover, x=new)
    [event] = orjson.loads(applied.shown[0])["events"]
    assert event["kind"] == "ColumnDataChanged"
    follower.apply(parse_patch(*applied.shown))
    replay.apply(parse_patch(applied.events, applied.buffers))
    assert orjson.loads(applied.events)["events"][0]["kind"] == "ColumnsStreamed"
    assert follower.content() == replay.content() == wire.content()


def test_from_then_on_rows_go_alone() -> None:
    """Whole columns are sent once, not for every row that comes after."""
    wire = source(x=array("int32", 1, 2))
    assert stream(wire, x=[0.5]).corrected is not None
    assert stream(wire, x=[1.5, 7]).corrected is None
    large = source(x=array("int32", 1, 2))
    assert stream(large, x=[2**40]).corrected is not None
    assert stream(large, 2, x=[3]).corrected is None
    assert stream(large, 2, x=[4, 5]).corrected is None
    assert orjson.loads(large.content()[0])["roots"][0]["attributes"]["data"] == columns(
        x=array("object", 4, 5)
    )


@pytest.mark.parametrize(
    ("old", "index", "value", "same"),
    [
        ([1, 2, 3], 1, None, True),
        ([1, 2, 3], part(0, 2), ["a", None], True),
        ([1, 2, 3], part(0, 2), array("bool", True, False), False),
        (array("float64", 1, 2), 0, NAN, True),
        (array("float64", 1, 2), 0, None, False),
        (array("int32", 1, 2), 0, 2.7, True),
        (array("bool", True, False), 0, 5, False),
        (array("float64", 1, 2, 3), part(0, 2), [4, 5], True),
        (array("float64", 1, 2, 3), part(0, 2), 9, False),
        (array("float64", 1, 2, 3, 4, shape=[2, 2]), 0, 5, False),
        (array("float64", 1, 2, 3, 4, shape=[2, 2]), [0, 1], 5, False),
        ([array("float64", 1, 2, 3, 4, shape=[2, 2])], [0, 1, part(None, None)], [8, 9], True),
        ([array("float64", 1, 2, 3, 4, shape=[2, 2])], [0, 1, 1], 9, False),
        ([array("float64", 1, 2, 3, 4, shape=[2, 2])], [0, 1, part(0, 2)], [[8, 9]], False),
        ([array("float64", *range(8), shape=[2, 2, 2])], [0, 1, 1, 1], [9], False),
        ([array("uint8", 1, 2, shape=[1, 2])], [0, 0, 1], [257], True),
        ([array("object", 1, "a", shape=[1, 2])], [0, 0, 1], [True], False),
    ],
)
def test_patches(old: Any, index: Any, value: Any, same: bool) -> None:
    """Patches go as they are only where a browser sets what Python sets."""
    wire, follower = source(x=old), source(x=old)
    applied = patch(wire, index, value)
    assert (applied.corrected is None) is same
    follower.apply(parse_patch(*applied.shown))
    assert follower.content() == wire.content()


def test_new_models_are_told_as_they_came() -> None:
    """Data that is sent instead of an event does not change what the patch told before it."""
    wire, follower = document(model("Row", "r")), document(model("Row", "r"))
    new = model("ColumnDataSource", "s", data=columns(x=array("int32", 1)))
    first = {"kind": "ModelChanged", "model": {"id": "r"}, "attr": "tags", "new": [new]}
    rows = {**HEAD, "kind": "ColumnsStreamed", "data": columns(x=[0.5]), "rollover": None}
    applied = wire.apply(Patch([first, rows, {**rows, "data": columns(x=[1.5])}], {}))
    kinds = [event["kind"] for event in orjson.loads(applied.shown[0])["events"]]
    assert kinds == ["ModelChanged", "ColumnDataChanged", "ColumnsStreamed"]
    follower.apply(parse_patch(*applied.shown))
    assert follower.content() == wire.content()


def test_very_large_columns_are_pulled_again() -> None:
    """Rather than sent with a patch."""
    data = np.zeros(600_000).tobytes()
    rep = {"type": "ndarray", "array": {"type": "bytes", "data": {"id": "0"}}, "dtype": "float64",
           "order": "little", "shape": [600_000]}  # fmt: skip
    doc = {"roots": [model("ColumnDataSource", "s", data=columns(x=rep))]}
    wire = WireDocument.from_json(doc, {"0": data})
    assert patch(wire, 0, None).resync


def test_models_that_only_callbacks_have() -> None:
    """They come back as they are sent, and whoever follows pulls: Bokeh has them by no id."""
    call = model("CustomJS", "c", args={"type": "map", "entries": [["d", model("Div", "d")]]})
    callbacks = {"type": "map", "entries": [["document_ready", [call]]]}
    wire = document(model("Row", "r"), callbacks=callbacks)
    new = model("Div", "d", text="new")
    event = {"kind": "ModelChanged", "model": {"id": "r"}, "attr": "children", "new": [new]}
    assert wire.apply(Patch([event], {})).resync
    assert wire.model_json("d")["attributes"] == {"text": "new"}
    event = {"kind": "ModelChanged", "model": {"id": "d"}, "attr": "text", "new": "known"}
    assert not wire.apply(Patch([event], {})).resync


def test_undo() -> None:
    """What was appended, widened and set is taken back, and what browsers were to be told."""
    wire = source(x=array("int32", 1, 2))
    before = wire.content()
    for make in (lambda: stream(wire, x=[0.5]), lambda: patch(wire, 0, 7)):
        applied = make()
        assert applied.undo is not None
        applied.undo()
        assert wire.content() == before
    assert stream(wire, x=[3]).corrected is None


def test_objects_are_put_back_as_they_were() -> None:
    """A refused patch leaves an array of anything as it was, not with arrays around its items."""
    wire = source(x=array("object", None, [1], "a"), y=array("uint8", 1, 2, 3))
    before = wire.state()
    good = {**HEAD, "kind": "ColumnsPatched", "patches": columns(x=[[0, 5], [1, 6]])}
    bad = {**HEAD, "kind": "ColumnsPatched", "patches": columns(y=[[0, "word"]])}
    with pytest.raises(InvalidPatch):
        wire.apply(Patch([good, bad], {}))
    assert wire.state() == before
    applied = wire.apply(Patch([good], {}))
    assert applied.undo is not None
    applied.undo()
    assert wire.state() == before


@pytest.mark.alone
def test_a_row_costs_what_a_row_costs() -> None:
    """Finding out whether browsers do the same does not look at the rows that are there."""

    def seconds(count: int) -> float:
        wire = source(x=[0.5] * count, y=array("float64", *([0.5] * count)))
        stream(wire, x=[1], y=[1])
        began = time.perf_counter()
        for _ in range(200):
            stream(wire, count, x=[1.5], y=[2.5])
        return time.perf_counter() - began

    assert seconds(200_000) < 5 * min(seconds(1_000) for _ in range(3)) + 0.05
