"""Databases to measure on, and what they do with the same rows when nobody is in between."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import func, insert, select
from sqlalchemy.engine import make_url

from bokeh_server.storage import Store
from bokeh_server.storage.tables import Base, Change

sys.path.append(str(Path(__file__).parents[2] / "tests"))

__all__ = ["KINDS", "Written", "database", "plainly", "written"]

KINDS = ("sqlite", "postgresql")
_COLUMNS = ("docid", "seq", "actor", "at", "key", "body")


@contextmanager
def database(kind: str, folder: str) -> Iterator[str | None]:
    """The URL of an empty database that keeps what it confirmed; ``None``: there is no such server.

    :param folder: an empty one, which is deleted afterwards.
    """
    if kind == "sqlite":
        yield f"sqlite:///{folder}/{os.urandom(4).hex()}.sqlite3"
        return
    from support.postgresql import Postgresql
    from support.programs import postgresql_path

    binaries = postgresql_path()
    if binaries is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bkpg") as place:
        server = Postgresql(Path(place), binaries, ("listen_addresses=", "max_connections=60"))
        if os.geteuid() == 0:
            import shutil

            shutil.chown(place, "postgres")
        server.make()
        server.start()
        try:
            with server.database() as url:
                yield url
        finally:
            server.stop()


@dataclass
class Written:
    """What is in the log of a database.

    :param groups: transactions.
    :param tables: every row of every table that the log needs, in order.
    """

    changes: int
    groups: int
    tables: dict[str, list[dict[str, Any]]]

    @property
    def group(self) -> int:
        """Changes of one transaction, on the average."""
        return max(1, round(self.changes / self.groups))


def written(url: str, most: int = 60_000) -> Written:
    """Read the log, at most so many changes of it; the time of a change is that of its group."""
    store = Store.open(url)
    try:
        with store.database.read("measure") as connection:
            counts = select(func.count(), func.count(Change.at.distinct()))
            changes, groups = connection.execute(counts.select_from(Change)).one()
            tables = {}
            for name in ("user", "document", "change"):
                table = Base.metadata.tables[name]
                query = select(table).limit(most)
                query = query.order_by(table.c.at, table.c.docid) if name == "change" else query
                tables[name] = [dict(row._mapping) for row in connection.execute(query)]
    finally:
        store.close()
    return Written(changes, groups, tables)


def plainly(url: str, log: Written, group: int, seconds: float) -> float:
    """Rows per second that an empty database takes of a log, in groups, from a plain loop."""
    store = Store.open(url)
    try:
        with store.database.write("copy") as connection:
            for name in ("user", "document"):
                connection.execute(insert(Base.metadata.tables[name]), log.tables[name])
    finally:
        store.close()
    rows = [tuple(row[name] for name in _COLUMNS) for row in log.tables["change"]]
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        rows = [(*row[:3], row[3].isoformat(" "), *row[4:]) for row in rows]
        with closing(sqlite3.connect(parsed.database or "", isolation_level=None)) as raw:
            raw.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
            return _loop(raw, rows, group, seconds, "?")
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        return _loop(connection, rows, group, seconds, "%s")


def _loop(raw: Any, rows: Sequence[Any], group: int, seconds: float, mark: str) -> float:
    marks = ", ".join([mark] * len(_COLUMNS))
    names = ", ".join(f'"{name}"' for name in _COLUMNS)
    statement = f"INSERT INTO change ({names}) VALUES ({marks})"
    cursor, done, began = raw.cursor(), 0, time.perf_counter()
    while done + group <= len(rows) and time.perf_counter() - began < seconds:
        cursor.execute("BEGIN")
        cursor.executemany(statement, rows[done : done + group])
        cursor.execute("COMMIT")
        done += group
    return done / (time.perf_counter() - began)
