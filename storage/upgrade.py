"""What ``bokeh-server db`` does: tell a database's revision, and move it to this release's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bokeh_server.errors import ConfigurationError, ServerFault
from bokeh_server.storage.database import Database
from bokeh_server.storage.schema import (
    check_empty,
    check_known,
    current_revision,
    head_revision,
    lock_schema,
    upgrade_schema,
)
from bokeh_server.storage.store import open_database, unusable
from bokeh_server.storage.urls import database_file

__all__ = ["current", "upgrade"]


def current(url: str) -> str | None:
    """The schema revision a database is at; ``None`` where no migration ever ran.

    :raises ConfigurationError: the database cannot be used.
    """
    database = open_database(url, create=False)
    try:
        with database.read("read the schema's revision") as connection:
            return current_revision(connection)
    except ServerFault as error:
        raise unusable(database, error) from error
    finally:
        database.close()


def upgrade(url: str, say: Callable[[str], None] = lambda _line: None) -> tuple[str | None, str]:
    """Move a database to this release's revision; a SQLite file is copied beside itself first.

    :param say: is told what was done, one line at a time.
    :returns: the revision before, and after.
    :raises SchemaMismatch: a newer release made the database.
    :raises ConfigurationError: the database cannot be used, or is another program's.
    """
    database = open_database(url, create=True)
    try:
        return _upgrade(database, say)
    except ServerFault as error:
        raise unusable(database, error) from error
    finally:
        database.close()


def _upgrade(database: Database, say: Callable[[str], None]) -> tuple[str | None, str]:
    with database.read("read the schema's revision") as connection:
        old = current_revision(connection)
    head = head_revision()
    if old == head:
        say(f"The database is at {head} already.")
        return old, head
    check_known(database, old)
    path = database_file(database.url)
    if path is not None and old is not None:
        say(f"Backed up to {_back_up(path)}")
    with database.write("upgrade the database") as connection:
        lock_schema(connection)
        if old is None:
            check_empty(database, connection)
        upgrade_schema(connection)
    say(f"Upgraded from {old or 'nothing'} to {head}.")
    return old, head


def _back_up(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = path.with_name(f"{path.name}.{stamp}.backup")
    try:
        target.touch(mode=0o600)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        raise ConfigurationError(
            f"back up {path} before the upgrade",
            str(error),
            "Make room or allow writing beside it; nothing was changed",
        ) from error
    return target
