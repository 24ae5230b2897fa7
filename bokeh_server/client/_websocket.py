"""A WebSocket to a server: one thread reads, any may close."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

__all__ = ["Closed", "Refused", "WebSocket"]

CONNECT_SECONDS = 5.0
#: the server pings every 25 s; when nothing came for so long, it is gone.
SILENCE_SECONDS = 60.0
_CHUNK = 256 * 1024


class Refused(Exception):
    """The server answered the handshake with an HTTP error.

    :ivar status: its status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered {status}")
        self.status = status


class Closed(Exception):
    """The connection ended.

    :ivar code: the close code; 1006 when the server just vanished.
    """

    def __init__(self, code: int = 1006, reason: str = "") -> None:
        super().__init__(f"the connection was closed ({code} {reason})")
        self.code = code


class WebSocket:
    """One WebSocket connection, open from construction on.

    :param url: ``ws://`` or ``wss://``.
    :param ca_bundle: certificates to trust instead of the usual ones.
    :raises OSError: nothing answers.
    :raises Refused: the server does not want it.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, *, ca_bundle: str | None = None
    ) -> None:
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._write_lock = threading.Lock()
        self._parts: list[str | bytes] = []
        self._socket = _connect(url, ca_bundle)
        try:
            self._shake_hands(url, headers or {})
        except BaseException:
            self._socket.close()
            raise
        self._socket.settimeout(SILENCE_SECONDS)

    def send(self, text: str) -> None:
        """Send one text message."""
        self._send(TextMessage(data=text))

    def send_binary(self, data: bytes) -> None:
        """Send one binary message."""
        self._send(BytesMessage(data=data))

    def messages(self) -> Iterator[str | bytes]:
        """Every message that comes, put together.

        :raises Closed: the connection ended.
        """
        while True:
            for event in self._protocol.events():
                message = self._take(event)
                if message is not None:
                    yield message
            self._receive()

    def drop(self) -> None:
        """Let go of it without a word, as a forked process must that does not own it."""
        self._socket.close()

    def close(self) -> None:
        """Close it; a thread that waits for messages gets :class:`Closed`."""
        if not isinstance(self._socket, ssl.SSLSocket):  # TLS takes no writer beside a reader
            with contextlib.suppress(OSError, LocalProtocolError):
                self._send(CloseConnection(code=1000))
        self._shut()

    def _shut(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            self._socket.close()

    def _take(self, event: object) -> str | bytes | None:
        match event:
            case Ping():
                self._send(event.response())
            case CloseConnection():
                self._answer_close(event)
                raise Closed(int(event.code), event.reason or "")
            case TextMessage() | BytesMessage():
                self._parts.append(_immutable(event.data))
                if event.message_finished:
                    parts, self._parts = self._parts, []
                    return _join(parts)
        return None

    def _answer_close(self, event: CloseConnection) -> None:
        with contextlib.suppress(OSError, LocalProtocolError):
            self._send(event.response())
        self._shut()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
            self._protocol.receive_data(data or None)
        except (OSError, ValueError, RemoteProtocolError) as error:
            self._shut()
            raise Closed(1006, str(error)) from None
        if not data:
            self._shut()
            raise Closed

    def _send(self, event: Event) -> None:
        with self._write_lock:
            self._socket.sendall(self._protocol.send(event))

    def _shake_hands(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        extra = [(key.encode(), value.encode()) for key, value in headers.items()]
        request = Request(host=parts.netloc, target=target, extra_headers=extra)
        self._socket.sendall(self._protocol.send(request))
        while True:
            for event in self._protocol.events():
                if isinstance(event, AcceptConnection):
                    return
                if isinstance(event, RejectConnection):
                    raise Refused(event.status_code)
            data = self._socket.recv(_CHUNK)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            try:
                self._protocol.receive_data(data)
            except RemoteProtocolError as error:
                raise Refused(getattr(error.event_hint, "status_code", 400)) from None


def _immutable(data: str | bytes | bytearray) -> str | bytes:
    return data if isinstance(data, str) else bytes(data)


def _join(parts: list[str | bytes]) -> str | bytes:
    if isinstance(parts[0], str):
        return "".join(str(part) for part in parts)
    return b"".join(bytes(part) for part in parts if not isinstance(part, str))


def _connect(url: str, ca_bundle: str | None) -> socket.socket:
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    address = (parts.hostname or "localhost", parts.port or (443 if secure else 80))
    plain = socket.create_connection(address, CONNECT_SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not secure:
        return plain
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
        return context.wrap_socket(plain, server_hostname=parts.hostname)
    except BaseException:
        plain.close()
        raise
