"""Whatever a client sends: a clear error and the document as it was, or a document that loads."""

from __future__ import annotations

import base64
import copy
import gzip
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bokeh_server.errors import BadRequest, InvalidMessage, InvalidPatch
from bokeh_server.protocol import Patch, WireDocument, parse_patch
from bokeh_server.protocol.arrays import deflate

Event = dict[str, Any]
BYTES = np.arange(3.0).tobytes()
BUFFERS = {"b": BYTES}


def ndarray(**changes: Any) -> Event:
    """A good array, but for the changes."""
    good = {"type": "bytes", "data": {"id": "b"}}
    rep = {"type": "ndarray", "array": good, "shape": [3], "dtype": "float64", "order": "little"}
    return {**rep, **changes}


def columns(**data: Any) -> Event:
    """Columns in wire form."""
    return {"type": "map", "entries": [[name, column] for name, column in data.items()]}


def model(name: str, model_id: str, /, **attributes: Any) -> Event:
    """A model in full."""
    return {"type": "object", "name": name, "id": model_id, "attributes": attributes}


def make() -> WireDocument:
    """A document with a data source of four columns and a slider."""
    data = columns(x=[1, 2, 3], y=ndarray(), t=["a", "b", "c"], image=[ndarray(shape=[3, 1])] * 3)
    source = model("ColumnDataSource", "src", data=data)
    slider = model("Slider", "sl", value=1, tags=[{"id": "src"}])
    return WireDocument.from_json({"roots": [source, slider]}, BUFFERS)


def changed(new: Any, attr: Any = "value", target: Any = None) -> Event:
    """A ModelChanged event."""
    return {"kind": "ModelChanged", "model": target or {"id": "sl"}, "attr": attr, "new": new}


def data_changed(data: Any, cols: Any = None) -> Event:
    """A ColumnDataChanged event."""
    head = {"kind": "ColumnDataChanged", "model": {"id": "src"}, "attr": "data"}
    return {**head, "data": data, "cols": cols}


def streamed(data: Any, rollover: Any = None) -> Event:
    """A ColumnsStreamed event."""
    head = {"kind": "ColumnsStreamed", "model": {"id": "src"}, "attr": "data"}
    return {**head, "data": data, "rollover": rollover}


def patched(column: str, index: Any, value: Any) -> Event:
    """A ColumnsPatched event of one patch."""
    head = {"kind": "ColumnsPatched", "model": {"id": "src"}, "attr": "data"}
    return {**head, "patches": columns(**{column: [[index, value]]})}


def part(start: Any, stop: Any, step: Any = None) -> Event:
    """A slice."""
    return {"type": "slice", "start": start, "stop": stop, "step": step}


def row(**changes: Any) -> Event:
    """One row for every column."""
    return columns(**{"x": [4], "y": [4.0], "t": ["d"], "image": [[1]], **changes})


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


ONE_BYTE = base64.b64encode(gzip.compress(b"a")).decode()
BOMB = base64.b64encode(gzip.compress(bytes(129 * 1024 * 1024), 1)).decode()

