"""Databases at a revision of one's choice, with data of its time."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.core.serialization import Deserializer
from sqlalchemy import MetaData, func, select

from bokeh_server.documents import Engine
from bokeh_server.protocol import Patch
from bokeh_server.storage import Store
from bokeh_server.storage.schema import upgrade_schema
from bokeh_server.storage.store import open_database
from bokeh_server.storage.upgrade import current
from support.history import FILLERS, Kept

__all__ = ["check_kept", "count_rows", "make_old"]


def make_old(url: str, revision: str) -> list[Kept]:
    """Make a database as a release of that revision left it, and tell what is in it."""
    with closing(open_database(url, create=True, migrating=True)) as database:
        with database.write("test") as connection:
            upgrade_schema(connection, revision)
        with database.write("test") as connection:
            kept = FILLERS[revision](connection)
    assert current(url) == revision
    return kept


def count_rows(url: str) -> dict[str, int]:
    """How many rows each table has, whatever tables there are."""
    with closing(open_database(url, create=False)) as database, database.read("test") as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def check_kept(url: str, documents: list[Kept]) -> None:
    """Compare a database of this release with what was put into it, and go on working with it."""
    with closing(Store.open(url)) as store, closing(Engine(store)) as engine:
        assert {record.docid for record in store.documents.list()} == {d.docid for d in documents}
        for kept in documents:
            _check_record(store, kept)
            _check_log(store, kept)
            _check_content(engine, kept)
            _write_on(engine, kept)
    with closing(Store.open(url)) as store, closing(Engine(store)) as engine:
        for kept in documents:
            if kept.head:
                live = engine.open(kept.docid)
                assert live.model_json("s")["attributes"]["value"] == 77
                assert np.array_equal(_column(live.model_json("d")), kept.column())


def _check_record(store: Store, kept: Kept) -> None:
    record = store.documents.get(kept.docid)
    assert record is not None
    assert (record.title, record.owner, record.seq) == (kept.title, kept.owner, kept.head)
    assert (record.published, record.changed) == (kept.published, kept.at(kept.head))
    assert store.documents.find(kept.owner, kept.title) == record


def _check_log(store: Store, kept: Kept) -> None:
    records = store.changes.after(kept.docid, 0)
    assert [record.seq for record in records] == list(kept.log)
    for record in records:
        assert (record.actor, record.at) == (kept.actor(record.seq), kept.at(record.seq))
        assert record.key == kept.keys.get(record.seq)
    for seq, key in kept.keys.items():
        found = store.changes.by_key(kept.docid, key)
        assert found is not None
        assert found.seq == seq


def _check_content(engine: Engine, kept: Kept) -> None:
    live = engine.open(kept.docid)
    assert live.seq == kept.head
    assert live.roots() == (["s", "d"] if kept.head else [])
    if kept.head:
        slider = live.model_json("s")["attributes"]
        assert slider == {"name": "größe", "start": 0, "end": 100, "value": kept.value()}
        assert np.array_equal(_column(live.model_json("d")), kept.column())


def _write_on(engine: Engine, kept: Kept) -> None:
    if kept.head:
        live = engine.open(kept.docid)
        assert live.apply(_set_value(77), actor="ada") == kept.head + 1
        for seq, key in kept.keys.items():
            assert live.apply(_set_value(1), actor="ada", key=key) == seq
        live.snapshot()


def _set_value(value: int) -> Patch:
    event = {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "value", "new": value}
    return Patch([event], {})


def _column(source: dict[str, Any]) -> npt.NDArray[np.float64]:
    (entry,) = source["attributes"]["data"]["entries"]
    name, column = entry
    assert name == "x"
    return np.asarray(Deserializer().deserialize(column), dtype=np.float64)
