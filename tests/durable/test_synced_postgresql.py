"""With PostgreSQL, too, an answer means that the change is on disk, whatever its default is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from bokeh_server.documents import Engine
from bokeh_server.storage import Store, database
from support.documents import doc_json, set_value
from support.postgresql import Postgresql, running_postgresql

#: As far as it can, the server answers before it writes: we have to ask for more.
HASTY = (
    "listen_addresses=", "fsync=on", "synchronous_commit=off", "wal_writer_delay=10s",
    "wal_writer_flush_after=1GB", "shared_buffers=16MB", "bgwriter_delay=10s",
    # and it writes nothing of its own into the log, which would wait there
    "autovacuum=off", "wal_level=minimal", "max_wal_senders=0",
)  # fmt: skip
CHANGES = 30

pytestmark = pytest.mark.postgresql


@pytest.fixture
def hasty() -> Iterator[Postgresql]:
    """A PostgreSQL server that answers before it writes."""
    with running_postgresql(HASTY) as server:
        yield server


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions of ours that are content with that."""
    careful: Callable[[Any], None] = database._prepare_postgresql

    def prepare(raw: Any) -> None:
        careful(raw)
        raw.execute("SET SESSION synchronous_commit TO off")
        raw.commit()

    monkeypatch.setattr(database, "_prepare_postgresql", prepare)


def is_flushed(url: str) -> bool:
    """Whether everything that the server has written into its log is on disk."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = "SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()"
        row = connection.execute(query).fetchone()
        return bool(row and row[0])


def write_and_crash(server: Postgresql, url: str) -> tuple[list[bool], int, int]:
    """Write, crash the server after the last answer, and start it again.

    :returns: for every answer, whether the log was on disk then; the last number that was answered,
        and the last that is there.
    """
    with closing(Store.open(url)) as store:
        engine = Engine(store)
        live = engine.open(engine.create("ada", "line").docid)
        live.replace(doc_json(), {}, actor="ada")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        flushed = []
        for value in range(CHANGES):
            seq = live.apply(set_value(value), actor="ada")
            flushed.append(is_flushed(url))
        server.crash()
        server.start()
        store.close()
        there = store.changes.after(live.docid, 0)[-1].seq
        engine.close()
    return flushed, seq, there


def test_an_answer_is_on_disk(hasty: Postgresql) -> None:
    """At every answer the server's log is flushed, and a crash right after loses nothing."""
    with hasty.database() as url:
        flushed, answered, there = write_and_crash(hasty, url)
    assert flushed == [True] * CHANGES
    assert there == answered


@pytest.mark.usefixtures("careless")
def test_a_session_that_does_not_wait_is_found_out(hasty: Postgresql) -> None:
    """With ``synchronous_commit=off`` it is not, and a crash loses answers: the test can fail."""
    with hasty.database() as url:
        flushed, answered, there = write_and_crash(hasty, url)
    assert not all(flushed)
    assert there < answered