BAD = {
    "unknown kind": ({"kind": "Nonsense"}, "Nonsense"),
    "no model": ({"kind": "ModelChanged", "attr": "a", "new": 1}, "no model"),
    "model is a number": (changed(1, target=3), "no model"),
    "model id is a number": (changed(1, target={"id": 3}), "no model"),
    "unknown model": (changed(1, target={"id": "p9"}), "'p9'"),
    "attribute is a number": (changed(1, attr=5), "'attr'"),
    "no new value": ({"kind": "ModelChanged", "model": {"id": "sl"}, "attr": "a"}, "'new'"),
    "reference to an unknown model": (changed([{"id": "p9"}]), "'value' of Slider 'sl'.*'p9'"),
    "reference inside a new model": (changed(model("Div", "d", tags=[{"id": "p9"}])), "Div 'd'"),
    "reference with a number": (changed({"id": 9}), "not a string"),
    "another model's id": (changed(model("Div", "src")), "ColumnDataSource 'src'.*Div"),
    "two models of one id": (changed([model("Div", "n"), model("Row", "n")]), "'n'"),
    "model without name": (changed({"type": "object", "id": "n"}), "no name"),
    "attributes are a list": (changed({"type": "object", "name": "A", "attributes": []}), "attrib"),
    "type of Bokeh's that is none": (changed({"type": "nonsense"}), "nonsense"),
    "type is a list": (changed({"type": []}), "Bokeh does not have"),
    "symbol": (changed({"type": "symbol", "name": "a"}), "symbol"),
    "number that is none": (changed({"type": "number", "value": "many"}), "many"),
    "number that is a list": (changed({"type": "number", "value": []}), "not a number"),
    "entries are a number": (changed({"type": "set", "entries": 3}), "entries"),
    "map's entries are a number": (changed({"type": "map", "entries": 3}), "entries"),
    "map's entry is no pair": (changed({"type": "map", "entries": [[1]]}), "pair"),
    "slice of strings": (changed(part("a", 2)), "slice"),
    "400 lists": (changed(nested(400)), "deep"),
    "unknown buffer": (changed(ndarray(array={"type": "bytes", "data": {"id": "x"}})), "'x'"),
    "bytes without data": (changed({"type": "bytes"}), "no data"),
    "not base64": (changed({"type": "bytes", "data": "*"}), "base64"),
    "not gzip": (changed({"type": "bytes", "data": "aGFsbG8="}), "gzip"),
    "cut gzip": (changed({"type": "bytes", "data": "H4sIAAAAAAAAAA=="}), "cut off"),
    "unpacks to 129 MB": (changed({"type": "bytes", "data": BOMB}), "too much"),
    "dtype that Bokeh has not": (changed(ndarray(dtype="complex128")), "complex128"),
    "dtype is a list": (changed(ndarray(dtype=[])), "dtype"),
    "wrong dtype": (changed(ndarray(dtype="float32")), "24 bytes, not 12"),
    "wrong shape": (changed(ndarray(shape=[4])), "24 bytes, not 32"),
    "negative shape": (changed(ndarray(shape=[-3])), "shape"),
    "shape is a number": (changed(ndarray(shape=3)), "shape"),
    "shape of huge numbers": (changed(ndarray(shape=[2**60, 2**60])), "shape"),
    "shape of true": (changed(ndarray(shape=[True])), "shape"),
    "wrong order": (changed(ndarray(order="middle")), "middle"),
    "array is a string": (changed(ndarray(array="abc")), "neither"),
    "list of another length": (changed(ndarray(array=[1], dtype="object")), "1 items, not 3"),
    "words as numbers": (changed(ndarray(array=["a", "b", "c"])), "float64"),
    "objects as bytes": (changed(ndarray(dtype="object")), "objects"),
    "typed array of bool": (
        changed(
            {
                "type": "typed_array",
                "array": {"type": "bytes", "data": {"id": "b"}},
                "order": "little",
                "dtype": "bool",
            }
        ),
        "bool",
    ),
    "typed array of half numbers": (
        changed(
            {
                "type": "typed_array",
                "array": {"type": "bytes", "data": ONE_BYTE},
                "order": "little",
                "dtype": "int32",
            }
        ),
        "whole int32",
    ),
    "data is a list": (data_changed([1]), "'data' of ColumnDataSource 'src'.*map of columns"),
    "data by ModelChanged is a list": (changed([1], "data", {"id": "src"}), "map of columns"),
    "column is a number": (data_changed(columns(x=1)), "column 'x'"),
    "column is a map": (data_changed(columns(x={"type": "map"})), "column 'x'"),
    "column name is a number": (data_changed({"type": "map", "entries": [[1, []]]}), "names"),
    "column twice": (data_changed({"type": "map", "entries": [["a", []], ["a", []]]}), "different"),
    "lengths that disagree": (data_changed(columns(x=[1], y=[1, 2])), r"length.*x 1, y 2"),
    "one column of another length": (data_changed(columns(x=[1]), ["x"]), "differ in length"),
    "cols is a word": (data_changed(row(), "x"), "cols"),
    "new source that disagrees": (
        changed(model("ColumnDataSource", "n", data=columns(a=[1], b=[]))),
        "'n' differ",
    ),
    "stream without columns": (streamed(columns(x=[1])), "missing"),
    "stream with another column": (streamed(row(z=[1])), "'data'.*z"),
    "stream of different lengths": (streamed(row(x=[1, 2])), "differ in length"),
    "stream of a number": (streamed(row(x=1)), "column 'x'"),
    "stream of a table": (streamed(row(y=ndarray(shape=[1, 3]))), "flat"),
    "stream of words to numbers": (
        streamed(
            row(
                y=[
                    {"type": "map"},
                ]
            )
        ),
        None,
    ),
    "stream to a slider": ({**streamed(row()), "model": {"id": "sl"}}, None),
    "stream to another attribute": ({**streamed(row()), "attr": "name"}, "'data'"),
    "negative rollover": (streamed(row(), -1), "rollover"),
    "rollover of true": (streamed(row(), True), "rollover"),
    "rollover with a fraction": (streamed(row(), 1.5), "rollover"),
    "patch of an unknown column": (patched("z", 0, 1), "'z'"),
    "patches are a list": ({**patched("x", 0, 1), "patches": [1]}, "map of columns"),
    "patches of a column are a number": ({**patched("x", 0, 1), "patches": columns(x=1)}, "list"),
    "patch is no pair": ({**patched("x", 0, 1), "patches": columns(x=[[0]])}, "pair"),
    "index out of range": (patched("x", 3, 1), "index 3 .* 3 rows"),
    "index out of range of an array": (patched("y", 3, 1), "column 'y'"),
    "negative index": (patched("x", -1, 1), "range"),
    "index is true": (patched("x", True, 1), "index"),
    "index is a word": (patched("x", "a", 1), "index"),
    "slice out of range": (patched("x", part(0, 4), [1, 2, 3, 4]), "range"),
    "slice backwards": (patched("x", part(2, 1), []), "before it starts"),
    "slice with negative step": (patched("x", part(0, 2, -1), []), "negative"),
    "slice with step 0": (patched("x", part(0, 2, 0), []), "step of 0"),
    "too many values": (patched("x", part(0, 2), [1, 2, 3]), "3 values .* 2 rows"),
    "one value for a slice": (patched("x", part(0, 2), 1), "list of values"),
    "word into numbers": (patched("y", 0, "word"), "cannot take"),
    "list into a number": (patched("y", 0, [1, 2]), "cannot take"),
    "index into a number": (patched("x", [0, 0], [1]), "not an array"),
    "index of one number": (patched("image", [0], [1]), "index"),
    "indices that are too few": (patched("image", [0, 0], [1]), r"1 indices .* \[3, 1\]"),
    "inner index out of range": (patched("image", [0, 5, 0], [1]), "index 5"),
    "inner values of another number": (patched("image", [0, part(0, 2), 0], [1]), "cannot take"),
    "title is a number": ({"kind": "TitleChanged", "title": 3}, "title"),
    "root is a number": ({"kind": "RootAdded", "model": 3}, "no model"),
    "root that is unknown": ({"kind": "RootAdded", "model": {"id": "p9"}}, "'p9'"),
    "root removed that is unknown": ({"kind": "RootRemoved", "model": {"id": "p9"}}, "'p9'"),
    "message of type 3": ({"kind": "MessageSent", "msg_type": 3}, "msg_type"),
    "message about an unknown model": (
        {"kind": "MessageSent", "msg_type": "a", "msg_data": {"id": "p9"}},
        "'p9'",
    ),
}
FINE = {"stream of words to numbers", "stream to a slider"}
GOOD = [
    streamed(row(), 3),
    patched("x", 0, 7),
    patched("image", [1, 0, 0], [5.0]),
    data_changed(columns(x=[7, 8, 9]), ["x"]),
    changed(model("Div", "new", text="t")),
    {"kind": "TitleChanged", "title": "other"},
    {"kind": "RootAdded", "model": model("Div", "root")},
    {"kind": "RootRemoved", "model": {"id": "sl"}},
]


