"""Bokeh's messages: put together from what a WebSocket delivers, and written for sending.

A message is a header, metadata and content, each one text message of the WebSocket,
and for every buffer its id as text and its bytes as a binary message.
"""

from __future__ import annotations

import functools
import importlib.metadata
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import orjson

from bokeh_server.errors import InvalidMessage, TooLarge
from bokeh_server.protocol.frames import binary_head, text_frame, text_head
from bokeh_server.protocol.packing import Buffers

__all__ = [
    "Body",
    "Message",
    "Receiver",
    "ack",
    "encode",
    "encode_body",
    "encode_with",
    "error",
    "ok",
    "server_info",
]

#: bytes that are sent from where they are.
_LARGE = 64 * 1024

_NO_BUFFERS: Buffers = MappingProxyType({})


@dataclass
class Message:
    """One message of Bokeh's protocol.

    :param reqid: for a reply the ``msgid`` of the request.
    :param content: JSON, not parsed.
    :param buffers: buffer id -> bytes, in order of arrival.
    :param metadata: empty in what Bokeh sends; pages of ours say here what they had seen.
    """

    msgid: str
    msgtype: str
    reqid: str | None
    content: bytes
    buffers: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


class Receiver:
    """Put messages together from the WebSocket messages of one connection; does no I/O.

    After an error it has forgotten the message it was at, and expects a header.

    :param max_size: most bytes of one message, its buffers included.
    :param max_buffers: most buffers of one message.
    """

    def __init__(self, *, max_size: int = 20 * 1024 * 1024, max_buffers: int = 10_000) -> None:
        self._max_size = max_size
        self._max_buffers = max_buffers
        self._reset()

    def feed(self, data: str | bytes) -> Message | None:
        """Take one WebSocket message: text as ``str``, binary as ``bytes``.

        :returns: the message that is now complete, or ``None``.
        :raises InvalidMessage: it is not what has to come here.
        :raises TooLarge: the message has become larger than it may be.
        """
        try:
            self._take(data)
        except (InvalidMessage, TooLarge):
            self._reset()
            raise
        if self._message is None or self._missing:
            return None
        message = self._message
        self._reset()
        return message

    def _reset(self) -> None:
        self._step: Callable[[str | bytes], None] = self._take_header
        self._header: dict[str, Any] = {}
        self._metadata: dict[str, Any] = {}
        self._message: Message | None = None
        self._missing = 0
        self._size = 0
        self._buffer_id = ""

    def _take(self, data: str | bytes) -> None:
        self._size += len(data)
        if self._size > self._max_size:
            raise _too_large(f"it is larger than {self._max_size:,} bytes")
        self._step(data)

    def _take_header(self, data: str | bytes) -> None:
        header = _object(_text(data, "the header"), "the header")
        for key in ("msgid", "msgtype"):
            if not isinstance(header.get(key), str):
                raise _invalid(f"the header's {key!r} is not a string")
        if not isinstance(header.get("reqid"), str | None):
            raise _invalid("the header's 'reqid' is not a string")
        self._missing = self._count(header.get("num_buffers", 0))
        self._header = header
        self._step = self._take_metadata

    def _count(self, number: object) -> int:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise _invalid("the header's 'num_buffers' is not a whole number from 0")
        if number > self._max_buffers:
            raise _too_large(f"it has {number:,} buffers and may have {self._max_buffers:,}")
        return number

    def _take_metadata(self, data: str | bytes) -> None:
        self._metadata = _object(_text(data, "the metadata"), "the metadata")
        self._step = self._take_content

    def _take_content(self, data: str | bytes) -> None:
        header = self._header
        content = _text(data, "the content")
        self._message = Message(
            header["msgid"],
            header["msgtype"],
            header.get("reqid"),
            content,
            metadata=self._metadata,
        )
        self._step = self._take_buffer_header

    def _take_buffer_header(self, data: str | bytes) -> None:
        header = _object(_text(data, "a buffer's header"), "a buffer's header")
        key = header.get("id")
        if len(header) != 1 or not isinstance(key, str):
            raise _invalid('a buffer\'s header is not {"id": "..."}')
        if self._message is not None and key in self._message.buffers:
            raise _invalid(f"the buffer id {key!r} occurs twice")
        self._buffer_id = key
        self._step = self._take_buffer

    def _take_buffer(self, data: str | bytes) -> None:
        if isinstance(data, str):
            raise _invalid("a buffer came as text and must be binary")
        if self._message is not None:
            self._message.buffers[self._buffer_id] = bytes(data)
        self._missing -= 1
        self._step = self._take_buffer_header


