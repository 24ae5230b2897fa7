"""A WebSocket client that does as little as possible, so that the server is what is measured."""

from __future__ import annotations

import json
import os
import re
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

MARK = b'"PATCH-DOC"'
PING = 0x89


@dataclass(slots=True)
class Socket:
    """One connection to a Bokeh WebSocket."""

    sock: socket.socket
    buffer: bytes = b""
    received: int = 0

    @classmethod
    def connect(cls, port: int, path: str, token: str | None) -> Socket:
        """Open a WebSocket the way BokehJS does and wait for the ACK message.

        :param token: without one it is a script, which no page gave one.
        """
        sock = socket.create_connection(("127.0.0.1", port), timeout=120)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        page = f"Origin: http://localhost:{port}\r\nSec-WebSocket-Protocol: bokeh, {token}\r\n"
        sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Connection: Upgrade\r\n{page if token else ''}\r\n".encode()
        )
        self = cls(sock)
        self._read_until(b"\r\n\r\n")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101"), head
        assert self.message()[0]["msgtype"] == "ACK"
        return self

    def _fill(self) -> None:
        chunk = self.sock.recv(1 << 16)
        assert chunk, "the server closed the connection"
        self.buffer += chunk

    def _read_until(self, end: bytes) -> None:
        while end not in self.buffer:
            self._fill()

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._fill()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def _frame(self) -> tuple[int, bytes]:
        first, length = self._take(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        return first & 15, self._take(length)

    def _data(self) -> bytes:
        opcode, payload = self._frame()
        while opcode not in (0, 1, 2):
            assert opcode != 8, payload
            opcode, payload = self._frame()
        return payload

    def message(self) -> list[dict[str, object]]:
        """The header, metadata and content of the next whole message; its buffers are dropped."""
        parts = [json.loads(self._data()) for _ in range(3)]
        for _ in range(2 * parts[0].get("num_buffers", 0)):
            self._data()
        return parts

    @staticmethod
    def frames(*texts: bytes) -> bytes:
        """Text frames, masked with zeros as RFC 6455 allows."""
        frames = []
        for text in texts:
            size = len(text)
            head = (
                bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + struct.pack(">H", size)
            )
            if size > 0xFFFF:
                head = b"\x81\xff" + struct.pack(">Q", size)
            frames.append(head + b"\0\0\0\0" + text)
        return b"".join(frames)

    def send(self, *texts: bytes) -> None:
        """Send text frames."""
        self.sock.sendall(self.frames(*texts))

    def pong(self, payload: bytes) -> None:
        """Answer a ping, as every WebSocket client does."""
        self.sock.send(bytes([0x8A, 0x80 | len(payload)]) + b"\0\0\0\0" + payload)

    def request(self, msgtype: str, content: bytes = b"{}") -> dict[str, object]:
        """Send a message and return the content of its reply."""
        msgid = os.urandom(8).hex()
        header = json.dumps({"msgid": msgid, "msgtype": msgtype}).encode()
        self.send(header, b"{}", content)
        while True:
            reply, _, answer = self.message()
            if reply.get("reqid") == msgid:
                assert reply["msgtype"] != "ERROR", answer
                return answer

    def pull(self) -> dict[str, object]:
        """Pull the document, as every page does first."""
        return self.request("PULL-DOC-REQ")

    def patch(self, content: bytes) -> None:
        """Send a PATCH-DOC and wait for its OK."""
        self.request("PATCH-DOC", content)

    def source_id(self) -> str:
        """The id of the document's ColumnDataSource."""
        text = json.dumps(self.pull())
        found = re.search(r'"name": "ColumnDataSource", "id": "([^"]+)"', text)
        assert found is not None
        return found[1]

    def close(self) -> None:
        """Drop the connection."""
        self.sock.close()


class Crowd:
    """Many viewers of one document, read by one epoll loop."""

    def __init__(self, viewers: Iterable[Socket]) -> None:
        self.viewers = list(viewers)
        self.total = sum(viewer.received for viewer in self.viewers)
        self._selector = selectors.DefaultSelector()
        for viewer in self.viewers:
            viewer.sock.setblocking(False)
            self._selector.register(viewer.sock, selectors.EVENT_READ, viewer)

    def read(self, timeout: float, each: Callable[[bytes], None] | None = None) -> None:
        """Read what has arrived; count messages and give whole chunks to ``each``."""
        for key, _ in self._selector.select(timeout):
            viewer: Socket = key.data
            chunk = viewer.sock.recv(1 << 16)
            assert chunk, "the server dropped a viewer"
            if chunk[0] == PING:
                viewer.pong(chunk[2 : 2 + chunk[1]])
            found = (viewer.buffer[-len(MARK) + 1 :] + chunk).count(MARK)
            viewer.received += found
            self.total += found
            if each is not None:
                each(chunk)  # a message may come in several chunks, its content after its mark
            viewer.buffer = chunk[-len(MARK) :]

    def wait_for(
        self, total: int, seconds: float, each: Callable[[bytes], None] | None = None
    ) -> None:
        """Read until ``total`` messages have come to all viewers together."""
        deadline = time.monotonic() + seconds
        while self.total < total:
            assert time.monotonic() < deadline, f"{self.total} of {total} deliveries in {seconds} s"
            self.read(0.2, each)

    def close(self) -> None:
        """Drop every connection."""
        self._selector.close()
        for viewer in self.viewers:
            viewer.close()