def said(wire: WireDocument) -> tuple[object, ...]:
    """Everything a document says and remembers."""
    return (wire.state(), wire.content(), wire.plots(), wire.title, wire.roots)


@pytest.mark.parametrize("name", [name for name in BAD if name not in FINE])
def test_bad_event_changes_nothing(name: str) -> None:
    """A bad event is refused with a clear sentence, and good ones before it are taken back."""
    bad, why = BAD[name]
    wire = make()
    before = said(wire)
    with pytest.raises(InvalidPatch, match=why) as caught:
        wire.apply(Patch([*GOOD, bad], BUFFERS))
    assert "Could not apply the patch" in str(caught.value)
    assert said(wire) == before
    wire.apply(Patch(GOOD, BUFFERS))
    WireDocument.from_state(*wire.state())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[1]", b"3", b'{"events":3}', b'{"events":[3]}', b'{"events":[{}]}',
     b'{"events":[{"kind":3}]}', b"[" * 100_000, b'{"a":' * 100_000, b'{"events":[NaN]}',
     b'{"events":[{"kind":"TitleChanged","title":"\\ud800"}]}'],
)  # fmt: skip
def test_bad_json(content: bytes) -> None:
    """What is no patch at all is refused before anything looks into it."""
    with pytest.raises(BadRequest):
        parse_patch(content, {})


def test_huge_numbers() -> None:
    """Integers that no number of JavaScript can hold are kept as near as JSON can."""
    wire = make()
    content = b'{"events":[{"kind":"ModelChanged","model":{"id":"sl"},"attr":"value","new":%b}]}'
    wire.apply(parse_patch(content % b"123456789012345678901234567890", {}))
    assert wire.model_json("sl")["attributes"]["value"] == pytest.approx(1.2345678901234568e29)
    with pytest.raises(InvalidPatch):
        wire.apply(Patch([changed(10**30)], {}))


