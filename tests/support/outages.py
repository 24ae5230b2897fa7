"""Ways in which a database fails: a disk that is full, a file that is locked, a server that is
stopped or frozen."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from support.postgresql import Postgresql

__all__ = ["SmallDisk", "frozen", "locked", "small_disk"]

DISK_BYTES = 8 * 1024 * 1024


class SmallDisk:
    """A file system of a few megabytes.

    :ivar path: its directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.path / "filler").open("ab", buffering=0) as filler, suppress(OSError):
            for size in (65_536, 4096, 1):
                with suppress(OSError):
                    while True:
                        filler.write(bytes(size))

    def free(self) -> None:
        """Give back what :meth:`fill` took."""
        (self.path / "filler").unlink()


@contextmanager
def small_disk() -> Iterator[SmallDisk]:
    """Mount one; skips the test where that is not allowed, except in CI, which has to allow it."""
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    with tempfile.TemporaryDirectory(prefix="bokeh-server-disk-") as name:
        options = f"size={DISK_BYTES},mode=0777"
        mount = [*prefix, "mount", "-t", "tmpfs", "-o", options, "tmpfs", name]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = f"cannot mount a small disk: {done.stderr.strip()}"
            pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
        try:
            yield SmallDisk(Path(name))
        finally:
            subprocess.run([*prefix, "umount", name], check=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a SQLite database, as a program that forgot to end its transaction does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def frozen(server: Postgresql) -> Iterator[None]:
    """Stop every process of a PostgreSQL server without ending it, as a machine that hangs."""
    assert server.pid is not None
    pids = [server.pid, *_children(server.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
