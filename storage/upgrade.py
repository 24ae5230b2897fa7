"""What ``bokeh-server db`` does: tell a database's revision, and move it to this release's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bokeh_server.errors import ServerFault
from bokeh_server.storage.backup import check_room, copy_file, file_size, open_file
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
from bokeh_server.storage.urls import database_file, shown

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

    All of it is one transaction: interrupted at any moment, it can be done again.

    :param say: is told what is done, one line at a time.
    :returns: the revision before, and after.
    :raises SchemaMismatch: a newer release made the database.
    :raises ConfigurationError: the database cannot be used or backed up, or is another program's.
    """
    database = open_database(url, create=True, migrating=True)
    try:
        return _upgrade(database, say)
    except ServerFault as error:
        raise unusable(database, error) from error
    finally:
        database.close()


def _upgrade(database: Database, say: Callable[[str], None]) -> tuple[str | None, str]:
    with database.read("read the schema's revision") as connection:
        old = current_revision(connection)
        check_known(database, connection, old)
    head = head_revision()
    if old == head:
        say(f"The database is at {head} already.")
        return old, head
    if old is not None:
        _keep_a_copy(database, say)
    with database.write("upgrade the database") as connection:
        lock_schema(connection)
        if current_revision(connection) is None:  # also when another process waited for us
            check_empty(database, connection)
        upgrade_schema(connection)
    say(f"Upgraded from {old or 'nothing'} to {head}.")
    return old, head


def _keep_a_copy(database: Database, say: Callable[[str], None]) -> None:
    path = database_file(database.url)
    if path is None:
        say(
            "No copy is made of a PostgreSQL database; to have one:"
            f" pg_dump --format=custom --file=FILE '{shown(database.url)}'"
        )
        return
    with closing(open_file(path)) as connection:
        # the copy, and as much again for what the upgrade itself writes
        check_room(path.parent, 2 * file_size(connection), f"upgrade {path}")
    target = _free_name(path)
    copy_file(path, target)
    say(f"Backed up to {target}")


def _free_name(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")  # two upgrades at once differ
    return path.with_name(f"{path.name}.{stamp}.backup")
