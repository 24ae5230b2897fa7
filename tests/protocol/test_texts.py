"""Text in columns: no row makes all others take as much memory as the longest."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from protocol.wire_documents import document, model

from bokeh_server.errors import InvalidPatch
from bokeh_server.protocol import Patch, WireDocument
from bokeh_server.protocol.texts import as_stored

LONG = "x" * 50_000
MEGABYTE = 2**20


def rows_of(values: list[Any]) -> WireDocument:
    """A document with a column."""
    data = {"type": "map", "entries": [["x", values]]}
    return document(model("ColumnDataSource", "d", data=data))


def objects(*values: Any) -> dict[str, Any]:
    """An array of objects, as columns of tables come."""
    head = {"type": "ndarray", "dtype": "object", "order": "little"}
    return {**head, "array": list(values), "shape": [len(values)]}


def streamed(value: Any) -> Patch:
    """A patch that appends rows."""
    data = {"type": "map", "entries": [["x", value]]}
    event = {"kind": "ColumnsStreamed", "model": {"id": "d"}, "attr": "data", "data": data}
    return Patch([{**event, "rollover": None}], {})


def patched(index: Any, value: Any) -> Patch:
    """A patch that sets rows."""
    event = {"kind": "ColumnsPatched", "model": {"id": "d"}, "attr": "data"}
    return Patch([{**event, "patches": {"x": [[index, value]]}}], {})


def column(wire: WireDocument) -> Any:
    """The column."""
    found = wire.model_json("d")["attributes"]["data"]["entries"][0][1]
    return found["array"] if isinstance(found, dict) else found


def peak(do: Callable[[], object]) -> int:
    """The most memory that something takes, in bytes."""
    tracemalloc.start()
    try:
        do()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rest", ["a", None], ids=["texts", "with nothing"])
def test_long_texts_beside_objects(rest: str | None) -> None:
    """A long text among many short ones takes what it is long, and what Bokeh makes of it."""
    values = [rest] * 20_000 + [LONG]
    wire = rows_of(values)
    used = peak(lambda: wire.apply(streamed(objects("b"))))
    assert used < 30 * MEGABYTE
    assert column(wire) == [*values, "b"]
    wire.apply(streamed(["c", "d"]))
    assert column(wire) == [*values, "b", "c", "d"]


def test_bokeh_does_the_same() -> None:
    """Texts to which objects are appended become objects, equal to those of Bokeh's document."""
    source = ColumnDataSource({"x": ["a", "bcd"]})
    bokeh = Document()
    bokeh.add_root(source)
    source.stream({"x": np.array(["b", None], dtype=object)})
    wire = rows_of(["a", "bcd"])
    wire.apply(streamed(objects("b", None)))
    assert column(wire) == list(source.data["x"])


def columns_that_grow() -> dict[str, tuple[list[Any], list[Patch]]]:
    """Columns, and what is done to them, of which numpy would make hundreds of megabytes."""
    many = [["a"]] * 3000
    whole = {"type": "slice", "start": 0, "stop": 3001, "step": None}
    text = [*([0.5] * 3000), "a"]
    typed = {"type": "ndarray", "array": {"type": "bytes", "data": {"id": "b"}}}
    return {
        "nested texts beside objects": ([*many, [LONG]], [streamed(objects("b"))]),
        "nested texts beside numbers": (
            [*many, [LONG]],
            [streamed({**typed, "shape": [1], "dtype": "uint8", "order": "little"})],
        ),
        "one long row of text": (text, [streamed(FLOATS), patched(0, LONG * 10)]),
        "a long text in a slice": (
            [*text[:-1], "a"],
            [streamed(FLOATS), patched(whole, [LONG, *["a"] * 3000])],
        ),
    }


BUFFERS = {"b": b"\x01", "f": np.ones(1).tobytes()}
#: an array of one number.
FLOATS = {
    "type": "ndarray",
    "array": {"type": "bytes", "data": {"id": "f"}},
    "shape": [1],
    "dtype": "float64",
    "order": "little",
}


@pytest.mark.parametrize("name", columns_that_grow())
def test_what_would_take_all_memory_is_refused_before_it_does(name: str) -> None:
    """It is refused in words, nothing is changed, and it never took the memory."""
    values, patches = columns_that_grow()[name]
    wire = rows_of(values)
    *before, last = [Patch(each.events, BUFFERS) for each in patches]
    for each in before:
        wire.apply(each)
    state = wire.state()

    def refused() -> None:
        with pytest.raises(InvalidPatch, match="longest"):
            wire.apply(last)

    assert peak(refused) < 100 * MEGABYTE
    assert wire.state() == state


def test_what_was_accepted_once_is_taken_again() -> None:
    """A log that was written before there was a limit, or where the column was another, is read."""
    values = ["a"] * 3000 + [LONG]
    typed = {"type": "ndarray", "array": {"type": "bytes", "data": {"id": "f"}}, "shape": [1]}
    patch = streamed({**typed, "dtype": "float64", "order": "little"})
    with pytest.raises(InvalidPatch, match="longest"):
        rows_of(values).apply(Patch(patch.events, BUFFERS))
    wire = rows_of(values)
    with as_stored():
        wire.apply(Patch(patch.events, BUFFERS))
    assert column(wire) == [*values, "1.0"]


def test_an_array_put_into_rows_once_is_read() -> None:
    """What is refused now, because it does not fit, does not make a document unreadable."""
    head = {"type": "ndarray", "dtype": "uint8", "order": "little", "shape": [2, 2]}
    wide = {**head, "array": {"type": "bytes", "data": {"id": "w"}}}
    slice_of_two = {"type": "slice", "start": 0, "stop": 2, "step": None}
    patch = Patch(patched(slice_of_two, wide).events, {"w": bytes([1, 2, 3, 4])})
    data = {"type": "map", "entries": [["x", objects("a", None, "c")]]}
    wire = document(model("ColumnDataSource", "d", data=data))
    with pytest.raises(InvalidPatch, match="does not fit"):
        wire.apply(patch)
    with as_stored():
        wire.apply(patch)
    assert column(wire) == [[1, 2], [3, 4], "c"]
