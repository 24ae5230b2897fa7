"""The key that signs tickets."""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bokeh_server.errors import ConfigurationError
from bokeh_server.secret_keys import FILE_NAME, load_keys, make_key, rotate

DAY = timedelta(days=1)


def load_secret(data_dir: Path, given: str = "") -> bytes:
    """The key that a server which starts now signs with."""
    return load_keys(data_dir, given).current


def test_made_once_and_readable_by_the_owner_alone(tmp_path: Path) -> None:
    """The first start makes a long key that later starts find again."""
    made = load_secret(tmp_path / "data")
    path = tmp_path / "data" / FILE_NAME
    assert len(made) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(tmp_path / "data") == made
    assert [each.name for each in path.parent.iterdir()] == [FILE_NAME]


def test_two_installations_differ(tmp_path: Path) -> None:
    """No key is known beforehand."""
    assert load_secret(tmp_path / "a") != load_secret(tmp_path / "b")


def test_a_given_key_is_used(tmp_path: Path) -> None:
    """The setting wins, and then nothing is written."""
    assert load_secret(tmp_path / "data", "a key of somebody") == b"a key of somebody"
    assert not (tmp_path / "data").exists()


def test_many_starting_at_once_agree(tmp_path: Path) -> None:
    """Workers that start together all use one key."""
    keys: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: keys.append(load_secret(tmp_path))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 16
    assert len(set(keys)) == 1


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    """A file that was cut off is not signed with."""
    (tmp_path / FILE_NAME).write_bytes(b"short\n")
    with pytest.raises(ConfigurationError, match="it has 5 bytes and needs 32"):
        load_secret(tmp_path)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """The message names the file and says what to do."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="Make the directory writable"):
        load_secret(tmp_path / "file" / "data")


def test_a_new_key_is_taken_up_while_a_server_runs(tmp_path: Path) -> None:
    """What was loaded before signs with the new key at once; the former one is good still."""
    keys = load_keys(tmp_path)
    before = keys.current
    assert rotate(tmp_path, DAY) == 1
    assert keys.current != before
    assert list(keys.former) == [before]
    assert load_keys(tmp_path).current == keys.current
    second = keys.current
    assert rotate(tmp_path, DAY) == 2
    assert list(keys.former) == [second, before]
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]


def test_a_former_key_ends(tmp_path: Path) -> None:
    """After its time it is good no more, though nobody touches the file; then it is left out."""
    now, key = datetime.now(UTC), make_key()
    ended, lasting = make_key(), make_key()
    lines = [key, f"{ended} {now.isoformat()}", f"{lasting} {(now + DAY).isoformat()}", ""]
    (tmp_path / FILE_NAME).write_text("\n".join(lines))
    keys = load_keys(tmp_path)
    assert keys.current == key.encode()
    assert list(keys.former) == [lasting.encode()]
    rotate(tmp_path, DAY)
    assert ended not in (tmp_path / FILE_NAME).read_text()
    assert list(keys.former) == [key.encode(), lasting.encode()]


def test_without_grace_no_former_key_is_good(tmp_path: Path) -> None:
    """Where a key has leaked, nothing that it or any key before has signed is taken."""
    keys = load_keys(tmp_path)
    rotate(tmp_path, DAY)
    assert rotate(tmp_path, timedelta(0)) == 0
    assert list(keys.former) == []


def test_only_one_changes_the_key_at_a_time(tmp_path: Path) -> None:
    """Of many at once each is refused or done, and no key that was in use is lost."""
    done: list[int] = []
    refused: list[str] = []

    def change() -> None:
        try:
            done.append(rotate(tmp_path, DAY))
        except ConfigurationError as error:
            refused.append(str(error))

    first = load_keys(tmp_path).current
    threads = [threading.Thread(target=change) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) + len(refused) == 12
    former = load_keys(tmp_path).former
    assert len(former) == len(done) == max(done)
    assert former[-1] == first
    assert all("somebody else is changing it" in each for each in refused)


@pytest.mark.parametrize(
    "line", ["half", "x" * 64, f"{'x' * 64} tomorrow", f"{'x' * 64} 2026-01-01"]
)
def test_a_file_that_somebody_has_spoilt(tmp_path: Path, line: str) -> None:
    """A server does not start with it, and one that runs goes on with what it has."""
    keys = load_keys(tmp_path)
    before = keys.current
    path = tmp_path / FILE_NAME
    path.write_text(f"{make_key()}\n{line}\n")
    assert keys.current == before
    with pytest.raises(ConfigurationError, match="Delete that line"):
        load_keys(tmp_path)
    path.unlink()
    assert keys.current == before


def test_given_keys(tmp_path: Path) -> None:
    """Whoever gives keys by configuration gives former ones, too; also beside a kept key."""
    keys = load_keys(tmp_path, "new", ["old", "older"])
    assert (keys.current, list(keys.former)) == (b"new", [b"old", b"older"])
    kept = load_keys(tmp_path, "", ["old"])
    assert len(kept.current) >= 32
    assert list(kept.former) == [b"old"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_an_administrator_leaves_the_file_to_the_server(tmp_path: Path) -> None:
    """Whose the file was, theirs it is afterwards."""
    load_keys(tmp_path)
    os.chown(tmp_path / FILE_NAME, 4711, 4712)
    rotate(tmp_path, DAY)
    found = (tmp_path / FILE_NAME).stat()
    assert (found.st_uid, found.st_gid) == (4711, 4712)
