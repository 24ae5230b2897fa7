"""Durable changes: 64 writers at once, and how near that is to what the database alone does."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from contenders import Server, run_server
from databases import KINDS, database, plainly, written
from table import heading, row

__all__ = ["durable"]

WRITERS = 64
PROGRAM = str(Path(__file__).with_name("writers.py"))
#: how changes get to the server, and from how many processes with how many writers each.
WAYS = {
    "session": ("store_objects", 2),
    "http": ("bare HTTP", 1),
    "websocket": ("bare WebSocket", 1),
    "engine": ("engine alone", 1),
}


class Process:
    """One process of writers."""

    def __init__(self, way: str, address: str, number: int, count: int) -> None:
        command = [sys.executable, PROGRAM, way, address, str(number), str(count)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def wait(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "a process of writers ended"
        return line

    def begin(self, seconds: float) -> None:
        """Have it write."""
        assert self._process.stdin is not None
        print(seconds, file=self._process.stdin, flush=True)

    def end(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def processes(way: str, address: str, writers: int) -> Iterator[list[Process]]:
    """All writers, ready to begin."""
    count = min(WAYS[way][1], writers)
    started = [Process(way, address, number, writers // count) for number in range(count)]
    try:
        for each in started:
            assert each.wait() == "ready\n"
        yield started
    finally:
        for each in started:
            each.end()


@dataclass
class Load:
    """What writers got done.

    :param rate: changes per second.
    :param p50: milliseconds for one change.
    :param client: CPU microseconds of the writers' processes per change.
    :param server: CPU microseconds of the server per change, ``None`` where there is none.
    """

    rate: float
    p50: float
    client: float
    server: float | None


def _load(started: list[Process], seconds: float, server: Server | None) -> Load:
    before = server.cpu() if server else 0.0
    for each in started:
        each.begin(seconds)
    parts = [json.loads(each.wait()) for each in started]
    count = sum(part["count"] for part in parts)
    used = 1e6 * (server.cpu() - before) / count if server else None
    client = 1e6 * sum(part["cpu"] for part in parts) / count
    return Load(sum(part["rate"] for part in parts), parts[0]["p50"], client, used)


def _measure(way: str, url: str, writers: int, seconds: float) -> Load:
    with ExitStack() as stack:
        server = None if way == "engine" else stack.enter_context(run_server(url))
        address = server.root if server else url
        started = stack.enter_context(processes(way, address, writers))
        _load(started, min(1.0, seconds / 3), server)  # documents are loaded, caches are warm
        return _load(started, seconds, server)


def durable(quick: bool) -> None:
    """Print the rate of every way of writing beside that of a plain loop on the same database."""
    seconds = 2.0 if quick else 8.0
    for kind in KINDS[: 1 if quick else None]:
        heading(f"{kind} alone", "bokeh-server")
        for way in WAYS:
            _many(kind, way, seconds)
        _one(kind, seconds)


def _many(kind: str, way: str, seconds: float) -> None:
    """All writers at once, beside the same rows in groups of the same size."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = stack.enter_context(database(kind, folder))
        other = stack.enter_context(database(kind, folder))
        if url is None or other is None:
            return
        load = _measure(way, url, WRITERS, seconds)
        log = written(url)
        base = plainly(other, log, log.group, seconds)
        name = f"{WAYS[way][0]}, {WRITERS} writers"
        row(name, base, load.rate, "changes/s", "5,000/s, 0.6 x")
        row(f"{name}: changes in a commit", 1.0, log.changes / log.groups, "", 4.0)
        _costs(load)


def _one(kind: str, seconds: float) -> None:
    """One writer, beside commits of one row."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = stack.enter_context(database(kind, folder))
        other = stack.enter_context(database(kind, folder))
        if url is None or other is None:
            return
        load = _measure("session", url, 1, seconds)
        alone = 1e3 / plainly(other, written(url), 1, seconds)
        row("store_objects, one writer, p50", alone, load.p50, "ms", lower=True)
        _costs(load)


def _costs(load: Load) -> None:
    """What each side had to do, which says who was the limit."""
    if load.server is None:
        print(f"|  · CPU for a change | | {load.client:,.0f} | us | | |")
        return
    limit = "server" if load.server > load.client else "writers"
    print(
        f"|  · CPU for a change, server and writers | | {load.server:,.0f}, {load.client:,.0f}"
        f" | us | | more in the {limit} |"
    )