def grow_chain(wire: WireDocument, length: int) -> None:
    """Hang the only root below a new one, again and again."""
    for number in range(length):
        tail = {"id": f"m{number - 1}"} if number else None
        link = {"kind": "RootAdded", "model": model("Div", f"m{number}", tags=[tail])}
        rest = [{"kind": "RootRemoved", "model": tail}] if number else []
        wire.apply(Patch([link, *rest], {}))


def test_bad_events_of_a_deep_chain() -> None:
    """Models that refer to each other in a long chain are refused before no reader can follow."""
    wire = make()
    with pytest.raises(InvalidPatch, match="nested"):
        grow_chain(wire, 400)
    orjson.loads(wire.content()[0])
    flat = [model("Div", f"c{n}", tags=[{"id": f"c{n + 1}"}]) for n in range(400)]
    with pytest.raises(InvalidPatch, match="nested"):
        wire.apply(Patch([changed([*flat, model("Div", "c400")])], {}))


@pytest.mark.parametrize(
    ("doc", "why"),
    [
        ([], "not an object"),
        ({"roots": 3}, "roots"),
        ({"roots": [3]}, "not a model"),
        ({"roots": [{"id": "p9"}]}, "'p9'"),
        ({"roots": [model("Div", "a"), {"id": "a"}]}, "twice"),
        ({"title": 3}, "title"),
        ({"version": 3}, "version"),
        ({"config": 3}, "configuration"),
        ({"defs": 3}, "definitions"),
        ({"defs": [{"name": nested(400)}]}, "deep"),
        ({"defs": nested(400)}, "definitions"),
        ({"callbacks": {"type": "nonsense"}}, "nonsense"),
        ({"roots": [model("ColumnDataSource", "a", data=columns(a=[1], b=[]))]}, "length"),
    ],
)
def test_bad_document(doc: Any, why: str) -> None:
    """A document that cannot be read replaces nothing."""
    wire = make()
    before = said(wire)
    with pytest.raises(InvalidPatch, match=why):
        WireDocument.from_json(doc, {})
    with pytest.raises(InvalidPatch, match=why):
        wire.replace(doc, {})
    assert said(wire) == before


def test_bad_snapshot() -> None:
    """Bytes that are no snapshot are refused."""
    for content in (b"{", b"3", b'{"kept":3,"models":[]}', b'{"kept":{},"models":3}'):
        with pytest.raises((InvalidMessage, InvalidPatch)):
            WireDocument.from_state(content, {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["id", "src", "", "nan", "b"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["id", "type", "name", "entries", "kind", "data", "attributes"]), inner,
        max_size=3,
    ),
    max_leaves=5,
)  # fmt: skip


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [path, *(spot for key, inner in items for spot in spots(inner, (*path, key)))]


@st.composite
def damaged_events(draw: st.DrawFn) -> list[Event]:
    """Good events of which a few parts were replaced by something else."""
    events = copy.deepcopy(draw(st.lists(st.sampled_from(GOOD), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([spot for spot in spots(events) if len(spot) > 1]))
        place: Any = events
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = draw(json_values)
    return events


@settings(max_examples=400, deadline=None)
@given(damaged_events())
def test_damaged_patches(events: list[Event]) -> None:
    """Nothing else than a clear error comes of damage, and what is taken can be read again."""
    wire = make()
    before = said(wire)
    try:
        applied = wire.apply(parse_patch(orjson.dumps({"events": events}), BUFFERS))
    except BadRequest:
        assert said(wire) == before
        return
    assert WireDocument.from_state(*wire.state()).content() == wire.content()
    follower = make()
    follower.apply(parse_patch(applied.events, applied.buffers))
    assert orjson.loads(follower.content(inline=True)[0]) == orjson.loads(
        wire.content(inline=True)[0]
    )


@pytest.mark.parametrize("kind", ['"bytes"', '"b\\u0079tes"'])
def test_what_may_unpack_to_much_weighs_much(kind: str) -> None:
    """However the word is written: no inline array unpacks to more than its patch weighs."""
    text = deflate(bytes(1_000_000))
    content = b'{"events":[{"kind":"x","new":{"type":%b,"data":"%b"}}]}'
    patch = parse_patch(content % (kind.encode(), text.encode()), {"0": bytes(10)})
    assert patch.weight > 1_000_000
    light = parse_patch(b'{"events":[]}', {"0": bytes(10)})
    assert light.weight == 23
