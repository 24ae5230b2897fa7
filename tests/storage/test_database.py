"""Connections: what they see, and how long they wait."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage import Store
from bokeh_server.storage.store import open_database

COUNT = "SELECT count(*) FROM document"


def test_a_reader_sees_one_moment(ready_url: str) -> None:
    """What others commit while somebody reads is seen by the next who reads, not by this one."""
    with closing(Store.open(ready_url)) as store, closing(Store.open(ready_url)) as other:
        with store.database.read("test") as connection:
            assert connection.exec_driver_sql(COUNT).scalar() == 0
            other.documents.create("ada", "line")
            assert connection.exec_driver_sql(COUNT).scalar() == 0
        with store.database.read("test") as connection:
            assert connection.exec_driver_sql(COUNT).scalar() == 1


def test_a_reader_writes_nothing(store: Store) -> None:
    """A connection for reading refuses to change anything; the next writer is not hindered."""
    with pytest.raises(StorageUnavailable, match=r"read-?only"), store.database.read("x") as only:
        only.exec_driver_sql("DELETE FROM document")
    store.documents.create("ada", "line")


def test_a_process_that_stopped_amid_a_transaction_loses_its_locks(
    ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends its session, so that one frozen server does not block a document for good."""
    if ready_url.startswith("sqlite"):
        return  # there one process serves a database
    monkeypatch.setattr("bokeh_server.storage.database.IDLE_SECONDS", 1)
    with closing(Store.open(ready_url)) as frozen, closing(Store.open(ready_url)) as other:
        docid = other.documents.create("ada", "line").docid
        update = f"UPDATE document SET plots = 9 WHERE id = '{docid}'"

        def freeze() -> None:
            with frozen.database.write("test") as connection:
                connection.exec_driver_sql(update)
                started = time.monotonic()
                other.documents.publish(docid, True)
                assert time.monotonic() - started < 5
                connection.exec_driver_sql(update)

        with pytest.raises(StorageUnavailable, match=r"idle|terminat|closed"):
            freeze()
        record = frozen.documents.get(docid)
        assert record is not None
        assert (record.published, record.plots) == (True, 0)


def test_a_migration_takes_its_time(database_url: str) -> None:
    """No limit that is made for a server's short transactions ends a migration."""
    with closing(open_database(database_url, create=True, migrating=True)) as database:
        with database.write("test") as connection:
            names = (
                ["busy_timeout"]
                if database.is_sqlite
                else ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"]
            )
            query = "PRAGMA {}" if database.is_sqlite else "SHOW {}"
            found = [connection.exec_driver_sql(query.format(name)).scalar() for name in names]
        assert found == ([3_600_000] if database.is_sqlite else ["0"] * 3)
