"""Random changes to a document with large arrays and long lists, for tests of snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from hypothesis import strategies as st

from bokeh_server.protocol import Patch, WireDocument
from bokeh_server.protocol.chunks import CHUNK_BYTES, CHUNK_ROWS
from bokeh_server.protocol.columns import Columns
from bokeh_server.protocol.growing import GrowingArray

__all__ = ["ROWS", "edits", "inside", "large_document", "patch_of", "said"]

#: three chunks of an array, and six of a list, with something left over.
ROWS = 3 * CHUNK_BYTES // 8 + 100

Event = dict[str, Any]

_sizes = st.sampled_from([1, 7, CHUNK_ROWS, CHUNK_BYTES // 8, ROWS])
_rollovers = st.sampled_from([None, 10, CHUNK_ROWS, ROWS - 1, ROWS, 2 * ROWS])

#: on both sides of what fits into 32 bits, and into a float.
_values = st.sampled_from([0, 7, -1, 2**31 - 1, 2**31, 2**32, 2**53 + 1, -(2**40)])

#: what :func:`patch_of` makes a patch of: the kind of edit and its numbers.
edits = st.one_of(
    st.tuples(st.just("stream"), _sizes, _rollovers),
    st.tuples(st.just("stream integers"), _sizes, _rollovers),
    st.tuples(st.just("stream arrays of integers"), _sizes, _rollovers),
    st.tuples(st.just("stream arrays"), _sizes, _rollovers),
    st.tuples(st.just("patch"), st.integers(0, ROWS - 1), _values),
    st.tuples(st.just("patch slice"), st.integers(0, ROWS - 9), _values),
    st.tuples(st.just("column"), _sizes, st.integers(0, 9)),
    st.tuples(st.just("lists"), _sizes, _values),
    st.tuples(st.just("words"), _sizes, st.sampled_from(["", "a", "longer than a word"])),
    st.tuples(st.just("swap root"), st.integers(0, 4), st.integers(0, 9)),
    st.tuples(st.just("title"), st.integers(0, 3), st.none()),
    st.tuples(st.just("refused"), st.integers(1, 9), st.none()),
    st.tuples(st.just("replace"), st.integers(0, 3), st.none()),
)


def _array(values: Any, dtype: str = "float64") -> tuple[Event, bytes]:
    made = np.asarray(values, dtype=dtype)
    rep = {"type": "ndarray", "shape": list(made.shape), "dtype": dtype, "order": "little"}
    return {**rep, "array": {"type": "bytes", "data": {"id": "b"}}}, made.tobytes()


def large_document(seed: int = 0) -> tuple[Event, dict[str, bytes]]:
    """A data source "d" with an array and a list, and a few small roots."""
    array, data = _array(np.arange(ROWS) + seed)
    columns = {"type": "map", "entries": [["a", array], ["l", list(range(ROWS))]]}
    source = {"type": "object", "name": "ColumnDataSource", "id": "d"}
    roots = [{**source, "attributes": {"data": columns}}, *map(_root, range(3))]
    return {"roots": roots, "title": f"large {seed}"}, {"b": data}


def inside(wire: WireDocument) -> tuple[object, dict[str, str]]:
    """All that later changes depend on: what is shown, and of what types columns are."""
    source = wire.models.get("d")
    data = None if source is None else source.attributes["data"]
    columns = data.items() if isinstance(data, Columns) else ()
    types = {
        name: str(column.values.dtype)
        for name, column in columns
        if isinstance(column, GrowingArray)
    }
    return said(wire), types


def said(wire: WireDocument) -> object:
    """What a document says and remembers, in whatever order its models are kept."""
    return wire.content(), orjson.loads(wire.state()[0])["kept"]["memory"]


def _root(number: int) -> Event:
    head = {"type": "object", "name": "Div", "id": f"r{number}"}
    return {**head, "attributes": {"text": str(number), "name": f"root {number}"}}


def patch_of(edit: tuple[str, int, Any]) -> Patch:
    """The patch of an edit; the document may refuse it."""
    kind, first, second = edit
    data = {"model": {"id": "d"}, "attr": "data"}
    if kind.startswith("stream"):
        array, raw = _array(np.arange(first), "int32" if "integers" in kind else "float64")
        words = array if "arrays" in kind else [0.5] * first
        new = {"type": "map", "entries": [["a", array], ["l", words]]}
        return Patch(
            [{"kind": "ColumnsStreamed", **data, "data": new, "rollover": second}], {"b": raw}
        )
    if kind.startswith("patch"):
        where = (
            first
            if kind == "patch"
            else {"type": "slice", "start": first, "stop": first + 2, "step": None}
        )
        value = second if kind == "patch" else [second, second]
        changes = {"type": "map", "entries": [["a", [[where, value]]], ["l", [[where, value]]]]}
        return Patch([{"kind": "ColumnsPatched", **data, "patches": changes}], {})
    if kind in ("lists", "words"):
        new = {"type": "map", "entries": [["a", [second] * first], ["l", [second] * first]]}
        return Patch([{"kind": "ColumnDataChanged", **data, "data": new, "cols": None}], {})
    if kind == "column":
        array, raw = _array(np.arange(first) * second)
        new = {"type": "map", "entries": [["a", array], ["l", [second] * first]]}
        return Patch([{"kind": "ColumnDataChanged", **data, "data": new, "cols": None}], {"b": raw})
    return Patch(_others(kind, first, second), {})


def _others(kind: str, first: int, second: Any) -> list[Event]:
    if kind == "swap root":
        gone = {"kind": "RootRemoved", "model": {"id": f"r{first}"}}
        come = {"kind": "RootAdded", "model": _root(first)}
        return [gone, come] if second % 2 else [gone]
    if kind == "title":
        return [{"kind": "TitleChanged", "title": f"title {first}"}]
    if kind == "replace":
        return [{"kind": "DocumentReplaced", "doc": {"roots": [_root(first)], "title": "other"}}]
    streamed = {"kind": "ColumnsStreamed", "model": {"id": "d"}, "attr": "data", "rollover": 5}
    new = {"type": "map", "entries": [["a", [1.0] * first], ["l", [1.0] * (first + 1)]]}
    return [
        {**streamed, "data": {"type": "map", "entries": [["a", [1]], ["l", [1]]]}},
        {**streamed, "data": new},
    ]