def _text(data: str | bytes, what: str) -> bytes:
    if not isinstance(data, str):
        raise _invalid(f"{what} came as binary and must be text")
    try:
        return data.encode()
    except UnicodeEncodeError:
        raise _invalid(f"{what} is not UTF-8") from None


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        raise _invalid(f"{what} is not JSON") from None
    if not isinstance(value, dict):
        raise _invalid(f"{what} is not a JSON object")
    return value


def _invalid(why: str) -> InvalidMessage:
    return InvalidMessage("read a message of Bokeh's protocol", why)


def _too_large(why: str) -> TooLarge:
    remedy = "Send less at a time, or raise the server's limit"
    return TooLarge("take a message of Bokeh's protocol", why, remedy)


@dataclass(frozen=True, slots=True)
class Body:
    """Metadata, content and buffers of a message as frames: all but the header, to share.

    :param parts: WebSocket frames, to be sent one after the other; large arrays are not copied.
    :param num_buffers: how many buffers ``parts`` hold.
    """

    parts: tuple[bytes, ...]
    num_buffers: int

    @property
    def frames(self) -> bytes:
        """All parts in one."""
        return b"".join(self.parts)


def encode(
    msgtype: str,
    content: bytes,
    buffers: Buffers = _NO_BUFFERS,
    *,
    reqid: str | None = None,
    msgid: str | None = None,
) -> bytes:
    """Write a message as WebSocket frames, concatenated and ready for ``socket.send``.

    :param msgid: a fresh one where it is not given.
    """
    return encode_with(encode_body(content, buffers), msgtype, reqid=reqid, msgid=msgid)


def encode_body(content: bytes, buffers: Buffers) -> Body:
    """Write what a message is without its header, once for all who get it."""
    pieces = [text_frame(b"{}"), text_head(len(content)), content]
    for key, data in buffers.items():
        pieces += (text_frame(orjson.dumps({"id": key})), binary_head(len(data)), data)
    return Body(_together(pieces), len(buffers))


def _together(pieces: list[bytes]) -> tuple[bytes, ...]:
    """Join what is small: a system call for each costs more than copying."""
    parts: list[bytes] = []
    small: list[bytes] = []
    for piece in pieces:
        if len(piece) < _LARGE:
            small.append(piece)
        else:
            parts += (b"".join(small), piece)
            small = []
    return (*parts, b"".join(small))


def encode_with(
    body: Body, msgtype: str, *, reqid: str | None = None, msgid: str | None = None
) -> bytes:
    """Put a header before a shared body."""
    header: dict[str, object] = {"msgid": msgid or uuid.uuid4().hex, "msgtype": msgtype}
    if reqid is not None:
        header["reqid"] = reqid
    if body.num_buffers:
        header["num_buffers"] = body.num_buffers
    return b"".join((text_frame(orjson.dumps(header)), *body.parts))


def ack(msgid: str | None = None) -> bytes:
    """Write ``ACK``, the first message of a connection."""
    return encode("ACK", b"{}", msgid=msgid)


def ok(reqid: str, seq: int | None = None) -> bytes:
    """Write ``OK`` in reply to the message ``reqid``.

    :param seq: the number of the change it became, which goes as ``msgid``.
    """
    return encode("OK", b"{}", reqid=reqid, msgid=None if seq is None else str(seq))


def error(reqid: str, text: str, *, retry: bool = False) -> bytes:
    """Write ``ERROR`` in reply to the message ``reqid``; browsers log ``text``.

    :param retry: nothing was wrong with the message; our pages keep what was in it.
    """
    content = {"text": text, "traceback": None} | ({"retry": True} if retry else {})
    return encode("ERROR", _dumps(content), reqid=reqid)


def server_info(reqid: str) -> bytes:
    """Write ``SERVER-INFO-REPLY``: the version of the installed bokeh, twice, as Bokeh does."""
    version = _bokeh_version()
    content = _dumps({"version_info": {"bokeh": version, "server": version}})
    return encode("SERVER-INFO-REPLY", content, reqid=reqid)


def _dumps(value: Mapping[str, object]) -> bytes:
    return orjson.dumps(value)


@functools.cache
def _bokeh_version() -> str:
    return importlib.metadata.version("bokeh")
