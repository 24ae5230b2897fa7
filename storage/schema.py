"""Which revision of the schema a database is at, and moving it to this release's."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from bokeh_server.errors import ConfigurationError, SchemaMismatch, ServerFault
from bokeh_server.storage.database import Database
from bokeh_server.storage.tables import Base
from bokeh_server.storage.urls import shown

__all__ = [
    "alembic_config",
    "check_empty",
    "check_known",
    "current_revision",
    "head_revision",
    "lock_schema",
    "require_head",
    "upgrade_schema",
]

#: any number that no other program locks.
_ADVISORY_LOCK = 5006_0110
#: what every revision has.
OLDEST_TABLES = {"change", "document", "user"}


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings, without an ``alembic.ini``.

    :param connection: what migrations run on.
    """
    config = Config()
    location = str(files("bokeh_server.migrations")).replace("%", "%%")
    config.set_main_option("script_location", location)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The revision that this release works with."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert head is not None, "there is at least one migration"
    return head


def current_revision(connection: Connection) -> str | None:
    """The revision the database is at; ``None`` where no migration ever ran."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade_schema(connection: Connection, revision: str = "head") -> None:
    """Migrate to this release's revision, inside the connection's transaction.

    :raises ServerFault: rows would refer to others that are not there.
    """
    command.upgrade(alembic_config(connection), revision)
    if connection.dialect.name == "sqlite":
        # Foreign keys are off meanwhile, see Database.
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise ServerFault(
                "upgrade the database",
                f"a row of {broken[0]!r} refers to one of {broken[2]!r} that is not there",
                "Nothing was changed; please report this",
            )


def lock_schema(connection: Connection) -> None:
    """Keep other processes from migrating until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def require_head(database: Database, *, create: bool) -> None:
    """Make sure that the database is at this release's revision.

    :param create: migrate an empty database; otherwise it is refused.
    :raises SchemaMismatch: it is older or newer.
    :raises ConfigurationError: it is empty and shall not be filled, or another program's.
    """
    with database.read("open the database") as connection:
        if current_revision(connection) == head_revision():
            _check_tables(database, connection)
            return
    with database.write("prepare the database") as connection:
        lock_schema(connection)
        current = current_revision(connection)
        if current == head_revision():
            return  # another process was quicker
        check_known(database, connection, current)
        if current is not None:
            raise _older(database, current)
        check_empty(database, connection)
        if not create:
            raise ConfigurationError(
                f"open {shown(database.url)}",
                "there is no bokeh-server database in it",
                "Check the URL, or start bokeh-server once to make it",
            )
        upgrade_schema(connection)


def check_known(database: Database, connection: Connection, current: str | None) -> None:
    """Refuse a revision that this release does not know.

    :raises SchemaMismatch: a newer release made it.
    :raises ConfigurationError: another program that uses Alembic made it.
    """
    script = ScriptDirectory.from_config(alembic_config())
    known = {revision.revision for revision in script.walk_revisions()}
    if current is None or current in known:
        return
    tables = set(inspect(connection).get_table_names())
    if not tables >= OLDEST_TABLES:
        raise _foreign(database, tables)
    raise SchemaMismatch(
        f"open {shown(database.url)}",
        f"its schema {current} was made by a newer release of bokeh-server",
        "Upgrade bokeh-server: pip install --upgrade bokeh-server",
    )


def check_empty(database: Database, connection: Connection) -> None:
    """Refuse to fill a database that has tables of another program.

    :raises ConfigurationError: it has.
    """
    tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
    if tables:
        raise _foreign(database, tables)


def _foreign(database: Database, tables: set[str]) -> ConfigurationError:
    return ConfigurationError(
        f"open {shown(database.url)}",
        f"it holds another program's tables ({', '.join(sorted(tables)[:3])}, …)",
        "Give bokeh-server a database of its own",
    )


def _check_tables(database: Database, connection: Connection) -> None:
    missing = Base.metadata.tables.keys() - set(inspect(connection).get_table_names())
    if missing:
        raise SchemaMismatch(
            f"open {shown(database.url)}",
            f"it lacks the tables {', '.join(sorted(missing))}",
            "Restore a backup, or give bokeh-server a new database",
        )


def _older(database: Database, current: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"open {shown(database.url)}",
        f"its schema {current} is older than this release's {head_revision()}",
        "Stop every server that uses it and run: bokeh-server db upgrade",
    )
