"""Databases that a server does not take: what it says, and that it leaves them alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from bokeh_server.errors import ConfigurationError, SchemaMismatch
from bokeh_server.storage import Store
from bokeh_server.storage.schema import head_revision
from bokeh_server.storage.store import open_database
from bokeh_server.storage.upgrade import current, upgrade
from support.command import run_command
from support.history import FILLERS
from support.revisions import count_rows, make_old

OLD = [revision for revision in FILLERS if revision != head_revision()]


def execute(url: str, *statements: str) -> None:
    """Change a database behind the server's back."""
    with closing(open_database(url, create=True)) as database, database.write("test") as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.mark.parametrize("revision", OLD)
def test_every_older_revision_is_refused(database_url: str, revision: str, tmp_path: Path) -> None:
    """Opening one names the command that upgrades it, and changes nothing; then it opens."""
    make_old(database_url, revision)
    before = count_rows(database_url)
    with pytest.raises(SchemaMismatch, match=r"older than.*bokeh-server db upgrade"):
        Store.open(database_url)
    done = run_command(tmp_path, "--database", database_url, "--port", "0")
    assert done.returncode == 1
    assert "Stop every server that uses it and run: bokeh-server db upgrade" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert count_rows(database_url) == before
    said: list[str] = []
    upgrade(database_url, said.append)
    assert ("pg_dump" in said[0]) == database_url.startswith("postgresql")
    Store.open(database_url).close()


def test_another_program_that_uses_alembic(database_url: str) -> None:
    """A revision that is not ours, of tables that are not ours, is no newer release of ours."""
    execute(
        database_url,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('ab12cd34')",
        "CREATE TABLE theirs (id INTEGER)",
    )
    for attempt in (Store.open, upgrade):
        with pytest.raises(ConfigurationError, match=r"another program's tables.*theirs"):
            attempt(database_url)
    assert current(database_url) == "ab12cd34"


def test_tables_that_are_missing(ready_url: str) -> None:
    """A database that says it is ours but was not restored whole is not written to."""
    execute(ready_url, "DROP TABLE part", "DROP TABLE change")
    with pytest.raises(SchemaMismatch, match=r"lacks the tables change, part.*Restore a backup"):
        Store.open(ready_url)
