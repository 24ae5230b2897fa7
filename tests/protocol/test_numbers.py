"""Numbers at the edges of what JSON and JavaScript can say."""

from __future__ import annotations

import numpy as np
import pytest
from protocol.saved import Saved
from protocol.wire_documents import document, model

from bokeh_server.errors import InvalidMessage, InvalidPatch
from bokeh_server.protocol import Patch, WireDocument, parse_patch


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9007199254740993", 9007199254740993),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 1.8446744073709552e19),
        ("-9223372036854775809", -9.223372036854776e18),
        ("1e-400", 0.0),
        ('{"type":"number","value":"-inf"}', {"type": "number", "value": "-inf"}),
        ('1,"new":2', 2),
    ],
)
def test_numbers_as_they_come(text: str, number: object) -> None:
    """Large whole numbers stay whole while 64 bits hold them; of one key twice, the last counts,
    here and for whoever follows."""
    wire, follower = document(model("Div", "d")), document(model("Div", "d"))
    head = b'{"events":[{"kind":"ModelChanged","model":{"id":"d"},"attr":"a","new":'
    applied = wire.apply(parse_patch(head + text.encode() + b"}]}", {}))
    follower.apply(parse_patch(*applied.shown))
    for each in (wire, follower, WireDocument.from_state(*wire.state())):
        assert each.model_json("d")["attributes"] == {"a": number}


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e400", "-1e400"])
def test_numbers_that_json_does_not_have(text: str) -> None:
    """They are refused; the message says how they are written."""
    head = b'{"events":[{"kind":"ModelChanged","model":{"id":"d"},"attr":"a","new":'
    with pytest.raises(InvalidMessage, match="nan"):
        parse_patch(head + text.encode() + b"}]}", {})


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64", "bool"])
def test_numbers_of_an_array_among_objects(dtype: str) -> None:
    """Rows of an array of objects that an array is put into can be written and read again."""
    objects = {"type": "ndarray", "array": ["a", 1, None, 2.5], "shape": [4], "dtype": "object"}
    data = {"type": "map", "entries": [["x", {**objects, "order": "little"}]]}
    wire = document(model("ColumnDataSource", "d", data=data))
    new = np.array([1, 0], dtype=dtype)
    head = {"type": "ndarray", "shape": [2], "dtype": dtype, "order": "little"}
    value = {**head, "array": {"type": "bytes", "data": {"id": "b"}}}
    patches = {"x": [[{"type": "slice", "start": 0, "stop": 2, "step": None}, value]]}
    event = {"kind": "ColumnsPatched", "model": {"id": "d"}, "attr": "data", "patches": patches}
    wire.apply(Patch([event], {"b": new.tobytes()}))
    for each in (wire, Saved().save(wire).load(), WireDocument.from_state(*wire.state())):
        found = each.model_json("d")["attributes"]["data"]["entries"][0][1]
        assert found["array"] == [1, 0, None, 2.5]
    both = np.ones((2, 3), dtype=dtype)
    wide = {**value, "shape": [2, 3]}
    event["patches"] = {"x": [[{"type": "slice", "start": 0, "stop": 2, "step": None}, wide]]}
    with pytest.raises(InvalidPatch, match="does not fit into rows"):
        wire.apply(Patch([event], {"b": both.tobytes()}))
