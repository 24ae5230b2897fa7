"""The pool of connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage.pool import Pool


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine that makes a new connection each time."""
    made = create_engine("sqlite://", poolclass=NullPool, connect_args={"check_same_thread": False})
    yield made
    made.dispose()


def test_a_connection_is_used_again(engine: Engine) -> None:
    """One after the other share a connection; what one left open is rolled back."""
    pool = Pool(engine.connect, 3, 1.0)
    with pool.connection("test") as first:
        first.execute(text("SELECT 1"))
    with pool.connection("test") as second:
        assert second is first
        assert not second.in_transaction()
    pool.close()
    assert first.closed


def test_no_more_than_its_size(engine: Engine) -> None:
    """Who finds all connections in use waits, then hears that the database is busy."""
    pool = Pool(engine.connect, 1, 0.05)
    with (
        pool.connection("first"),
        pytest.raises(StorageUnavailable, match=r"second.*busy"),
        pool.connection("second"),
    ):
        pass
    with pool.connection("third"):
        pass
    pool.close()


def test_many_threads_share_a_few(engine: Engine) -> None:
    """Thirty threads use two connections, never one at the same time, and none is lost."""
    in_use: set[Connection] = set()
    seen: set[Connection] = set()
    pool = Pool(engine.connect, 2, 20.0)

    def use() -> None:
        for _ in range(20):
            with pool.connection("test") as connection:
                assert connection not in in_use
                in_use.add(connection)
                seen.add(connection)
                connection.execute(text("SELECT 1"))
                in_use.discard(connection)

    threads = [threading.Thread(target=use) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert 1 <= len(seen) <= 2
    pool.close()


def test_a_lost_connection_takes_the_idle_ones_along(engine: Engine) -> None:
    """When one proves lost, those that lay idle meanwhile are not tried any more."""
    pool = Pool(engine.connect, 2, 1.0)
    with pool.connection("one") as one, pool.connection("two") as two:
        pass

    def lose() -> None:
        with pool.connection("lost") as connection:
            connection.invalidate()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lose()
    with pool.connection("new") as new:
        assert new not in (one, two)
    pool.close()


def test_a_connection_that_cannot_be_made(engine: Engine) -> None:
    """A failure to connect is raised, and the place in the pool is free again."""

    def fail() -> Connection:
        raise StorageUnavailable("connect", "no")

    pool = Pool(fail, 1, 0.05)
    for _ in range(3):
        with pytest.raises(StorageUnavailable, match="no"), pool.connection("test"):
            pass
