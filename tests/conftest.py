"""What holds for every test: a home directory of its own, and nothing left behind."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.programs import chromium_path

#: threads of libraries that live as long as the process.
LASTING_THREADS = ("asyncio", "playwright", "ThreadPoolExecutor", "pytest", "hypothesis")
SETTLE_SECONDS = 3.0

# before any test module is imported: nothing may read or write the user's own files
_home = tempfile.TemporaryDirectory(prefix="bokeh-server-home-")
for _name in [name for name in os.environ if name.startswith(("BOKEH_", "XDG_"))]:
    del os.environ[_name]
os.environ["HOME"] = _home.name
os.environ["BOKEH_BROWSER"] = "none"


def pytest_unconfigure() -> None:
    """Remove the home directory of this run."""
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


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves a thread running or a socket open.

    A fixture that outlives the test may rightly start threads in it; then nothing is checked.
    """
    threads, sockets = set(threading.enumerate()), _sockets()
    yield
    if _shares_fixtures(request):
        return
    _settle(lambda: not _left_threads(threads) and not (_sockets() - sockets))
    assert not _left_threads(threads), "threads are still running"
    assert not _sockets() - sockets, "sockets are still open"


def _shares_fixtures(request: pytest.FixtureRequest) -> bool:
    """Whether the test uses a fixture of ours that lives longer than the test."""
    used = request._pyfuncitem._fixtureinfo.name2fixturedefs.values()
    return any(
        definition.scope != "function"
        for definitions in used
        for definition in definitions
        if not definition.func.__module__.startswith("_pytest")
    )


def _left_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.name.startswith(LASTING_THREADS)
    ]


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
