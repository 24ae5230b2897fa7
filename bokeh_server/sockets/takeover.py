"""Taking the socket of a request away from the WSGI server that accepted it.

The server is left with an object that looks like a connection whose peer has gone,
so that what it does at the end of a request ends there, and its slot is free again.
What the server had read beyond the request is handed over too.
"""

from __future__ import annotations

import _socket
import contextlib
import io
import os
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bokeh_server.sockets.tls import TlsSocket

__all__ = ["Leaving", "Transport", "find_socket", "plain_transport"]


class Transport(Protocol):
    """What a connection needs of a socket that never blocks."""

    def fileno(self) -> int:
        """The descriptor; -1 when closed."""

    def send(self, data: bytes | memoryview, /) -> int:
        """Send what goes now, give its size; ``BlockingIOError`` when nothing does."""

    def recv(self, size: int, /) -> bytes:
        """Give what is there, ``b""`` at the end; ``BlockingIOError`` when there is nothing."""

    def shutdown(self, how: int, /) -> None:
        """End one or both directions."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None:
        """Set an option of the socket."""

    def close(self) -> None:
        """Close the descriptor."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The socket of a request, still the server's.

    :param gevent: whether it belongs to gevent.
    """

    sock: Any
    environ: Mapping[str, Any]
    gevent: bool

    def take(self) -> tuple[Transport, bytes]:
        """Take it; give it with what the server had already read of what follows.

        :raises OSError: the peer has gone meanwhile.
        """
        self.sock.settimeout(0)
        read = _read_ahead(self.environ)
        return self._take(), read

    def _take(self) -> Transport:
        if self.gevent:
            return _from_gevent(self.sock)
        if isinstance(self.sock, ssl.SSLSocket):
            return _from_tls(self.sock)
        return _from_plain(self.sock)


def find_socket(environ: Mapping[str, Any]) -> Leaving | None:
    """Find the socket of a request; ``None``: this server does not give access to it."""
    for sock in _candidates(environ):
        gevent = _is_gevent(sock)
        if gevent or isinstance(sock, socket.socket):
            return Leaving(sock, environ, gevent)
    return None


def plain_transport(fd: int) -> Transport:
    """Give a socket of our own, never blocking, for a descriptor."""
    sock = _socket.socket(fileno=fd)
    sock.setblocking(False)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _candidates(environ: Mapping[str, Any]) -> list[Any]:
    stream = environ.get("wsgi.input")
    stream = getattr(stream, "rfile", stream)
    return [
        environ.get("werkzeug.socket"),
        environ.get("gunicorn.socket"),
        environ.get("gunicorn.sock"),
        getattr(getattr(stream, "raw", None), "_sock", None),
    ]


def _is_gevent(sock: object) -> bool:
    module = sys.modules.get("gevent.socket")
    return module is not None and isinstance(sock, module.socket)


def _read_ahead(environ: Mapping[str, Any]) -> bytes:
    stream = environ.get("wsgi.input")
    stream = getattr(stream, "rfile", stream)
    if isinstance(stream, io.BufferedReader):
        return _buffered(stream)
    unreader = getattr(getattr(stream, "reader", None), "unreader", None)
    take: Callable[[], bytes] = getattr(unreader, "take_buffered", bytes)
    return take()


def _buffered(stream: io.BufferedReader) -> bytes:
    try:
        return stream.read1(len(stream.peek(1)))
    except (BlockingIOError, ssl.SSLWantReadError):
        return b""


def _from_gevent(sock: Any) -> Transport:
    session = getattr(sock, "_sslobj", None)
    if session is None:
        return plain_transport(sock.detach())
    owner = sock._sock
    sock._sslobj = None
    owner.settimeout(0)
    return _tls_transport(session, sock.detach(), owner)


def _from_plain(sock: socket.socket) -> Transport:
    transport = plain_transport(os.dup(sock.fileno()))
    with _stand_in() as dead:
        os.dup2(dead.fileno(), sock.fileno(), inheritable=False)
    return transport


def _from_tls(sock: ssl.SSLSocket) -> Transport:
    session = sock._sslobj  # type: ignore[attr-defined]
    sock._sslobj = None  # type: ignore[attr-defined]
    fd = sock.detach()
    sock.__class__ = _Left
    sock.stand_in = _stand_in()  # type: ignore[attr-defined]
    return _tls_transport(session, fd, sock)


def _tls_transport(session: Any, fd: int, owner: object) -> Transport:
    transport = TlsSocket(session, fd, owner)
    with contextlib.suppress(OSError):
        transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return transport


def _stand_in() -> socket.socket:
    """A connection whose peer has gone."""
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours


class _Left(ssl.SSLSocket):
    """What is left to the server of a TLS socket.

    The object itself has to stay as it is, for OpenSSL's session refers to it,
    so everything the server does with it goes to a connection whose peer has gone.
    """

    stand_in: socket.socket

    def fileno(self) -> int:
        return self.stand_in.fileno()

    def setblocking(self, flag: bool) -> None:
        self.stand_in.setblocking(flag)

    def settimeout(self, value: float | None) -> None:
        self.stand_in.settimeout(value)

    def gettimeout(self) -> float | None:
        return self.stand_in.gettimeout()

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        return self.stand_in.recv(buflen, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        return self.stand_in.recv_into(buffer, nbytes or 0, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        return self.stand_in.send(data, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.stand_in.sendall(data, flags)

    def shutdown(self, how: int) -> None:
        self.stand_in.shutdown(how)

    def unwrap(self) -> socket.socket:
        return self.stand_in

    def pending(self) -> int:
        return 0

    def close(self) -> None:
        self.stand_in.close()
