"""The HTTP server of the ``bokeh-server`` command: gevent's pywsgi with limits on time.

pywsgi waits for ever for a client that sends or reads nothing, prints a traceback for a header
that is too long, and writes an access line for every request; here it does not.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gevent import Timeout, pywsgi, sleep
from werkzeug.exceptions import ClientDisconnected

from bokeh_server.unsent import unsent

__all__ = ["HttpServer", "Wsgi"]

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: seconds that a connection may stay open between two requests.
KEEP_ALIVE_SECONDS = 75.0
#: head and body of a response up to this size are sent at once.
JOINED_BYTES = 64 * 1024

access_log = logging.getLogger("bokeh_server.access")
error_log = logging.getLogger("bokeh_server.http")

_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n"
    b"Content-Type: text/plain\r\n\r\n"
)

_STOPPING_BODY = (
    b'{"error": "unavailable",'
    b' "detail": "Could not answer: the server is stopping. Try again in a moment."}'
)
_STOPPING = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 2\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_STOPPING_BODY), _STOPPING_BODY)
)


def _level(code: int) -> int:
    """Asking for what may not be there is how a script finds out, and nothing to tell about."""
    if code >= 500:
        return logging.WARNING
    return logging.INFO if code >= 400 and code != 404 else logging.DEBUG


class _TimedRaw(io.RawIOBase):
    """The reading side of a socket, where every read ends after some seconds."""

    def __init__(self, raw: socket.SocketIO, seconds: float) -> None:
        self._raw = raw
        # the WebSocket transport asks pywsgi's input for its socket by this name
        self._sock = raw._sock  # type: ignore[attr-defined]
        self._seconds = seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        late = TimeoutError(errno.ETIMEDOUT, "the client stopped sending")
        with Timeout(self._seconds, late):
            return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Body:
    """The body of a request: a client that stops sending it, or sends nonsense, gets a 400."""

    def __init__(self, body: Any, failed: Callable[[], None]) -> None:
        self._body = body
        self._failed = failed

    def read(self, length: int | None = None) -> bytes:
        return self._guarded(self._body.read, length)

    def readline(self, size: int | None = None) -> bytes:
        return self._guarded(self._body.readline, size)

    def readlines(self, hint: int | None = None) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _guarded(self, read: Callable[[int | None], bytes], size: int | None) -> bytes:
        try:
            return read(size)
        except OSError as error:
            self._failed()
            raise ClientDisconnected(f"The body could not be read: {error}") from None


class _Handler(pywsgi.WSGIHandler):  # type: ignore[misc]
    """One connection: limits on the time of every step, and a quiet log."""

    server: HttpServer
    close_connection: bool
    connection_upgraded: bool
    response_headers: list[tuple[bytes, bytes]]
    rfile: Any
    _held: list[bytes] | None = None

    def __init__(self, sock: Any, address: Any, server: HttpServer) -> None:
        super().__init__(sock, address, server)
        self.seconds = server.request_timeout
        self.rfile = io.BufferedReader(_TimedRaw(self.rfile.detach(), self.seconds))

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        if environ["wsgi.input"] is self.wsgi_input:
            environ["wsgi.input"] = _Body(self.wsgi_input, self._give_up)
        return environ

    def _give_up(self) -> None:
        """What follows on the connection cannot be told from the body."""
        self.close_connection = True

    def read_requestline(self) -> str:
        self.code = 0
        line: str = ""
        with Timeout(max(self.seconds, KEEP_ALIVE_SECONDS), False):
            line = super().read_requestline()
        return line

    def read_request(self, raw_requestline: str) -> bool:
        late = ValueError(f"the headers took longer than {self.seconds:g} seconds")
        with Timeout(self.seconds, late):
            read: bool = super().read_request(raw_requestline)
            return read

    def handle_one_response(self) -> None:
        if self.server.stopping:
            self._refuse()
            return
        self.server.busy += 1
        try:
            super().handle_one_response()
        finally:
            self.server.busy -= 1
        self.close_connection = self.close_connection or self.server.stopping

    def _refuse(self) -> None:
        """Answer a request that comes on an open connection while the server stops."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.socket.sendall(_STOPPING)

    def finalize_headers(self) -> None:
        """Say so when the connection is closed after the answer, or a client may send on it."""
        super().finalize_headers()
        said = any(name.lower() == b"connection" for name, _ in self.response_headers)
        closes = self.close_connection or self.server.stopping
        if closes and not said and not self.connection_upgraded:
            self.response_headers.append((b"Connection", b"close"))

    def _write_with_headers(self, data: bytes) -> None:
        """Send the head of a response and the first of its body at once, not one by one."""
        self._held = []
        try:
            super()._write_with_headers(data)
        finally:
            held, self._held = self._held, None
        if sum(map(len, held)) <= JOINED_BYTES:
            held = [b"".join(held)]
        for piece in held:
            self._sendall(piece)

    def _sendall(self, data: bytes) -> None:
        if self._held is not None:
            self._held.append(data)
            return
        view = memoryview(data)
        try:
            while view:
                view = view[self._send_some(view) :]
        except OSError as error:
            self.status = f"socket error: {error}"
            self.code = -abs(int(self.code or 0))
            raise

    def _send_some(self, view: memoryview) -> int:
        """Send what goes; a peer that takes nothing of what is under way has gone."""
        sent, waiting = 0, sys.maxsize
        while not sent:
            with Timeout(self.seconds, False):
                sent = int(self.socket.send(view))
            if not sent:
                before, waiting = waiting, unsent(self.socket)
                if waiting >= before or not waiting:
                    raise BrokenPipeError(errno.EPIPE, "the client stopped reading")
        return sent

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        error_log.info("refused a request of %s: %s", self._peer(), str(ex) or type(ex).__name__)
        return "400", _BAD_REQUEST

    def log_error(self, msg: str, *args: object) -> None:
        error_log.info(msg, *args)

    def _log_error(self, t: Any, v: Any, tb: Any) -> None:
        error_log.error("%s %s failed", self.command, self._path(), exc_info=(t, v, tb))

    def log_request(self) -> None:
        # pywsgi refuses some requests before they have a code
        code = abs(int(self.code or 0)) or 400
        level = _level(code)
        if access_log.isEnabledFor(level):
            took = (self.time_finish or time.time()) - self.time_start
            access_log.log(
                level, "%s %s %s %s %.1f ms",
                self._peer(), self.command or "-", self._path(), code, took * 1000,
            )  # fmt: skip

    def _path(self) -> str:
        """The path without its query, which may hold a ticket."""
        return str(self.path or "-").split("?", 1)[0]

    def _peer(self) -> str:
        address = self.client_address
        return str(address[0]) if isinstance(address, tuple) else "-"


