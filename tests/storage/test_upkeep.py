"""Copies of SQLite files and their disk space, beside a process that writes."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest

from bokeh_server.errors import ConfigurationError, StorageUnavailable
from bokeh_server.storage import NewChange, Store
from bokeh_server.storage.backup import copy_file
from bokeh_server.storage.schema import head_revision
from bokeh_server.storage.upgrade import current, upgrade
from bokeh_server.storage.upkeep import back_up, vacuum
from support.revisions import check_kept, make_old

MEGABYTE = 1024 * 1024
Usage = namedtuple("Usage", "total used free")

#: writes about 500 changes a second to two documents, and tells what is committed.
WRITER = """
import sys, time
from bokeh_server.storage import NewChange, Store
store = Store.open(sys.argv[1])
docids = [store.documents.create("ada", f"line {n}").docid for n in range(2)]
print(*docids, flush=True)
seq = 0
while True:
    seq += 1
    store.changes.append([NewChange(docid, seq, "ada", b"x" * 500) for docid in docids])
    print(seq, flush=True)
    time.sleep(0.003)
"""


def heads(path: Path) -> dict[str, int]:
    """Check a database and give the last change of each document; its log must be whole."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        found = dict(connection.execute("SELECT id, seq FROM document"))
        for docid, head in found.items():
            query = "SELECT seq FROM change WHERE docid = ? ORDER BY seq"
            seqs = [row[0] for row in connection.execute(query, (docid,))]
            assert seqs == list(range(1, head + 1))
        return found


def test_backups_amid_writing(tmp_path: Path) -> None:
    """Each copy is one moment: whole, with all that was committed before it was begun."""
    path = tmp_path / "live" / "x.sqlite"
    url = f"sqlite:///{path}"
    command = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            docids = writer.stdout.readline().split()
            before = 0
            for turn in range(5):
                for line in writer.stdout:
                    if int(line) >= before + 80:
                        before = int(line)
                        break
                copy = tmp_path / f"copy {turn} ü#?.sqlite"
                assert back_up(url, copy) == copy.stat().st_size
                found = heads(copy)
                assert found.keys() == set(docids)
                assert len(set(found.values())) == 1  # both are written in one transaction
                assert min(found.values()) >= before
        finally:
            writer.kill()
    copy.rename(tmp_path / "restored")
    with closing(Store.open(f"sqlite:///{tmp_path / 'restored'}")) as store:  # and work goes on
        seq = found[docids[0]] + 1
        store.changes.append([NewChange(docids[0], seq, "ada", b"")])
        assert len(store.changes.after(docids[0], 0)) == seq


def test_a_backup_has_what_is_only_in_the_log(tmp_path: Path) -> None:
    """What was not yet moved from SQLite's log into its file is copied, too."""
    path = tmp_path / "x.sqlite"
    with closing(Store.open(f"sqlite:///{path}")) as store:
        docid = store.documents.create("ada", "line").docid
        store.changes.append([NewChange(docid, 1, "ada", b"x")])
        assert b"line" not in path.read_bytes()
        back_up(f"sqlite:///{path}", tmp_path / "copy")
    assert heads(tmp_path / "copy") == {docid: 1}


def test_a_backup_is_private_and_alone(tmp_path: Path) -> None:
    """Only its owner reads it; beside it there is neither a log nor a draft."""
    Store.open(f"sqlite:///{tmp_path / 'x.sqlite'}").close()
    there = tmp_path / "there"
    there.mkdir()
    back_up(f"sqlite:///{tmp_path / 'x.sqlite'}", there / "copy")
    assert [each.name for each in there.iterdir()] == ["copy"]
    assert stat.S_IMODE((there / "copy").stat().st_mode) == 0o600


def test_a_backup_overwrites_nothing_unasked(tmp_path: Path) -> None:
    """A file that is there stays as it is, unless it shall be replaced."""
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    Store.open(url).close()
    copy = tmp_path / "copy"
    copy.write_text("precious")
    with pytest.raises(ConfigurationError, match="exists"):
        back_up(url, copy)
    assert copy.read_text() == "precious"
    back_up(url, copy, replace=True)
    assert heads(copy) == {}


