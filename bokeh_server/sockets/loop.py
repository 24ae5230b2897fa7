"""All WebSockets of one app in one process."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

from bokeh_server.blocking import is_gevent
from bokeh_server.errors import ServerFault
from bokeh_server.sockets.connection import Connection, MakeHandler
from bokeh_server.sockets.limits import Limits
from bokeh_server.sockets.takeover import Transport

__all__ = ["Driver", "SocketLoop"]

log = logging.getLogger(__name__)

#: connections made at once are first pinged at different times, in so many steps.
SPREAD = 16


class Driver(Protocol):
    """Waits for sockets and runs tasks; one on gevent's hub, one on threads.

    What is watched is watched for one event; watching twice does no harm.
    """

    def start(self, tick: Callable[[], None], period: float) -> None:
        """Begin, and call ``tick`` every ``period`` seconds; it never blocks."""

    def watch_read(self, connection: Connection) -> None:
        """Run ``connection.read`` as a task when something arrives."""

    def watch_write(self, connection: Connection) -> None:
        """Call ``connection.on_writable`` when there is room; it never blocks."""

    def spawn(self, function: Callable[..., None], *args: object) -> None:
        """Run a task, which may block."""

    def pause(self) -> None:
        """Let other tasks run."""

    def discard(self, connection: Connection) -> None:
        """Watch it no more and close its socket."""

    def stop(self) -> None:
        """End."""


class SocketLoop:
    """The connections of one app; its threads or watchers start at the first of them.

    :param limits: what a peer may send and how long it may take.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.now = time.monotonic
        #: guards the few words of state of every connection; never held while anything waits.
        self.lock = threading.Lock()
        self._starting = threading.Lock()
        self._driver: Driver | None = None
        self._pid = 0
        self._connections: dict[int, Connection] = {}
        self._closed = False

    def __len__(self) -> int:
        """How many connections there are, those included that are ending."""
        return len(self._connections)

    def adopt(
        self,
        sock: Transport,
        make_handler: MakeHandler,
        *,
        initial: bytes = b"",
        answer: bytes = b"",
    ) -> Connection:
        """Take over a socket whose peer has asked for a WebSocket.

        :param sock: it never blocks, and is closed by the loop.
        :param make_handler: called with the connection, gives what happens on it.
        :param initial: what the peer has sent already.
        :param answer: sent before anything else: the 101.
        :raises ServerFault: the loop was closed.
        """
        try:
            self._start()
        except ServerFault:
            sock.close()
            raise
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.limits.send_buffer)
        connection = Connection(self, sock, initial)
        self._connections[id(connection)] = connection
        if answer:
            connection.send(answer)
        try:
            connection.handler = make_handler(connection)
            connection.handler.opened()
        except Exception:
            log.exception("A WebSocket's handler could not open")
            connection.close(1011, "the server failed")
        connection.start()
        return connection

    def check_open(self) -> None:
        """Make sure that connections can be adopted.

        :raises ServerFault: the loop was closed.
        """
        if self._closed:
            raise ServerFault("open a WebSocket", "the server is stopping", "Try again later")

    def close(self, code: int = 1012) -> None:
        """Close every connection with ``code``; waits a little for peers to answer."""
        with self._starting:
            self._closed = True
        for connection in list(self._connections.values()):
            connection.close(code, "the server is stopping")
        self._wait_until_empty(self.limits.shutdown_timeout)
        for connection in list(self._connections.values()):
            connection.abort()
        self._wait_until_empty(0.5)
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.stop()
        for connection in list(self._connections.values()):
            connection.close_socket()
        self._connections.clear()

    def _wait_until_empty(self, seconds: float) -> None:
        deadline = self.now() + seconds
        while self._connections and self.now() < deadline:
            time.sleep(0.01)

    # ---- for connections ----

    def first_due(self, now: float, fd: int) -> float:
        """When a new connection is first looked at."""
        return now + self.limits.ping_interval * (0.5 + fd % SPREAD / SPREAD / 2)

    def watch_read(self, connection: Connection) -> None:
        """Read it when something arrives."""
        if self._driver is not None:
            self._driver.watch_read(connection)

    def read_later(self, connection: Connection) -> None:
        """Read it when others have had their turn."""
        if connection.begin_reading():
            self.spawn(connection.read)

    def watch_write(self, connection: Connection) -> None:
        """Go on writing when there is room."""
        if self._driver is not None:
            self._driver.watch_write(connection)

    def spawn(self, function: Callable[..., None], *args: object) -> None:
        """Run a task that may block."""
        if self._driver is not None:
            self._driver.spawn(function, *args)

    def pause(self) -> None:
        """Let others run between two messages."""
        if self._driver is not None:
            self._driver.pause()

    def discard(self, connection: Connection) -> None:
        """Forget a connection and close its socket."""
        self._connections.pop(id(connection), None)
        if self._driver is not None:
            self._driver.discard(connection)
        else:
            connection.close_socket()

    # ---- inside ----

    def _start(self) -> None:
        if self._driver is not None and self._pid == os.getpid() and not self._closed:
            return
        with self._starting:
            self.check_open()
            if self._driver is None or self._pid != os.getpid():
                self._connections = {}
                self._pid = os.getpid()
                driver = _make_driver()
                driver.start(self._tick, self._period())
                self._driver = driver

    def _period(self) -> float:
        limits = self.limits
        times = (limits.ping_interval, limits.stall_timeout, limits.close_timeout)
        return min(1.0, min(times) / 4)

    def _tick(self) -> None:
        now = self.now()
        for connection in list(self._connections.values()):
            if now >= connection.due:
                connection.on_due(now)


def _make_driver() -> Driver:
    if is_gevent():
        from bokeh_server.sockets.gevent_loop import GeventLoop

        return GeventLoop()
    from bokeh_server.sockets.thread_loop import ThreadLoop

    return ThreadLoop()
