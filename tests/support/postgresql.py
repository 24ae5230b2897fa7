"""A private PostgreSQL server for tests: in a temporary directory, on a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from bokeh_server.storage import Store
from support.programs import postgresql_path

__all__ = ["Postgresql", "postgresql_server", "running_postgresql"]

#: fsync is off because these tests kill our processes, never the database's machine.
SETTINGS = ("listen_addresses=", "fsync=off", "max_connections=60", "shared_buffers=16MB")
#: the database that others are copied from.
READY = "bokeh_ready"


class Postgresql:
    """A running server.

    :ivar directory: where its socket is.

    :param settings: what is not as PostgreSQL has it by default.
    """

    def __init__(self, directory: Path, binaries: Path, settings: Sequence[str] = SETTINGS) -> None:
        self.directory = directory
        self._binaries = binaries
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._has_template = False

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.directory}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a fresh database, dropped afterwards."""
        name = f"test_{uuid4().hex}"
        self._admin(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self._admin(f"DROP DATABASE {name} WITH (FORCE)")

    def ready_database(self) -> AbstractContextManager[str]:
        """As :meth:`database`, with this release's tables, which are made once and copied."""
        if not self._has_template:
            self._admin(f"CREATE DATABASE {READY}")
            Store.open(self.url(READY)).close()
            self._has_template = True
        return self.database(READY)

    def _admin(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def make(self) -> None:
        """Make its files."""
        command = ["initdb", "-D", str(self.directory / "data"), "-U", "postgres", "-A", "trust"]
        self._run([*command, "-E", "UTF8", "--locale=C", "--no-sync"])

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = ["-D", str(self.directory / "data"), "-k", str(self.directory)]
        for setting in self._settings:
            command += ["-c", setting]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", *command], stdout=log, stderr=log, **_as_postgres()
            )
        self._wait()

    def stop(self) -> None:
        """Stop it at once, its clients' connections included."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)
            self._process = None

    def crash(self) -> None:
        """End it as if it had failed: what it had not written is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
            self._process = None

    @property
    def pid(self) -> int | None:
        """The process that all others are children of; ``None`` while it does not run."""
        return None if self._process is None else self._process.pid

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.directory / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def _run(self, command: list[str]) -> None:
        program = self._binaries / command[0]
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, check=False, **_as_postgres()
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def running_postgresql(settings: Sequence[str] = SETTINGS) -> Iterator[Postgresql]:
    """Run a private server; skips the test where PostgreSQL is not installed, except in CI."""
    binaries = postgresql_path()
    if binaries is None:
        message = "there is no PostgreSQL server; on Debian and Ubuntu: sudo apt install postgresql"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    directory = Path(tempfile.mkdtemp(prefix="bkpg"))  # short: a socket's path has 107 bytes
    server = Postgresql(directory, binaries, settings)
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres")
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _as_postgres() -> dict[str, Any]:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Postgresql]:
    """One server for all tests of a run."""
    with running_postgresql() as server:
        yield server
