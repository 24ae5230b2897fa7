"""Waiting for sockets on gevent's hub: no greenlet for a connection that is idle."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent

if TYPE_CHECKING:
    from bokeh_server.sockets.connection import Connection

__all__ = ["GeventLoop"]

READ = 1
WRITE = 2


class GeventLoop:
    """One watcher per connection, and a greenlet while something is being read."""

    def __init__(self) -> None:
        self._hub: Any = gevent.get_hub()
        self._timer: Any = None
        self._writers: dict[Connection, Any] = {}
        self._readable = self._on_readable
        self._writable = self._on_writable

    def start(self, tick: Callable[[], None], period: float) -> None:
        """Start the timer."""
        self._timer = self._hub.loop.timer(period, period, ref=False)
        self._timer.start(tick)

    def watch_read(self, connection: Connection) -> None:
        """Start the connection's watcher, which is made at the first time."""
        if connection.watch is None:
            connection.watch = self._hub.loop.io(connection.fileno(), READ)
        connection.watch.start(self._readable, connection)

    def watch_write(self, connection: Connection) -> None:
        """Watch for room; the watcher lives until there is some."""
        watcher = self._writers.get(connection)
        if watcher is None:
            watcher = self._hub.loop.io(connection.fileno(), WRITE)
            self._writers[connection] = watcher
        watcher.start(self._writable, connection)

    def spawn(self, function: Callable[..., None], *args: object) -> None:
        """Run a task in a greenlet."""
        gevent.spawn_raw(function, *args)

    def pause(self) -> None:
        """Let the hub run what else is ready."""
        gevent.sleep(0)

    def discard(self, connection: Connection) -> None:
        """Stop its watchers, then close its socket."""
        watcher, connection.watch = connection.watch, None
        if watcher is not None:
            watcher.stop()
            watcher.close()
        self._forget_writer(connection)
        connection.close_socket()

    def stop(self) -> None:
        """Stop the timer and every watcher."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None
        for connection in list(self._writers):
            self._forget_writer(connection)

    def _on_readable(self, connection: Connection) -> None:
        if connection.watch is not None:
            connection.watch.stop()
        if connection.begin_reading():
            gevent.spawn_raw(connection.read)

    def _on_writable(self, connection: Connection) -> None:
        watcher = self._writers.get(connection)
        if watcher is not None:
            watcher.stop()
        connection.on_writable()
        if watcher is not None and not watcher.active:
            self._forget_writer(connection)

    def _forget_writer(self, connection: Connection) -> None:
        watcher = self._writers.pop(connection, None)
        if watcher is not None:
            watcher.stop()
            watcher.close()
