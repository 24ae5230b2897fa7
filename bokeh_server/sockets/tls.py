"""A TLS connection that was taken out of the socket object of a WSGI server."""

from __future__ import annotations

import _socket
import contextlib
import socket
import ssl
import threading
from typing import Any

__all__ = ["TlsSocket"]

#: OpenSSL takes a write as a whole, and wants the same again when it could not;
#: in pieces of this size progress can be seen.
PIECE = 64 * 1024
#: and no more than this at once.
TURN = 1024 * 1024


class TlsSocket:
    """What a connection needs of a socket, on an established TLS session.

    :param session: OpenSSL's session, as the :mod:`ssl` module keeps it.
    :param fd: the descriptor, now ours.
    :param owner: the socket object that ``session`` refers to weakly; never blocking.
    """

    __slots__ = ("_lock", "_owner", "_session", "_sock")

    def __init__(self, session: Any, fd: int, owner: object) -> None:
        self._session = session
        self._owner = owner
        self._sock = _socket.socket(fileno=fd)
        self._sock.setblocking(False)
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """The descriptor; -1 when closed."""
        return self._sock.fileno()

    def send(self, data: bytes | memoryview) -> int:
        """Write what goes now of ``data``; ``BlockingIOError`` when nothing does."""
        view, sent = memoryview(data)[:TURN], 0
        with self._lock:
            try:
                while sent < len(view):
                    sent += self._session.write(view[sent : sent + PIECE])
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError) as error:
                if not sent:
                    raise BlockingIOError from error
            return sent

    def recv(self, size: int) -> bytes:
        """Read at most ``size`` bytes; ``b""`` at the end; ``BlockingIOError`` when none."""
        with self._lock:
            try:
                data: bytes = self._session.read(size)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                raise BlockingIOError from error
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            return data

    def shutdown(self, how: int) -> None:
        """End one or both directions, with TLS's own farewell where it can be sent."""
        with self._lock:
            if how == socket.SHUT_WR:
                with contextlib.suppress(OSError, ValueError):
                    self._session.shutdown()
            self._sock.shutdown(how)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """As of a socket."""
        self._sock.setsockopt(level, option, value)

    def close(self) -> None:
        """Close the descriptor."""
        with self._lock:
            self._sock.close()
