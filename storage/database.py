"""One database and the connections to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from sqlalchemy import URL, Connection, event, text
from sqlalchemy.exc import SQLAlchemyError

from bokeh_server.errors import ServerFault
from bokeh_server.storage.faults import translated
from bokeh_server.storage.log import Log
from bokeh_server.storage.pool import Pool
from bokeh_server.storage.silence import connect_with_patience
from bokeh_server.storage.urls import LOCK_SECONDS, in_memory, make_engine

__all__ = ["Database"]

#: SQLite readers, or PostgreSQL connections, per process.
POOL_SIZE = 10
#: seconds to wait for a free connection.
POOL_SECONDS = 30.0
#: PostgreSQL gives up a statement after so long, so that nobody waits for ever.
STATEMENT_SECONDS = 30
#: It ends the session of a process that stopped amid a transaction, and frees what that locked.
IDLE_SECONDS = 20
#: A migration takes as long as it takes, and waits for another process that migrates.
#: SQLite would empty the tables that refer to one that is rebuilt, were foreign keys on.
SQLITE_MIGRATES = ("PRAGMA busy_timeout = 3600000", "PRAGMA foreign_keys = OFF")
POSTGRESQL_MIGRATES = tuple(
    f"SET SESSION {name} TO 0"
    for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
)
#: isolation levels of psycopg, which is imported for PostgreSQL alone.
READ_COMMITTED, REPEATABLE_READ = 2, 3
#: SQLite's write-ahead log is cut back to this when it was longer.
LOG_BYTES = 16 * 1024 * 1024


class Database:
    """A database, reached through :meth:`read` and :meth:`write`.

    SQLite has one connection that writes, and that alone moves the write-ahead log back:
    two that do so at once have corrupted databases (SQLite before 3.51.3).

    :param tidy: move the log back; false beside a server that does it already.
    :param migrating: be patient, and let SQLite rebuild tables to which others refer.
    """

    def __init__(self, url: URL, *, tidy: bool = True, migrating: bool = False) -> None:
        self._tidy = tidy
        self._migrating = migrating
        self.url = url
        self.engine = make_engine(url)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        event.listen(self.engine, "connect", self._prepare)
        if self.is_sqlite:
            event.listen(self.engine, "begin", _begin_sqlite)
        elif not migrating:
            event.listen(self.engine, "do_connect", connect_with_patience)
        self._readers = Pool(self._reader, POOL_SIZE, POOL_SECONDS, remote=not self.is_sqlite)
        self._writers = Pool(self._writer, 1, POOL_SECONDS) if self.is_sqlite else self._readers
        self._log = Log() if self.is_sqlite and tidy else None
        if in_memory(url):
            self._readers = self._writers

    def read(self, attempted: str) -> AbstractContextManager[Connection]:
        """A connection that sees one moment of the database.

        :param attempted: a verb phrase for error messages.
        :raises StorageUnavailable: the database does not answer.
        """
        return self._translating(self._readers, attempted, commit=False)

    @contextmanager
    def write(self, attempted: str) -> Iterator[Connection]:
        """A transaction: committed at the end, rolled back when the block raises.

        :raises StorageUnavailable: the database does not answer.
        :raises StorageFull: its disk is full.
        """
        with self._translating(self._writers, attempted, commit=True) as connection:
            yield connection
        if self._log is not None and self._log.is_due:
            # What was written is committed, whatever becomes of this; the next writer tries again.
            with (
                suppress(ServerFault),
                self._translating(self._writers, attempted, commit=False) as connection,
            ):
                self._log.cut(connection)

    def cut_log(self) -> None:
        """Leave nothing of what was deleted in SQLite's log: now, or at a later :meth:`write`.

        It raises nothing, for what was deleted is gone, whoever is in the way.
        """
        if self._log is not None:
            self._log.want()
            with suppress(ServerFault), self.write("tidy up"):
                pass

    @contextmanager
    def _translating(self, pool: Pool, attempted: str, *, commit: bool) -> Iterator[Connection]:
        try:
            with pool.connection(attempted) as connection:
                if not self.is_sqlite:
                    _choose_isolation(connection, steady=not commit)
                if commit:
                    with connection.begin():
                        yield connection
                else:
                    yield connection
        except SQLAlchemyError as error:
            raise translated(error, attempted) from error

    def ping(self) -> None:
        """Ask the database for a sign of life.

        :raises StorageUnavailable: there is none.
        """
        with self.read("reach the database") as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection that is not in use; the writer last, as it tidies up."""
        # The engine is not disposed of: it pools nothing, and would begin anew. The first
        # connection of an engine is made under a lock of `threading`; see bokeh_server.blocking.
        self._readers.close()
        self._writers.close()

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
        if self._migrating:
            _prepare_migration(raw, SQLITE_MIGRATES if self.is_sqlite else POSTGRESQL_MIGRATES)


def _prepare_sqlite(raw: Any) -> None:
    # None: the sqlite3 module leaves transactions to us, so that BEGIN IMMEDIATE can be said.
    raw.isolation_level = None
    # its own functions know the case of ASCII letters alone
    raw.create_function("casefold", 1, str.casefold, deterministic=True)
    cursor = raw.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {LOCK_SECONDS * 1000}")
    if not cursor.execute("PRAGMA page_count").fetchone()[0]:
        # Only a new file takes this, and on others it waits for whoever writes.
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for pragma in (
        "journal_mode = WAL",
        f"journal_size_limit = {LOG_BYTES}",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is deleted is overwritten
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
        idle = "idle_in_transaction_session_timeout"
        cursor.execute(f"SET SESSION {idle} TO '{IDLE_SECONDS}s'")
    raw.commit()


def _prepare_migration(raw: Any, statements: tuple[str, ...]) -> None:
    cursor = raw.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    raw.commit()


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("bokeh_writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _choose_isolation(connection: Connection, *, steady: bool) -> None:
    """Have PostgreSQL's next transaction read one moment only, or write to the newest."""
    raw: Any = connection.connection.driver_connection
    if raw.read_only is not steady:
        raw.read_only = steady
        raw.isolation_level = REPEATABLE_READ if steady else READ_COMMITTED
