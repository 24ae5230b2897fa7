"""What holds for every test: a home directory of its own, and nothing left behind."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.databases import database_kind, database_url, ready_url, sqlite_template
from support.postgresql import postgresql_server
from support.programs import chromium_path

#: one PostgreSQL server for all rooms.
__all__ = ["database_kind", "database_url", "postgresql_server", "ready_url", "sqlite_template"]

#: threads of libraries that live as long as the process.
LASTING_THREADS = ("asyncio", "playwright", "ThreadPoolExecutor", "pytest", "hypothesis")
SETTLE_SECONDS = 3.0

# before any test module is imported: nothing may read or write the user's own files
_home = tempfile.TemporaryDirectory(prefix="bokeh-server-home-")
for _name in [name for name in os.environ if name.startswith(("BOKEH_", "XDG_"))]:
    del os.environ[_name]
os.environ["HOME"] = _home.name
os.environ["BOKEH_BROWSER"] = "none"

# A shell starts what it runs in the background deaf to Ctrl-C, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@atexit.register  # pytest-xdist ends its workers without telling this file
def pytest_unconfigure(process: int = os.getpid()) -> None:
    """Remove the home directory of this run."""
    if os.getpid() == process:
        _home.cleanup()


#: marks of tests that need something installed on the machine.
SERVICES = ("browser", "postgresql")
NO_BROWSER = "there is no Chromium; on Debian and Ubuntu: sudo apt install chromium"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where there is no browser, skip what needs one; in CI let it fail."""
    if chromium_path() or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("browser") is not None:
            item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """In CI no test is skipped for a service that is missing: that is a failure."""
    report = yield
    needs = [name for name in SERVICES if item.get_closest_marker(name) is not None]
    if os.environ.get("CI") and needs and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where {needs} must be there: {report.longrepr}"
    return report


#: threads and sockets of fixtures that live longer than one test.
SHARED = pytest.StashKey[set[Any]]()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Note what a fixture leaves running for the tests that share it."""
    if fixturedef.scope == "function":
        return (yield)
    before = _running()
    try:
        return (yield)
    finally:
        request.config.stash.setdefault(SHARED, set()).update(_running() - before)


#: hashes that take no time, where it is not they that are tested.
CHEAP = {"time_cost": 1, "memory_cost": 8}


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> None:
    """Have this process make cheap hashes; servers that tests start make real ones."""
    from bokeh_server.accounts import passwords

    passwords.COST.update(CHEAP)


@pytest.fixture(scope="module")
def true_passwords() -> Iterator[None]:
    """Have it make real ones."""
    from bokeh_server.accounts import passwords

    for name in CHEAP:
        del passwords.COST[name]
    yield
    passwords.COST.update(CHEAP)


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves a thread running or a socket open.

    What fixtures that outlive the test began when they were set up is theirs.
    """
    before = _running()
    yield
    shared = request.config.stash.setdefault(SHARED, set())

    def left() -> set[Any]:
        return _running() - before - shared

    _settle(lambda: not left())
    assert not left(), "threads are still running, or sockets are still open"


def _running() -> set[Any]:
    return {*_threads(), *_sockets()}


def _threads() -> set[threading.Thread]:
    running = threading.enumerate()
    return {thread for thread in running if not thread.name.startswith(LASTING_THREADS)}


def _sockets() -> set[str]:
    """The open sockets of this process, where the system tells."""
    found = set()
    directory = Path("/proc/self/fd")
    for entry in directory.iterdir() if directory.is_dir() else ():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def _settle(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    if done():
        return
    gc.collect()
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
