"""Messages from bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bokeh_server.sockets import Limits
from bokeh_server.sockets.control import close_frame, ping_frame, pong_frame
from bokeh_server.sockets.reader import Closed, Failed, Incoming, Pinged, Ponged, Reader
from support.rawsocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

LIMITS = Limits(max_message=1000, max_fragments=10)


def read(data: bytes, step: int | None = None, limits: Limits = LIMITS) -> list[Incoming]:
    """Everything that a reader makes of bytes that come in steps."""
    reader, found = Reader(limits), list[Incoming]()
    step = step or max(len(data), 1)
    for start in range(0, len(data), step):
        found += reader.feed(data[start : start + step])
    return found


@given(st.lists(st.text(max_size=50) | st.binary(max_size=50), max_size=10), st.integers(1, 60))
def test_messages_come_whole_however_the_bytes_arrive(
    messages: list[str | bytes], step: int
) -> None:
    """Text as ``str``, binary as ``bytes``, in order."""
    data = b"".join(
        frame(TEXT, one.encode()) if isinstance(one, str) else frame(BINARY, one)
        for one in messages
    )
    assert read(data, step) == messages


@given(st.binary(min_size=1, max_size=200), st.integers(1, 9), st.integers(1, 300))
def test_fragments_are_put_together(payload: bytes, pieces: int, step: int) -> None:
    """With control frames between them, which come at once."""
    size = -(-len(payload) // pieces)
    parts = [payload[i : i + size] for i in range(0, len(payload), size)]
    data = b""
    for number, part in enumerate(parts):
        data += frame(CONTINUATION if number else BINARY, part, fin=number == len(parts) - 1)
        data += frame(PING, b"%d" % number)
    found = read(data, step)
    assert [one for one in found if not isinstance(one, Pinged)] == [payload]
    assert [one for one in found if isinstance(one, Pinged)] == [
        Pinged(b"%d" % number) for number in range(len(parts))
    ]


def test_a_header_that_comes_in_pieces_is_counted_once() -> None:
    """wsproto reads a header again for as long as its mask is missing."""
    whole = frame(BINARY, bytes(500), fin=False) + frame(CONTINUATION, bytes(500))
    assert read(whole, 1) == [bytes(1000)]


def test_a_character_may_be_split_between_fragments() -> None:
    """The bytes of a character are put together before they are text."""
    euro = "€".encode()
    data = frame(TEXT, euro[:1], fin=False) + frame(CONTINUATION, euro[1:])
    assert read(data, 1) == ["€"]


@pytest.mark.parametrize(
    "data",
    [
        frame(BINARY, bytes(1001))[:10],
        frame(BINARY, bytes(600), fin=False) + frame(CONTINUATION, bytes(401))[:10],
    ],
)
def test_the_size_is_known_before_the_bytes_have_come(data: bytes) -> None:
    """Before and after reassembly: a header is enough to refuse, with 1009."""
    assert read(data)[-1] == Failed(1009, "a message may have 1,000 bytes")


def test_the_number_of_fragments_is_limited() -> None:
    """Empty ones count; those of the message before do not."""
    whole = frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 8 + frame(CONTINUATION)
    assert read(whole * 3) == ["", "", ""]
    assert read(whole[:-6] + frame(CONTINUATION, fin=False) * 2)[-1] == Failed(
        1009, "a message may have 10 fragments"
    )


def test_a_message_in_single_bytes_costs_little_memory() -> None:
    """Bytes that come one by one are put together in groups."""
    payload = bytes(range(250)) * 40
    limits = Limits(max_message=20_000)
    assert read(frame(BINARY, payload), 1, limits) == [payload]
    assert read(frame(TEXT, b"a" * 10_000), 1, limits) == ["a" * 10_000]


def test_after_the_close_nothing_is_read() -> None:
    """Neither frames nor anything else."""
    assert read(frame(CLOSE, b"\x03\xe8") + frame(TEXT, b"x") + b"GET / HTTP/1.1") == [Closed(1000)]
    assert read(frame(CLOSE)) == [Closed(1005)]


def test_pongs_are_told() -> None:
    """Whether asked for or not."""
    assert read(frame(PONG, b"x")) == [Ponged()]


def test_a_failure_is_told_apart_from_a_close_of_the_peer() -> None:
    """The peer may close with 1002 itself."""
    assert read(frame(CLOSE, b"\x03\xea")) == [Closed(1002)]
    assert isinstance(read(frame(3))[0], Failed)


@settings(max_examples=500)
@given(st.binary(max_size=300), st.integers(1, 50))
def test_no_bytes_break_the_reader(data: bytes, step: int) -> None:
    """Random bytes end in a failure or a close at most, after which nothing comes."""
    check_ending(read(data, step))


pieces = st.one_of(
    st.binary(max_size=20),
    st.builds(
        frame,
        st.integers(0, 15),
        st.binary(max_size=130),
        fin=st.booleans(),
        rsv=st.sampled_from([0, 0, 0, 4]),
        masked=st.sampled_from([True, True, True, False]),
    ),
)


@settings(max_examples=500)
@given(st.lists(pieces, max_size=12), st.integers(1, 200))
def test_no_frames_break_the_reader(parts: list[bytes], step: int) -> None:
    """Well-formed and malformed frames in any order."""
    check_ending(read(b"".join(parts), step))


def check_ending(found: list[Incoming]) -> None:
    """Only the last thing may be an end, and messages keep to the limit."""
    for one in found[:-1]:
        assert not isinstance(one, Closed | Failed)
    for one in found:
        assert not isinstance(one, str | bytes) or len(one) <= LIMITS.max_message


def test_control_frames_are_written_as_the_protocol_says() -> None:
    """Unmasked and short; a long reason is cut between characters."""
    assert ping_frame(b"a") == b"\x89\x01a"
    assert pong_frame() == b"\x8a\x00"
    assert close_frame(1000, "bye") == b"\x88\x05\x03\xe8bye"
    assert close_frame(1005) == b"\x88\x00"
    long = close_frame(1008, "€" * 100)
    assert len(long) <= 127
    assert long[4:].decode() == "€" * 41
