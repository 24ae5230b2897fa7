"""Deleting a document leaves nothing of it, whatever goes on meanwhile."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from bokeh_server.documents import Engine, Limits, LiveDocument
from bokeh_server.errors import BokehServerError, UnknownDocument
from bokeh_server.protocol import Patch
from bokeh_server.storage import Store
from bokeh_server.storage.tables import Base, Link, Thumbnail
from bokeh_server.storage.types import utc_now
from support.documents import TestFollower, doc_json, run_together, set_value, stream

#: what outlives documents: people, and what they did.
LASTING = {"user", "login", "token", "invitation", "handover", "event"}


def rows(store: Store, docid: str) -> dict[str, int]:
    """How many rows every table has of a document; a table that cannot tell fails."""
    found = {}
    with store.database.read("test") as connection:
        for name, table in Base.metadata.tables.items():
            if name not in LASTING:
                column = table.columns["id" if name == "document" else "docid"]
                query = select(func.count()).where(column == docid)
                found[name] = connection.execute(query).scalar_one()
    return found


def array(data: bytes) -> Patch:
    """A patch that puts a large array into the data source, in a buffer of its own."""
    value = {
        "type": "ndarray",
        "array": {"type": "bytes", "data": {"id": "b"}},
        "shape": [len(data)],
        "dtype": "uint8",
        "order": "little",
    }
    data_map = {"type": "map", "entries": [["x", value], ["y", value]]}
    event = {"kind": "ModelChanged", "model": {"id": "d"}, "attr": "data", "new": data_map}
    return Patch([event], {"b": data})


def well_used(engine: Engine, title: str, mark: bytes = b"") -> LiveDocument:
    """A document that has something in every table."""
    live = engine.open(engine.create("ada", title).docid)
    engine.create("bob", title)  # so that there is somebody of this name
    engine.share(live.docid, "bob", "viewer")
    live.replace(doc_json(), {}, actor="ada")
    live.apply(array(mark + secrets.token_bytes(300_000)), actor="ada", key=secrets.token_hex())
    live.snapshot()
    live.apply(set_value(5), actor="ada")
    live.apply(array(mark + secrets.token_bytes(300_000)), actor="ada")
    live.snapshot()
    live.apply(set_value(mark.decode(), "title"), actor="ada")
    _surround(engine._store, live.docid)
    return live


def _surround(store: Store, docid: str) -> None:
    """Give a document a link and a picture."""
    secret, now = secrets.token_bytes(32), utc_now()
    link = {"id": secret.hex()[:16], "digest": secret, "docid": docid, "kind": "link"}
    right = {"title": "review", "role": "viewer", "creator": "ada", "created": now}
    picture = {"docid": docid, "seq": 1, "mimetype": "image/png", "body": b"picture", "made": now}
    with store.database.write("test") as connection:
        connection.execute(insert(Link).values(**link, **right))
        connection.execute(insert(Thumbnail).values(**picture))


def test_no_row_is_left(store: Store) -> None:
    """Every table has rows of a document in use; deleting it takes all of them, and no others."""
    with closing(Engine(store)) as engine:
        stays, goes = well_used(engine, "stays").docid, well_used(engine, "goes").docid
        before = rows(store, stays)
        assert [name for name, count in rows(store, goes).items() if not count] == []
        engine.delete(goes)
        assert not any(rows(store, goes).values())
        assert rows(store, stays) == before


def test_deleting_amid_writing(ready_url: str) -> None:
    """Writers, snapshots and another server that has it open notice, and bring nothing back."""
    limits = Limits(snapshot_changes=3, snapshot_bytes=10_000, watch_seconds=0.05)
    with closing(Store.open(ready_url)) as here, closing(Store.open(ready_url)) as there:
        engines = [Engine(store, limits=limits) for store in (here, there)]
        docids = [delete_amid(engines, f"goes {turn}") for turn in range(4)]
        for engine in engines:
            engine.close()
        for docid in docids:
            assert not any(rows(here, docid).values())


def delete_amid(engines: list[Engine], title: str) -> str:
    """Delete a document while four write to it and two write snapshots of it."""
    docid = well_used(engines[0], title).docid
    deleted = threading.Event()
    busy = threading.Semaphore(0)

    def work(which: int) -> None:
        engine = engines[which % 2]
        try:
            for turn in range(10_000):
                live = engine.open(docid)
                if which < 2:
                    live.snapshot()
                    live.apply(array(secrets.token_bytes(50_000)), actor="ada")
                else:
                    live.apply(stream(turn), actor="ada")
                busy.release()
        except UnknownDocument:
            assert deleted.is_set()

    def delete() -> None:
        for _ in range(20):
            assert busy.acquire(timeout=30)
        deleted.set()
        engines[0].delete(docid)

    run_together([delete, *(lambda which=which: work(which) for which in range(6))])
    return docid


def test_nothing_is_written_for_a_deleted_document(store: Store) -> None:
    """A snapshot or change that was on its way when the document went is not stored."""
    with closing(Engine(store)) as engine:
        live = well_used(engine, "goes")
        live.apply(set_value(6), actor="ada")
        store.documents.delete(live.docid)  # as another process would: nobody here knows
        for action in (live.snapshot, lambda: live.apply(set_value(7), actor="ada")):
            with suppress(BokehServerError):
                action()
        assert not any(rows(store, live.docid).values())


def test_the_bytes_are_gone_from_the_disk(tmp_path: Path) -> None:
    """Neither SQLite's file nor its log holds a byte of a deleted document."""
    mark = secrets.token_hex(16).encode()
    with closing(Store.open(f"sqlite:///{tmp_path / 'x.sqlite'}")) as store:
        with closing(Engine(store)) as engine:
            well_used(engine, "stays")
            live = well_used(engine, "goes", mark)
            assert mark in on_disk(tmp_path)
            engine.delete(live.docid)
            assert mark not in on_disk(tmp_path)
        assert len(store.documents.list("ada")) == 1


def test_the_bytes_go_when_a_reader_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody reads the log, deleting does not wait for that: it goes at a later write."""
    monkeypatch.setattr("bokeh_server.storage.log.AGAIN_SECONDS", 0.0)
    mark = secrets.token_hex(16).encode()
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    with closing(Store.open(url)) as store, closing(Engine(store)) as engine:
        live = well_used(engine, "goes", mark)
        with store.database.read("look for long") as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM change").scalar()
            engine.delete(live.docid)
            assert connection.exec_driver_sql("SELECT count(*) FROM change").scalar()
            assert mark in on_disk(tmp_path)
        engine.create("ada", "other")
        assert mark not in on_disk(tmp_path)


def test_deleting_ends_though_the_log_cannot_be_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program locks the file just after: the document is gone, and followers hear so."""
    monkeypatch.setattr("bokeh_server.storage.database.LOCK_SECONDS", 0.05)
    mark, path = secrets.token_hex(20).encode(), tmp_path / "x.sqlite"
    with (
        closing(Store.open(f"sqlite:///{path}")) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        closing(Engine(store)) as engine,
    ):
        live, viewer = well_used(engine, "goes", mark), TestFollower("viewer")
        viewer.join(live)
        log = store.database._log
        assert log is not None
        want = log.want
        monkeypatch.setattr(log, "want", lambda: (other.execute("BEGIN IMMEDIATE"), want()))
        engine.delete(live.docid)
        assert viewer.take() == [("closed", 4004)]
        other.execute("COMMIT")
        engine.create("ada", "next")
        assert mark not in on_disk(tmp_path)


def on_disk(directory: Path) -> bytes:
    """Every byte of the database's files."""
    return b"".join(path.read_bytes() for path in directory.iterdir())
