"""Whole messages from the bytes of a WebSocket, within limits; does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

from bokeh_server.sockets.limits import Limits

__all__ = ["Closed", "Failed", "Incoming", "Pinged", "Ponged", "Reader"]

#: parts of a message are put together in groups, so that tiny ones do not cost much memory.
GROUP = 1024


@dataclass(frozen=True, slots=True)
class Pinged:
    """The peer wants a pong."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Ponged:
    """The peer answered a ping."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer closes; 1005: without a code."""

    code: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The peer broke the protocol or a limit; nothing after this can be understood."""

    code: int
    reason: str


Incoming = str | bytes | Pinged | Ponged | Closed | Failed


class Reader:
    """Take bytes, give messages; the handshake is over before it begins."""

    __slots__ = ("_guard", "_parts", "_ws")

    def __init__(self, limits: Limits) -> None:
        self._guard = _SizeGuard(limits)
        self._ws = Connection(ConnectionType.SERVER, [self._guard])
        self._parts: _Parts | None = None

    def feed(self, data: bytes) -> Iterator[Incoming]:
        """Give what is complete with ``data``; after ``Closed`` or ``Failed`` nothing comes."""
        self._ws.receive_data(data)
        for event in self._ws.events():
            match event:
                case TextMessage() | BytesMessage():
                    message = self._take_part(event)
                    if message is not None:
                        yield message
                case Ping():
                    yield Pinged(bytes(event.payload))
                case Pong():
                    yield Ponged()
                case CloseConnection():
                    yield self._ended(event)

    def _take_part(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        data = event.data if isinstance(event, TextMessage) else bytes(event.data)
        if self._parts is None:
            if event.message_finished:
                return data
            self._parts = _Parts()
        self._parts.add(data)
        if not event.message_finished:
            return None
        whole: str | bytes = self._parts.join()
        self._parts = None
        return whole

    def _ended(self, event: CloseConnection) -> Closed | Failed:
        if self._ws.state is ConnectionState.REMOTE_CLOSING:
            return Closed(int(event.code))
        return Failed(int(event.code), self._guard.refusal or event.reason or "")


class _Parts:
    """Parts of a message, all text or all binary, in order."""

    __slots__ = ("_groups", "_parts")

    def __init__(self) -> None:
        self._groups: list[Any] = []
        self._parts: list[Any] = []

    def add(self, part: str | bytes) -> None:
        self._parts.append(part)
        if len(self._parts) >= GROUP:
            self._groups.append(type(part)().join(self._parts))
            self._parts.clear()

    def join(self) -> Any:
        parts = (*self._groups, *self._parts)
        return type(parts[0])().join(parts)


class _SizeGuard(Extension):
    """Refuse a message as soon as a frame's header says that it grows too large.

    It is never offered to the peer: it only sees the headers that wsproto has read.
    """

    __slots__ = ("_frame", "_limits", "_message", "refusal")
    name = "bokeh-server-size-guard"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        #: bytes and fragments of the message so far, without and with the frame that is coming.
        self._message = (0, 0)
        self._frame: tuple[int, int] | None = None
        self.refusal: str | None = None

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool:
        return False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        """Look at a header; called again when the mask after it has not come yet."""
        if opcode.iscontrol():
            self._frame = None
            return RsvBits(False, False, False)
        size, fragments = self._message if opcode is Opcode.CONTINUATION else (0, 0)
        self._frame = (size + payload_length, fragments + 1)
        if self._frame[0] > self._limits.max_message:
            self.refusal = f"a message may have {self._limits.max_message:,} bytes"
        elif self._frame[1] > self._limits.max_fragments:
            self.refusal = f"a message may have {self._limits.max_fragments:,} fragments"
        else:
            return RsvBits(False, False, False)
        return CloseReason.MESSAGE_TOO_BIG

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        """Count a frame that has come."""
        self._message = self._frame or self._message
        return None
