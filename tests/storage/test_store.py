"""Opening a database."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from bokeh_server.errors import (
    BokehServerError,
    ConfigurationError,
    SchemaMismatch,
    StorageFull,
    StorageUnavailable,
)
from bokeh_server.storage import NewChange, Store
from bokeh_server.storage.tables import Base


def set_revision(store: Store, revision: str) -> None:
    """Make the database look as if another release had made it."""
    with store.database.write("test") as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_everything_is_there_after_reopening(database_url: str) -> None:
    """What was stored is read by the next process that opens the database."""
    with closing(Store.open(database_url)) as store:
        docid = store.documents.create("ada", "line").docid
        store.changes.append([NewChange(docid, 1, "ada", b"x")])
    with closing(Store.open(database_url)) as store:
        assert store.documents.find("ada", "line") is not None
        assert [record.body for record in store.changes.after(docid, 0)] == [b"x"]


def test_a_newer_schema_asks_for_a_newer_release(database_url: str) -> None:
    """A revision that this release does not know is refused, and the remedy is to upgrade it."""
    with closing(Store.open(database_url)) as store:
        set_revision(store, "9999")
    with pytest.raises(SchemaMismatch, match=r"newer release.*[Uu]pgrade bokeh-server"):
        Store.open(database_url)


def test_an_older_schema_names_the_command(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database of an older revision is refused, and the message names the command."""
    Store.open(database_url).close()
    monkeypatch.setattr("bokeh_server.storage.schema.head_revision", lambda: "9999")
    with pytest.raises(SchemaMismatch, match="bokeh-server db upgrade"):
        Store.open(database_url)


def test_another_programs_database_is_left_alone(database_url: str) -> None:
    """A database with foreign tables is refused and stays as it is."""
    with closing(Store.open(database_url)) as store, store.database.write("test") as connection:
        Base.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    with pytest.raises(ConfigurationError, match="theirs"):
        Store.open(database_url)


def test_an_empty_database_is_not_filled_unasked(database_url: str) -> None:
    """With ``create=False`` an empty database is refused."""
    with pytest.raises(ConfigurationError, match=r"no such file|no bokeh-server database"):
        Store.open(database_url, create=False)


def test_many_processes_may_open_a_new_database_at_once(database_url: str) -> None:
    """Six threads that meet an empty database all get it, migrated once."""
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            Store.open(database_url).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense", "not of the form"),
        ("", "not of the form"),
        ("mysql://localhost/x", "neither SQLite nor PostgreSQL"),
        ("postgresql://localhost:notaport/x", "not of the form"),
        ("postgresql://bob:secret@127.0.0.1:1/none", "refused"),
        ("sqlite:////proc/no/such/place.sqlite", "No such file"),
    ],
)
def test_urls_that_cannot_be_used(url: str, why: str) -> None:
    """A wrong URL is told in one line that says what to do, without the password."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        Store.open(url)
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
    assert caught.value.remedy


def test_the_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the message says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'bokeh-server\[postgresql\]'"):
        Store.open("postgres://localhost/x")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """A file of another kind is refused and not touched."""
    path = tmp_path / "notes.txt"
    path.write_text("milk, bread" * 100)
    with pytest.raises(ConfigurationError, match="not a database"):
        Store.open(f"sqlite:///{path}")
    assert path.read_text() == "milk, bread" * 100


def test_a_directory_in_the_way(tmp_path: Path) -> None:
    """A directory where the file should be is told as such."""
    with pytest.raises(ConfigurationError, match="unable to open"):
        Store.open(f"sqlite:///{tmp_path}")


def test_a_directory_that_may_not_be_written() -> None:
    """An unwritable directory is told in one line."""
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may write everywhere
        with pytest.raises(ConfigurationError, match="Permission denied"):
            Store.open(f"sqlite:///{directory}/x.sqlite")
    finally:
        os.seteuid(user)
        os.rmdir(directory)


def test_the_file_is_private(tmp_path: Path) -> None:
    """The database is readable by its owner alone, and its directories are made."""
    path = tmp_path / "a" / "b" / "bokeh.sqlite"
    Store.open(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sqlite_is_set_up_to_keep_what_it_answers(tmp_path: Path) -> None:
    """WAL, full synchronisation, foreign keys and no memory mapping, for every connection."""
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "mmap_size": 0}
    with closing(Store.open(f"sqlite:///{tmp_path / 'x.sqlite'}")) as store:
        for open_connection in (store.database.read, store.database.write):
            with open_connection("test") as connection:
                for pragma, value in wanted.items():
                    assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_postgresql_waits_for_the_disk(database_url: str) -> None:
    """A server that would answer before writing is asked not to, for our connections."""
    if database_url.startswith("sqlite"):
        return
    with closing(Store.open(database_url)) as store:
        with store.database.write("test") as connection:
            name = connection.engine.url.database
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit TO off"))
        store.close()
        with store.database.read("test") as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"


def test_a_database_in_memory(tmp_path: Path) -> None:
    """``sqlite://`` is a database of this process, gone when closed."""
    with closing(Store.open("sqlite://")) as store:
        docid = store.documents.create("ada", "line").docid
        store.changes.append([NewChange(docid, 1, "ada", b"x")])
        assert len(store.changes.after(docid, 0)) == 1


