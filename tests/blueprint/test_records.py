"""What is remembered of documents, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bokeh_server.blueprint import records
from bokeh_server.blueprint.records import Records
from bokeh_server.documents import Engine
from bokeh_server.storage import Store


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a database of its own."""
    store = Store.open(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    made = Engine(store)
    yield made
    made.close()
    store.close()


def test_the_database_is_asked_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that are opened one after another need it no more."""
    known = Records(engine)
    docid = engine.create("ada", "a").docid
    first = known.get(docid)
    monkeypatch.setattr(engine, "get", lambda docid: pytest.fail("the database was asked"))
    assert known.get(docid) is first


def test_what_this_process_does_is_seen_at_once(engine: Engine) -> None:
    """Renamed, published, deleted: the very next request knows."""
    known = Records(engine)
    docid = engine.create("ada", "a").docid
    for step in (
        lambda: engine.rename(docid, "b"),
        lambda: engine.publish(docid, True),
        lambda: engine.delete(docid),
    ):
        known.get(docid)
        step()
        assert known.get(docid) == engine.get(docid)
    assert known.get(docid) is None


def test_what_another_process_does_is_seen_soon(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is remembered for longer than its lifetime."""
    monkeypatch.setattr(records, "LIFETIME", 0.0)
    known = Records(engine)
    docid = engine.create("ada", "a").docid
    before = known.get(docid)
    engine._store.documents.publish(docid, True)
    after = known.get(docid)
    assert before is not None
    assert after is not None
    assert (before.published, after.published) == (False, True)


def test_a_record_read_while_it_changed_is_not_kept(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer of the database that was overtaken is used once and forgotten."""
    known = Records(engine)
    docid = engine.create("ada", "a").docid
    get = engine.get

    def slow(docid: str) -> object:
        found = get(docid)
        engine.open(docid).rename("b", actor="ada")
        return found

    monkeypatch.setattr(engine, "get", slow)
    overtaken = known.get(docid)
    monkeypatch.undo()
    fresh = known.get(docid)
    assert overtaken is not None
    assert fresh is not None
    assert (overtaken.title, fresh.title) == ("a", "b")
