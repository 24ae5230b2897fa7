"""A WebSocket client that can also do what a client must not, for tests of the transport."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
from dataclasses import dataclass

__all__ = ["BINARY", "CLOSE", "CONTINUATION", "PING", "PONG", "TEXT", "Frame", "RawClient", "frame"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


@dataclass(frozen=True)
class Frame:
    """A frame as it came."""

    opcode: int
    payload: bytes
    fin: bool = True

    @property
    def code(self) -> int:
        """The code of a close frame; 1005: it has none."""
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else 1005


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True
) -> bytes:
    """Write a frame; with a mask of zeros, which the payload survives."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", bit | 127, len(payload))
    return head + (bytes(4) if masked else b"") + payload


class RawClient:
    """A TCP connection that has asked for a WebSocket.

    :ivar status: of the answer to the handshake.
    :ivar head: that answer.
    """

    def __init__(
        self,
        port: int,
        path: str = "/ws",
        headers: dict[str, str | None] | None = None,
        *,
        receive_buffer: int | None = None,
        then: bytes = b"",
        timeout: float = 10.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.buffer = b""
        try:
            self._open(port, request(port, path, headers or {}) + then, context)
        except BaseException:
            self.sock.close()
            raise
        self.status = int(self.head.split(b" ", 2)[1]) if self.head else 0

    def _open(self, port: int, sent: bytes, context: ssl.SSLContext | None) -> None:
        self.sock.connect(("127.0.0.1", port))
        if context is not None:
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self.sock.sendall(sent)
        self.head = self._read_head()

    @classmethod
    def on(cls, sock: socket.socket, timeout: float = 10.0) -> RawClient:
        """Speak on a socket whose other end has had no handshake."""
        client = cls.__new__(cls)
        sock.settimeout(timeout)
        client.sock, client.buffer, client.head, client.status = sock, b"", b"", 0
        return client

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.sock.close()

    def send(self, opcode: int, payload: bytes = b"", **how: object) -> None:
        """Send a frame."""
        self.sock.sendall(frame(opcode, payload, **how))  # type: ignore[arg-type]

    def read(self) -> Frame:
        """Read a frame; ``ConnectionError`` at the end."""
        first, second = self.take(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.take(8))
        return Frame(first & 0x0F, self.take(size), bool(first & 0x80))

    def take(self, size: int) -> bytes:
        """Read so many bytes."""
        parts, missing = [self.buffer[:size]], size - len(self.buffer)
        self.buffer = self.buffer[size:]
        while missing > 0:
            data = self.sock.recv(min(missing, 1 << 20))
            if not data:
                raise ConnectionError("the server has hung up")
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def rest(self) -> bytes:
        """Read until the server hangs up."""
        data, self.buffer = self.buffer, b""
        try:
            while more := self.sock.recv(1 << 16):
                data += more
        except ConnectionResetError:
            pass
        return data

    def reset(self) -> None:
        """Hang up with a reset instead of a farewell."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _read_head(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                return data
            data += more
        head, self.buffer = data.split(b"\r\n\r\n", 1)
        return head


def request(port: int, path: str, headers: dict[str, str | None]) -> bytes:
    """Write a handshake; a header that is ``None`` is left out."""
    fields: dict[str, str | None] = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        **headers,
    }
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")
