"""The descriptor of a connection, for another process.

A TLS connection has keys and counters that only this process knows. Its descriptor is of no use to
others; they get one end of a pair of sockets, and what passes is enciphered and deciphered here.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator

from bokeh_server.sockets.takeover import Transport
from bokeh_server.sockets.tls import TlsSocket

__all__ = ["descriptor_of"]

_PIECE = 64 * 1024
#: seconds; a peer that takes nothing for so long has gone.
_STALLED = 60_000
#: how long a peer has to hang up when the worker has.
_FAREWELL = 5.0


@contextlib.contextmanager
def descriptor_of(transport: Transport) -> Iterator[int]:
    """A descriptor for another process, to be sent while this is open; takes the transport."""
    if not isinstance(transport, TlsSocket):
        try:
            yield transport.fileno()
        finally:
            transport.close()
        return
    ours, theirs = socket.socketpair()
    try:
        yield theirs.fileno()
    except BaseException:
        ours.close()
        transport.close()
        raise
    finally:
        theirs.close()
    _Relay(transport, ours).start()


class _Relay:
    """Passes on what comes, both ways, until both have ended."""

    def __init__(self, outer: TlsSocket, inner: socket.socket) -> None:
        self._outer = outer
        self._inner = inner
        self._left = 2
        self._lock = threading.Lock()
        self._hung_up = threading.Event()
        inner.setblocking(True)

    def start(self) -> None:
        """Begin."""
        for each in (self._inwards, self._outwards):
            threading.Thread(target=each, name="bokeh-tls-relay", daemon=True).start()

    def _inwards(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._read():
                self._inner.sendall(data)
        with contextlib.suppress(OSError):
            self._inner.shutdown(socket.SHUT_WR)
        self._hung_up.set()
        self._end()

    def _outwards(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._inner.recv(_PIECE):
                self._write(memoryview(data))
        with contextlib.suppress(OSError):
            self._outer.shutdown(socket.SHUT_WR)
        if not self._hung_up.wait(_FAREWELL):
            with contextlib.suppress(OSError):
                self._outer.shutdown(socket.SHUT_RDWR)
        self._end()

    def _read(self) -> bytes:
        while True:
            try:
                return self._outer.recv(_PIECE)
            except BlockingIOError:
                _wait(self._outer.fileno(), select.POLLIN, None)

    def _write(self, data: memoryview) -> None:
        while data:
            try:
                data = data[self._outer.send(data) :]
            except BlockingIOError:
                if not _wait(self._outer.fileno(), select.POLLOUT, _STALLED):
                    raise TimeoutError("the peer takes nothing") from None

    def _end(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left:
                return
        self._outer.close()
        self._inner.close()


def _wait(descriptor: int, event: int, milliseconds: int | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(milliseconds))
