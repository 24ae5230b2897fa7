"""The key that signs tickets."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from bokeh_server.blueprint.secret import FILE_NAME, load_secret
from bokeh_server.errors import ConfigurationError


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