def test_backups_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No directory, no room, no database of ours: told in one line, and nothing is left."""
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    Store.open(url).close()
    sqlite3.connect(tmp_path / "theirs").execute("CREATE TABLE theirs (id)").connection.close()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigurationError, match="no such file or directory"):
        back_up(url, tmp_path / "none" / "copy")
    with pytest.raises(ConfigurationError, match="no bokeh-server database"):
        back_up(f"sqlite:///{tmp_path / 'theirs'}", tmp_path / "copy")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(10, 9, 1))
    with pytest.raises(ConfigurationError, match=r"takes 0\.\d MB, and 0\.0 MB are free"):
        back_up(url, tmp_path / "copy")
    assert sorted(tmp_path.iterdir()) == before


def test_a_damaged_file_is_no_backup(tmp_path: Path) -> None:
    """A database of which pages were overwritten is told to be damaged, not copied on."""
    path = tmp_path / "x.sqlite"
    with closing(Store.open(f"sqlite:///{path}")) as store:
        docid = store.documents.create("ada", "line").docid
        changes = [NewChange(docid, seq, "ada", os.urandom(3000)) for seq in range(1, 200)]
        store.changes.append(changes)
    data = bytearray(path.read_bytes())
    for at in range(40 * 4096, len(data), 3 * 4096):
        data[at : at + 200] = b"\xff" * 200
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"damaged|malformed"):
        copy_file(path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_postgresql_is_backed_up_by_its_own_means(database_url: str) -> None:
    """The commands for SQLite files name the ones for PostgreSQL, without its password."""
    if database_url.startswith("sqlite"):
        return
    with pytest.raises(ConfigurationError, match="pg_dump --format=custom --file=x"):
        back_up(database_url, Path("x"))
    with pytest.raises(ConfigurationError, match="VACUUM FULL"):
        vacuum(database_url)


def test_an_upgrade_needs_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for the copy and the upgrade, nothing is begun."""
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    make_old(url, "0001")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(10, 9, 8 * MEGABYTE))
    with pytest.raises(ConfigurationError, match=r"upgrade .*x\.sqlite.*nothing was changed"):
        upgrade(url)
    assert current(url) == "0001"
    assert [each.name for each in tmp_path.iterdir()] == ["x.sqlite"]


def test_the_copy_of_an_upgrade_is_what_was_there(tmp_path: Path) -> None:
    """The file from before is beside the upgraded one, and can be upgraded in its place."""
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    documents = make_old(url, "0001")
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection:  # has a log of its own
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("UPDATE document SET plots = 3")
        connection.commit()
        said: list[str] = []
        upgrade(url, said.append)
    copy = Path(said[0].removeprefix("Backed up to "))
    assert current(f"sqlite:///{copy}") == "0001"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT DISTINCT plots FROM document").fetchall() == [(3,)]
    (tmp_path / "x.sqlite").unlink()
    copy.rename(tmp_path / "x.sqlite")
    upgrade(url)
    check_kept(url, documents)


def fill(store: Store, megabytes: int) -> str:
    """A document of that size."""
    docid = store.documents.create("ada", f"{megabytes} MB").docid
    for seq in range(1, megabytes + 1):
        store.changes.append([NewChange(docid, seq, "ada", os.urandom(MEGABYTE))])
    return docid


def test_the_space_of_what_was_deleted_comes_back(tmp_path: Path) -> None:
    """Little by little, beside a server that goes on writing, down to what is left."""
    path = tmp_path / "x.sqlite"
    with closing(Store.open(f"sqlite:///{path}")) as store:
        doomed, kept = fill(store, 20), fill(store, 3)
        store.documents.delete(doomed)
        assert path.stat().st_size > 20 * MEGABYTE
        before, after = vacuum(f"sqlite:///{path}")
        assert before > 20 * MEGABYTE
        assert after < 4 * MEGABYTE
        assert store.changes.after(kept, 2)[0].seq == 3
        store.changes.append([NewChange(kept, 4, "ada", b"")])
        store.database.cut_log()  # as the server does now and then
        assert path.stat().st_size < 4 * MEGABYTE
    assert heads(path) == {kept: 4}


def test_a_file_of_an_earlier_release_is_written_anew(tmp_path: Path) -> None:
    """It gives space back from then on; its contents stay."""
    path = tmp_path / "x.sqlite"
    url = f"sqlite:///{path}"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # the file is begun, without auto_vacuum
    with closing(Store.open(url)) as store:
        doomed, kept = fill(store, 5), fill(store, 1)
        store.documents.delete(doomed)
        said: list[str] = []
        vacuum(url, said.append)
        assert "anew" in said[0]
        store.documents.delete(kept)
        said.clear()
        assert vacuum(url, said.append)[1] < MEGABYTE
        assert said == []
    assert heads(path) == {}


def test_a_locked_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who keeps writing is in the way of it, not the other way round."""
    monkeypatch.setattr("bokeh_server.storage.backup.PATIENCE_SECONDS", 0.05)
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    with closing(Store.open(url)) as store:
        started = time.monotonic()
        with store.database.write("test"), pytest.raises(StorageUnavailable, match="locked"):
            vacuum(url)
        assert time.monotonic() - started < 5
        assert current(url) == head_revision()
