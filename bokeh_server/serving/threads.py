"""The HTTP server of a process without gevent: Werkzeug's with limits on time.

Werkzeug shakes hands for TLS where it accepts, so that one silent client stops all others,
and waits for ever for a client that sends or reads nothing; here it does not.
"""

from __future__ import annotations

import errno
import io
import logging
import math
import socket
import ssl
import sys
import time
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from bokeh_server.unsent import unsent

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from _typeshed.wsgi import WSGIApplication

__all__ = ["ThreadsServer"]

#: so much is sent at once; TLS takes a write as a whole, and in pieces progress can be seen.
PIECE = 64 * 1024

log = logging.getLogger("bokeh_server")


class _Reading(io.RawIOBase):
    """The reading side of a socket, whose timeout is for every read; with an end to all reads.

    :ivar until: when that is.
    """

    def __init__(self, sock: Any, until: float) -> None:
        self._sock = sock
        self.until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if time.monotonic() > self.until:
            raise TimeoutError(errno.ETIMEDOUT, "the headers took too long")
        return int(self._sock.recv_into(buffer))


class _Writing(io.BufferedIOBase):
    """The writing side; a peer that takes nothing of what is under way has gone."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        # not sendall, whose timeout is for the whole
        view = rest = memoryview(data)
        while rest:
            rest = rest[self._send_some(rest[:PIECE]) :]
        return view.nbytes

    def _send_some(self, view: memoryview) -> int:
        before = sys.maxsize
        while True:
            try:
                return int(self._sock.send(view))
            except TimeoutError:
                now = unsent(self._sock)
                if now >= before or not now:
                    raise
                before = now


class _Handler(WSGIRequestHandler):
    """One connection: limits on the time of every step, and a quiet log."""

    server: ThreadsServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Read and write with limits; a WebSocket that leaves with its socket has none of them."""
        super().setup()
        self.rfile.close()
        seconds = self.server.request_timeout
        self._reading = _Reading(self.connection, time.monotonic() + seconds)
        self.rfile = io.BufferedReader(self._reading)
        self.wfile = _Writing(self.connection)

    def parse_request(self) -> bool:
        """Read the headers; what follows has as long as it goes on."""
        read = super().parse_request()
        self._reading.until = math.inf
        return read

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        log.debug(message, *args)


class ThreadsServer(ThreadedWSGIServer):
    """Serve a WSGI application on a listening socket, every connection on a thread of its own.

    :param request_timeout: seconds a client may take for its TLS handshake, for its headers,
        between two pieces of its body, and to read a piece of the response.
    """

    # A client that keeps its connection open holds up nobody.
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        listener: socket.socket,
        application: WSGIApplication,
        *,
        request_timeout: float,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(host, port, application, _Handler, fd=listener.fileno())
        self.request_timeout = request_timeout
        # not given to Werkzeug, which would shake hands while it accepts; it asks for the scheme
        self.ssl_context = ssl_context

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; the handshake is the affair of its own thread."""
        sock, address = super().get_request()
        return self._wrapped(sock), address

    def _wrapped(self, sock: socket.socket) -> socket.socket:
        if self.ssl_context is None:
            return sock
        try:
            sock.getpeername()  # one whose peer has gone wrap_socket would leave open
        except OSError:
            sock.close()
            raise
        return self.ssl_context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands within the time limit; who cannot gets a line in the log, no traceback."""
        request.settimeout(self.request_timeout)
        try:
            if self.ssl_context is not None:
                request.do_handshake()
        except OSError as error:
            log.info("no TLS with %s: %s", client_address[0], error)
            return
        super().finish_request(request, client_address)
