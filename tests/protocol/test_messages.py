"""Packing, frames and Bokeh's messages."""

from __future__ import annotations

import asyncio
import contextlib
import struct

import orjson
import pytest
from bokeh.protocol import Protocol
from bokeh.protocol.receiver import Receiver as BokehReceiver
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, TextMessage

from bokeh_server.errors import InvalidMessage, TooLarge
from bokeh_server.protocol import (
    Receiver,
    ack,
    binary_frame,
    encode,
    encode_body,
    encode_with,
    error,
    ok,
    pack,
    server_info,
    text_frame,
    unpack,
)

buffers_of_any_kind = st.dictionaries(st.text(max_size=8), st.binary(max_size=50), max_size=5)
HEADER = '{"msgid":"1","msgtype":"PATCH-DOC"}'


def received(data: bytes) -> list[str | bytes]:
    """What a WebSocket client makes of the frames, assembled by wsproto."""
    connection = Connection(ConnectionType.CLIENT)
    connection.receive_data(data)
    messages: list[str | bytes] = []
    part: str | bytes | None = None
    for event in connection.events():
        assert isinstance(event, TextMessage | BytesMessage)
        part = event.data if part is None else part + event.data
        if event.message_finished:
            messages.append(bytes(part) if isinstance(part, bytearray) else part)
            part = None
    return messages


@given(st.binary(max_size=100), buffers_of_any_kind)
def test_packing_loses_nothing(content: bytes, buffers: dict[str, bytes]) -> None:
    """Content, buffers and their order come back as they were."""
    again, back = unpack(pack(content, buffers))
    assert again == content
    assert list(back.items()) == list(buffers.items())


@given(st.data())
def test_damaged_packed_body(data: st.DataObject) -> None:
    """A body that is cut, prolonged or altered is read or refused, and breaks nothing."""
    body = bytearray(pack(b'{"a":1}', {"x": b"12", "yy": b"345"}))
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(InvalidMessage):
        unpack(bytes(body[:cut]))
    with pytest.raises(InvalidMessage):
        unpack(bytes(body) + b"!")
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidMessage):
        unpack(bytes(body))


def test_packed_body_that_promises_much() -> None:
    """Sizes in the head are compared with the body before anything is read or made."""
    for head in (struct.pack("<4sQI", b"BkP1", 2**63, 0), struct.pack("<4sQI", b"BkP1", 0, 2**31)):
        with pytest.raises(InvalidMessage, match="export"):
            unpack(head, "the export")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_frames_of_every_length(size: int) -> None:
    """A client reads frames of all three forms of length."""
    payload = b"a" * size
    assert received(text_frame(payload) + binary_frame(payload)) == [payload.decode(), payload]


@given(buffers_of_any_kind)
def test_bokeh_reads_our_messages(buffers: dict[str, bytes]) -> None:
    """Bokeh's receiver puts our message together again, buffers included."""
    data = encode("PATCH-DOC", b'{"events":[]}', buffers, reqid="r1")
    receiver = BokehReceiver(Protocol())
    message = None
    for part in received(data):
        message = asyncio.run(receiver.consume(part))
    assert message is not None
    assert message.msgtype == "PATCH-DOC"
    assert message.header["reqid"] == "r1"
    assert {each.id: each.to_bytes() for each in message.buffers} == buffers


@given(buffers_of_any_kind)
def test_receiver_reads_what_encode_writes(buffers: dict[str, bytes]) -> None:
    """One message after the other comes out whole, and nothing before its end."""
    receiver = Receiver()
    body = encode_body(b'{"doc":{}}', buffers)
    for number in range(2):
        parts = received(encode_with(body, "PUSH-DOC", reqid=str(number)))
        *early, last = [receiver.feed(part) for part in parts]
        assert early == [None] * (2 + 2 * len(buffers))
        assert last is not None
        assert (last.msgtype, last.reqid) == ("PUSH-DOC", str(number))
        assert (last.content, last.buffers) == (b'{"doc":{}}', buffers)


def test_short_messages() -> None:
    """The fixed replies have the form that Bokeh's clients expect."""
    header, _, content = received(ack())
    assert orjson.loads(header)["msgtype"] == "ACK"
    assert content == "{}"
    header, _, content = received(ok("7"))
    assert orjson.loads(header)["reqid"] == "7"
    _, _, content = received(error("7", "no ü"))
    assert orjson.loads(content) == {"text": "no ü", "traceback": None}
    _, _, content = received(server_info("7"))
    assert set(orjson.loads(content)["version_info"]) == {"bokeh", "server"}


def test_every_message_has_its_own_id() -> None:
    """Headers of a shared body differ."""
    body = encode_body(b"{}", {})
    assert encode_with(body, "OK") != encode_with(body, "OK")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([b"{}"], "binary"),
        (["{"], "not JSON"),
        (["[]"], "not a JSON object"),
        (['{"msgtype":"ACK"}'], "msgid"),
        (['{"msgid":1,"msgtype":"ACK"}'], "msgid"),
        (['{"msgid":"1","msgtype":"ACK","reqid":3}'], "reqid"),
        (['{"msgid":"1","msgtype":"ACK","num_buffers":-1}'], "num_buffers"),
        (['{"msgid":"1","msgtype":"ACK","num_buffers":true}'], "num_buffers"),
        (["[" * 100_000], "not JSON"),
        ([HEADER, "3"], "metadata"),
        ([HEADER, "{}", b"{}"], "content"),
        ([HEADER, "{}", "\ud800"], "UTF-8"),
        ([HEADER[:-1] + ',"num_buffers":1}', "{}", "{}", b"x"], "buffer's header"),
        ([HEADER[:-1] + ',"num_buffers":1}', "{}", "{}", '{"id":1}'], "id"),
        ([HEADER[:-1] + ',"num_buffers":1}', "{}", "{}", '{"id":"a","b":1}'], "id"),
        ([HEADER[:-1] + ',"num_buffers":1}', "{}", "{}", '{"id":"a"}', "text"], "binary"),
        (
            [HEADER[:-1] + ',"num_buffers":2}', "{}", "{}", '{"id":"a"}', b"x", '{"id":"a"}'],
            "twice",
        ),
    ],
)
def test_framing_errors(parts: list[str | bytes], why: str) -> None:
    """What has no place in a message is refused, and the receiver goes on with the next one."""
    receiver = Receiver()
    *good, bad = parts
    for part in good:
        assert receiver.feed(part) is None
    with pytest.raises(InvalidMessage, match=why):
        receiver.feed(bad)
    assert [receiver.feed(part) for part in (HEADER, "{}")] == [None, None]
    assert receiver.feed("{}") is not None


def test_limits() -> None:
    """A message may not be larger, nor have more buffers, than the receiver allows."""
    receiver = Receiver(max_size=200, max_buffers=3)
    with pytest.raises(TooLarge):
        receiver.feed('{"msgid":"1","msgtype":"A","num_buffers":4}')
    with pytest.raises(TooLarge):
        receiver.feed("x" * 201)
    for part in ('{"msgid":"1","msgtype":"A","num_buffers":3}', "{}", "{}", '{"id":"a"}'):
        assert receiver.feed(part) is None
    with pytest.raises(TooLarge):
        receiver.feed(b"x" * 160)
