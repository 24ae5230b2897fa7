"""SQLite's write-ahead log, which keeps old pages until it is used again from its start."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress

from sqlalchemy import Connection

__all__ = ["Log"]

#: seconds until another try, when readers were in the way.
AGAIN_SECONDS = 1.0


class Log:
    """Empties the log when that is wanted; only the process that moves it back may do so."""

    def __init__(self) -> None:
        self._wanted = False
        self._not_before = 0.0

    @property
    def is_due(self) -> bool:
        """Whether to :meth:`cut` now."""
        return self._wanted and time.monotonic() >= self._not_before

    def want(self) -> None:
        """Have it emptied soon."""
        self._wanted = True
        self._not_before = 0.0

    def cut(self, connection: Connection) -> None:
        """Move the log into the file and empty it, unless somebody reads it just now.

        :param connection: the one that writes, out of any transaction.
        """
        self._wanted = False
        self._not_before = time.monotonic() + AGAIN_SECONDS
        with suppress(sqlite3.Error):  # a disk that is full: what was committed stays in the log
            if _emptied(connection):
                return
        self._wanted = True


def _emptied(connection: Connection) -> bool:
    raw = connection.connection.driver_connection
    assert raw is not None, "the connection is open"
    with closing(raw.cursor()) as cursor:
        (patience,) = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")  # writers wait meanwhile
        try:
            busy: int = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {patience}")
    return not busy
