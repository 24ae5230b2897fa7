"""A few database connections, shared by threads of any kind.

SQLAlchemy's pools wait on :mod:`threading` locks. Under gevent those belong to greenlets,
while storage runs in native threads beside them; so waiting here is on a native queue,
which works in both worlds. A connection is never carried over a fork.
"""

from __future__ import annotations

import time
from _queue import Empty, SimpleQueue
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage.forks import ForkGuard

__all__ = ["Pool"]

#: a connection idle for longer than this many seconds is asked for a sign of life first.
IDLE_SECONDS = 5.0


class Pool:
    """At most ``size`` connections, made when needed and kept for the next.

    :param connect: opens one.
    :param seconds: how long to wait for a free one.
    :param remote: connections may be lost while idle, so that they are tried before use.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        size: int,
        seconds: float,
        *,
        remote: bool = False,
    ) -> None:
        self._connect = connect
        self._size = size
        self._seconds = seconds
        self._remote = remote
        #: connections of a process this one was forked from: never closed here,
        #: because closing would touch the parent's files and sockets.
        self._inherited: list[object] = []
        self._idle: deque[tuple[Connection, float]] = deque()
        self._fork = ForkGuard(self._reset)

    def _reset(self) -> None:
        if self._idle:
            self._inherited.append(self._idle)
        self._idle = deque()
        self._tokens: SimpleQueue[None] = SimpleQueue()
        for _ in range(self._size):
            self._tokens.put(None)

    @contextmanager
    def connection(self, attempted: str) -> Iterator[Connection]:
        """Have a connection to oneself; afterwards it is out of any transaction.

        :raises StorageUnavailable: none came free in time.
        """
        self._fork.check()
        tokens = self._tokens
        try:
            tokens.get(timeout=self._seconds)
        except Empty:
            raise StorageUnavailable(
                attempted, "the database is busy", "Try again in a moment"
            ) from None
        try:
            with self._taken() as connection:
                yield connection
        finally:
            tokens.put(None)

    @contextmanager
    def _taken(self) -> Iterator[Connection]:
        connection = self._waiting() or self._connect()
        try:
            yield connection
            connection.rollback()
        except BaseException:
            self._put_back(connection)
            raise
        self._keep(connection)

    def _waiting(self) -> Connection | None:
        while self._idle:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                break
            if not self._remote or time.monotonic() - since < IDLE_SECONDS or _alive(connection):
                return connection
            # The server went away: whatever else is idle was lost with it.
            _close(connection)
            self.close()
        return None

    def _keep(self, connection: Connection) -> None:
        self._idle.append((connection, time.monotonic()))

    def _put_back(self, connection: Connection) -> None:
        try:
            connection.rollback()
        except SQLAlchemyError:
            connection.invalidate()
        if connection.invalidated or connection.closed:
            # The server went away: whatever else is idle was lost with it.
            _close(connection)
            self.close()
        else:
            self._keep(connection)

    def close(self) -> None:
        """Close what is idle; the pool stays usable."""
        self._fork.check()
        while self._idle:
            with suppress(IndexError):
                _close(self._idle.pop()[0])


def _alive(connection: Connection) -> bool:
    try:
        connection.exec_driver_sql("SELECT 1")
        connection.rollback()
    except SQLAlchemyError:
        return False
    return True


def _close(connection: Connection) -> None:
    with suppress(SQLAlchemyError):
        connection.close()
