"""Numbers at the edges of what JSON and JavaScript can say."""

from __future__ import annotations

import pytest
from protocol.wire_documents import document, model

from bokeh_server.errors import InvalidMessage
from bokeh_server.protocol import WireDocument, parse_patch


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