def test_a_full_disk(tmp_path: Path) -> None:
    """When the disk is full nothing of the group is stored; with room again all goes on."""
    with closing(Store.open(f"sqlite:///{tmp_path / 'x.sqlite'}")) as store:
        docid = store.documents.create("ada", "line").docid
        with store.database.write("test") as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageFull, match="full"):
            store.changes.append(
                [NewChange(docid, 1, "a", b""), NewChange(docid, 2, "a", b"x" * 10**6)]
            )
        assert store.changes.after(docid, 0) == []
        with store.database.write("test") as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        store.changes.append([NewChange(docid, 1, "a", b"x" * 10**6)])
        assert len(store.changes.after(docid, 0)) == 1


def test_a_locked_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program that holds the database too long makes it unavailable, not broken."""
    monkeypatch.setattr("bokeh_server.storage.database.LOCK_SECONDS", 0.05)
    path = tmp_path / "x.sqlite"
    with closing(Store.open(f"sqlite:///{path}")) as store:
        docid = store.documents.create("ada", "line").docid
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageUnavailable, match="locked"):
                store.changes.append([NewChange(docid, 1, "a", b"")])
            assert store.documents.get(docid) is not None
        store.changes.append([NewChange(docid, 1, "a", b"")])


def test_a_lost_connection_is_made_again(database_url: str) -> None:
    """After PostgreSQL cut every connection one call may fail; the next works."""
    if database_url.startswith("sqlite"):
        return
    with closing(Store.open(database_url)) as store, closing(Store.open(database_url)) as other:
        docid = store.documents.create("ada", "line").docid
        with other.database.read("test") as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        with pytest.raises(StorageUnavailable):
            store.documents.get(docid)
        assert store.documents.get(docid) is not None


def test_an_idle_connection_is_tried_first(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was cut while idle is replaced without anybody noticing."""
    if database_url.startswith("sqlite"):
        return
    monkeypatch.setattr("bokeh_server.storage.pool.IDLE_SECONDS", 0.0)
    with closing(Store.open(database_url)) as store, closing(Store.open(database_url)) as other:
        docid = store.documents.create("ada", "line").docid
        with other.database.read("test") as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        assert store.documents.get(docid) is not None


def test_a_failure_inside_rolls_back(store: Store) -> None:
    """An exception inside a transaction undoes it, and the connection is good for the next."""
    docid = store.documents.create("ada", "line").docid

    def fail() -> None:
        with store.database.write("test") as connection:
            connection.execute(text("DELETE FROM document"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.documents.get(docid) is not None
    with pytest.raises(BokehServerError), store.database.write("test") as connection:
        connection.execute(text("SELECT * FROM nothing"))
    store.ping()


def test_a_forked_child_opens_its_own_connections(database_url: str) -> None:
    """A process forked from one that used the database writes on, and so does its parent."""
    program = f"""
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from bokeh_server.storage import NewChange, Store
store = Store.open({database_url!r})
docid = store.documents.create("ada", "line").docid
child = os.fork()
if not child:
    store.changes.append([NewChange(docid, 1, "child", b"")])
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
store.changes.append([NewChange(docid, 2, "parent", b"")])
print([record.actor for record in store.changes.after(docid, 0)])
store.close()
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "['child', 'parent']", done.stderr
