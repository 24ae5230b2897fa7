"""Waiting for sockets on one thread, with others for what arrives."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bokeh_server.crew import Crew

if TYPE_CHECKING:
    from bokeh_server.sockets.connection import Connection

__all__ = ["ThreadLoop"]

log = logging.getLogger(__name__)


class ThreadLoop:
    """One thread waits and writes, a crew of others reads; others only leave it orders."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._orders: deque[tuple[Callable[[Connection], None], Connection]] = deque()
        self._bell, self._button = socket.socketpair()
        self._bell.setblocking(False)
        self._button.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._crew = Crew()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._asleep = False

    def start(self, tick: Callable[[], None], period: float) -> None:
        """Start the waiting thread."""
        self._thread = threading.Thread(
            target=self._run, args=(tick, period), name="bokeh-sockets", daemon=True
        )
        self._thread.start()

    def watch_read(self, connection: Connection) -> None:
        """Order it from the waiting thread."""
        self._order(self._add_read, connection)

    def watch_write(self, connection: Connection) -> None:
        """Order it from the waiting thread."""
        self._order(self._add_write, connection)

    def spawn(self, function: Callable[..., None], *args: object) -> None:
        """Run a task where it may block."""
        self._crew.submit(function, *args)

    def pause(self) -> None:
        """Do nothing: threads take turns by themselves."""

    def discard(self, connection: Connection) -> None:
        """Order it from the waiting thread: only there nobody can be waiting for it."""
        self._order(self._remove, connection)

    def stop(self) -> None:
        """Stop the waiting thread and let the crew end what it does."""
        self._stopping = True
        self._ring()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)
        self._crew.stop()
        self._selector.close()
        self._bell.close()
        self._button.close()

    def _order(self, what: Callable[[Connection], None], connection: Connection) -> None:
        self._orders.append((what, connection))
        if threading.current_thread() is not self._thread:
            self._ring()

    def _ring(self) -> None:
        if self._asleep or self._stopping:
            self._asleep = False
            with contextlib.suppress(OSError):
                self._button.send(b"!")

    def _run(self, tick: Callable[[], None], period: float) -> None:
        due = time.monotonic() + period
        while not self._stopping:
            try:
                self._obey()
                self._wait(due)
                if time.monotonic() >= due:
                    due = time.monotonic() + period
                    tick()
            except Exception:
                log.exception("The thread that waits for WebSockets failed")
        self._obey()

    def _wait(self, due: float) -> None:
        self._asleep = True
        timeout = 0.0 if self._orders else max(0.0, due - time.monotonic())
        events = self._selector.select(timeout)
        self._asleep = False
        for key, happened in events:
            if key.fileobj is self._bell:
                self._silence()
            else:
                self._dispatch(key, happened)

    def _silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass

    def _dispatch(self, key: selectors.SelectorKey, happened: int) -> None:
        connection: Connection = key.data
        self._want(connection, key.events & ~happened)
        if happened & selectors.EVENT_WRITE:
            connection.on_writable()
        if happened & selectors.EVENT_READ and connection.begin_reading():
            self.spawn(connection.read)

    def _obey(self) -> None:
        while self._orders:
            what, connection = self._orders.popleft()
            what(connection)

    def _add_read(self, connection: Connection) -> None:
        self._want(connection, self._wanted(connection) | selectors.EVENT_READ)

    def _add_write(self, connection: Connection) -> None:
        self._want(connection, self._wanted(connection) | selectors.EVENT_WRITE)

    def _remove(self, connection: Connection) -> None:
        self._want(connection, 0)
        connection.close_socket()

    def _wanted(self, connection: Connection) -> int:
        key: Any = self._selector.get_map().get(connection.fileno())
        return key.events if key is not None and key.data is connection else 0

    def _want(self, connection: Connection, events: int) -> None:
        fd = connection.fileno()
        if fd < 0:
            return
        had = self._wanted(connection)
        if not had and events:
            self._selector.register(fd, events, connection)
        elif had and not events:
            self._selector.unregister(fd)
        elif had != events:
            self._selector.modify(fd, events, connection)
