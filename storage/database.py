"""One database and the connections to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import URL, Connection, event, text
from sqlalchemy.exc import SQLAlchemyError

from bokeh_server.storage.faults import translated
from bokeh_server.storage.pool import Pool
from bokeh_server.storage.urls import LOCK_SECONDS, in_memory, make_engine

__all__ = ["Database"]

#: SQLite readers, or PostgreSQL connections, per process.
POOL_SIZE = 10
#: seconds to wait for a free connection.
POOL_SECONDS = 30.0
#: PostgreSQL gives up a statement after so long, so that nobody waits for ever.
STATEMENT_SECONDS = 60


class Database:
    """A database, reached through :meth:`read` and :meth:`write`.

    SQLite has one connection that writes, and that alone moves the write-ahead log back:
    two that do so at once have corrupted databases (SQLite before 3.51.3).

    :param tidy: move the log back; false beside a server that does it already.
    """

    def __init__(self, url: URL, *, tidy: bool = True) -> None:
        self._tidy = tidy
        self.url = url
        self.engine = make_engine(url)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        event.listen(self.engine, "connect", self._prepare)
        if self.is_sqlite:
            event.listen(self.engine, "begin", _begin_sqlite)
        self._readers = Pool(self._reader, POOL_SIZE, POOL_SECONDS, remote=not self.is_sqlite)
        self._writers = Pool(self._writer, 1, POOL_SECONDS) if self.is_sqlite else self._readers
        if in_memory(url):
            self._readers = self._writers

    def read(self, attempted: str) -> AbstractContextManager[Connection]:
        """A connection that sees one moment of the database.

        :param attempted: a verb phrase for error messages.
        :raises StorageUnavailable: the database does not answer.
        """
        return _translating(self._readers, attempted, commit=False)

    def write(self, attempted: str) -> AbstractContextManager[Connection]:
        """A transaction: committed at the end, rolled back when the block raises.

        :raises StorageUnavailable: the database does not answer.
        :raises StorageFull: its disk is full.
        """
        return _translating(self._writers, attempted, commit=True)

    def ping(self) -> None:
        """Ask the database for a sign of life.

        :raises StorageUnavailable: there is none.
        """
        with self.read("reach the database") as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection that is not in use; the writer last, as it tidies up."""
        self._readers.close()
        self._writers.close()
        self.engine.dispose()

    def _reader(self) -> Connection:
        connection = self.engine.connect()
        if self.is_sqlite:
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.exec_driver_sql("PRAGMA wal_autocheckpoint = 0")
            connection.rollback()
        return connection

    def _writer(self) -> Connection:
        connection = self.engine.connect()
        if self.is_sqlite and not self._tidy:
            connection.exec_driver_sql("PRAGMA wal_autocheckpoint = 0")
            connection.rollback()
        return connection.execution_options(bokeh_writer=True)

    def _prepare(self, raw: Any, _record: object) -> None:
        if self.is_sqlite:
            _prepare_sqlite(raw)
        else:
            _prepare_postgresql(raw)


def _prepare_sqlite(raw: Any) -> None:
    # None: the sqlite3 module leaves transactions to us, so that BEGIN IMMEDIATE can be said.
    raw.isolation_level = None
    cursor = raw.cursor()
    for pragma in (
        f"busy_timeout = {LOCK_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "mmap_size = 0",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_postgresql(raw: Any) -> None:
    with raw.cursor() as cursor:
        cursor.execute("SELECT current_setting('synchronous_commit')")
        # "off" would answer before the change is on disk; stronger settings are kept.
        if cursor.fetchone()[0] == "off":
            cursor.execute("SET SESSION synchronous_commit TO on")
        cursor.execute(f"SET SESSION lock_timeout TO '{LOCK_SECONDS}s'")
        cursor.execute(f"SET SESSION statement_timeout TO '{STATEMENT_SECONDS}s'")
    raw.commit()


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("bokeh_writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


@contextmanager
def _translating(pool: Pool, attempted: str, *, commit: bool) -> Iterator[Connection]:
    try:
        with pool.connection(attempted) as connection:
            if commit:
                with connection.begin():
                    yield connection
            else:
                yield connection
    except SQLAlchemyError as error:
        raise translated(error, attempted) from error
