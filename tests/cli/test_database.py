"""``bokeh-server db``: which revision the database is at, and upgrading it."""

from __future__ import annotations

from pathlib import Path

import requests

from support.command import run_command
from support.server import running_server


def test_upgrade_makes_a_database_and_current_tells_its_revision(tmp_path: Path) -> None:
    """A fresh database is brought to the head; doing it again changes nothing."""
    where = ("--database", f"sqlite:///{tmp_path}/a.db")
    assert "there is no such file" in run_command(tmp_path, "db", "current", *where).stderr
    assert "Upgraded from nothing" in run_command(tmp_path, "db", "upgrade", *where).stdout
    before = (tmp_path / "a.db").read_bytes()
    assert "already" in run_command(tmp_path, "db", "upgrade", *where).stdout
    assert (tmp_path / "a.db").read_bytes() == before
    done = run_command(tmp_path, "db", "current", *where)
    assert done.stdout.split()[1] == f"sqlite:///{tmp_path}/a.db"
    assert done.stdout.split()[0].isalnum()


def test_the_database_may_be_named_at_any_place(tmp_path: Path) -> None:
    """Before ``db``, after it, after the command and in the environment: all the same."""
    url = f"sqlite:///{tmp_path}/a.db"
    assert run_command(tmp_path, "--database", url, "db", "upgrade").returncode == 0
    for words in (
        ("--database", url, "db", "current"),
        ("db", "--database", url, "current"),
        ("db", "current", "--database", url),
        ("--database", "sqlite:////none", "db", "current", "--database", url),
    ):
        assert url in run_command(tmp_path, *words).stdout
    assert url in run_command(tmp_path, "db", "current", BOKEH_SERVER_DATABASE=url).stdout


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    """Neither command touches some other file."""
    (tmp_path / "a.db").write_bytes(b"x" * 5000)
    for command in ("current", "upgrade"):
        done = run_command(tmp_path, "db", command, "--database", f"sqlite:///{tmp_path}/a.db")
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert (tmp_path / "a.db").read_bytes() == b"x" * 5000


def test_backup_and_vacuum_beside_a_server(tmp_path: Path) -> None:
    """A running server's database is copied to a file that serves, and gives space back."""
    with running_server(data_dir=tmp_path / "data") as server:
        docid = requests.post(
            f"{server.url}/bokeh/doc/", json={"title": "line"}, timeout=20
        ).json()["docid"]
        where = ("--data-dir", str(tmp_path / "data"))
        copy = tmp_path / "restored" / "bokeh-server.sqlite3"
        copy.parent.mkdir()
        done = run_command(tmp_path, "db", "backup", str(copy), *where)
        assert done.stdout.startswith(f"Backed up to {copy}: "), done.stderr
        again = run_command(tmp_path, "db", "backup", str(copy), *where)
        assert "--force" in again.stderr
        assert again.returncode == 1
        assert "exists" in again.stderr
        assert run_command(tmp_path, "db", "backup", "--force", str(copy), *where).returncode == 0
        assert requests.delete(f"{server.url}/bokeh/doc/{docid}/", timeout=20).status_code == 204
        assert "The database takes" in run_command(tmp_path, "db", "vacuum", *where).stdout
        assert (
            requests.post(f"{server.url}/bokeh/doc/", json={"title": "b"}, timeout=20).status_code
            == 201
        )
    with running_server(data_dir=copy.parent) as restored:
        listed = requests.get(f"{restored.url}/bokeh/userinfo/", timeout=20).json()["docs"]
        assert [doc["docid"] for doc in listed] == [docid]


def test_a_backup_is_never_the_database_itself(tmp_path: Path) -> None:
    """Under whatever name, with --force or without: a server that runs would lose its file."""
    data = tmp_path / "data"
    with running_server(data_dir=data) as server:
        file = data / "bokeh-server.sqlite3"
        (data / "hard").hardlink_to(file)
        (data / "soft").symlink_to(file)
        for name in (file.name, "hard", "soft", f"{file.name}-wal"):
            backup = ("db", "backup", "--force", str(data / name))
            done = run_command(tmp_path, *backup, "--data-dir", str(data))
            assert done.returncode == 1
            assert "the database itself" in done.stderr
        (tmp_path / "link").mkdir()
        (tmp_path / "link" / file.name).symlink_to(file)
        backup = ("db", "backup", "--force", str(data / f"{file.name}-wal"))
        assert run_command(tmp_path, *backup, "--data-dir", str(tmp_path / "link")).returncode == 1
        made = requests.post(f"{server.url}/bokeh/doc/", json={"title": "line"}, timeout=20)
        assert made.status_code == 201