class HttpServer(pywsgi.WSGIServer):  # type: ignore[misc]
    """Serve a WSGI application on a listening socket until :meth:`finish`.

    :param listener: a bound, listening socket.
    :param request_timeout: seconds a client may take for its headers,
        between two pieces of its body, and to read a piece of the response.
    :ivar busy: requests that are being answered now.
    """

    handler_class = _Handler

    def __init__(
        self,
        listener: socket.socket,
        application: Wsgi,
        *,
        request_timeout: float,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        tls = {"ssl_context": ssl_context} if ssl_context is not None else {}
        # the name of this machine is not looked up: that can take seconds
        names = {"SERVER_NAME": str(listener.getsockname()[0])}
        super().__init__(
            listener, application, log=None, error_log=error_log, environ=names, **tls
        )  # fmt: skip
        self.request_timeout = request_timeout
        self.busy = 0
        self.stopping = False

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> None:
        """Shake hands within the time limit; who cannot gets a line in the log, no traceback."""
        try:
            client_socket.settimeout(self.request_timeout)
            secure = self.wrap_socket(client_socket, **self.ssl_args)
            secure.settimeout(None)
        except OSError as error:
            error_log.info("no TLS with %s: %s", address[0], error)
            return
        with secure:
            self.handle(secure, address)

    def finish(self, seconds: float) -> None:
        """Wait until the requests in work are answered, at most so long; accept none meanwhile."""
        self.stopping = True
        self.close()
        deadline = time.monotonic() + seconds
        while self.busy and time.monotonic() < deadline:
            sleep(0.01)
