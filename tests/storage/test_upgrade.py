"""``bokeh-server db``: telling and changing the revision."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from bokeh_server.errors import ConfigurationError, SchemaMismatch
from bokeh_server.storage import Store
from bokeh_server.storage.schema import head_revision
from bokeh_server.storage.tables import Base
from bokeh_server.storage.upgrade import current, upgrade
from support.revisions import make_old


def test_an_open_database_is_at_the_head(database_url: str) -> None:
    """What the server made is current, and upgrading it changes nothing."""
    Store.open(database_url).close()
    assert current(database_url) == head_revision()
    said: list[str] = []
    assert upgrade(database_url, said.append) == (head_revision(), head_revision())
    assert "already" in said[0]


def test_upgrading_an_empty_database(database_url: str) -> None:
    """An empty database gets all migrations, after which it opens."""
    if not database_url.startswith("sqlite"):
        assert current(database_url) is None
    assert upgrade(database_url) == (None, head_revision())
    assert current(database_url) == head_revision()
    Store.open(database_url, create=False).close()


def test_a_file_is_backed_up_first(tmp_path: Path) -> None:
    """A SQLite file of an older revision is copied whole beside itself, and the place is told."""
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    documents = make_old(url, "0001")
    said: list[str] = []
    upgrade(url, said.append)
    backup = Path(said[0].removeprefix("Backed up to "))
    assert backup.parent == tmp_path
    with closing(sqlite3.connect(backup)) as connection:
        titles = {row[0] for row in connection.execute("SELECT title FROM document")}
        assert titles == {kept.title for kept in documents}
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        assert found == [("0001",)]


def test_a_newer_database_is_left_alone(database_url: str) -> None:
    """A revision of a newer release is neither upgraded nor backed up."""
    with closing(Store.open(database_url)) as store, store.database.write("test") as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match="newer release"):
        upgrade(database_url)
    assert current(database_url) == "9999"


def test_another_programs_database_is_left_alone(database_url: str) -> None:
    """Foreign tables are not migrated over."""
    with closing(Store.open(database_url)) as store, store.database.write("test") as connection:
        Base.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    with pytest.raises(ConfigurationError, match="theirs"):
        upgrade(database_url)
    assert current(database_url) is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Asking for the revision of no file makes none."""
    with pytest.raises(ConfigurationError, match="no such file"):
        current(f"sqlite:///{tmp_path / 'x.sqlite'}")
    assert list(tmp_path.iterdir()) == []
