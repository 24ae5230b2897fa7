"""What viewers that hardly read cost the others: delays side by side, on one server."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from contenders import Contender, bokeh_server
from live import crowd
from table import heading, row
from viewers import Crowd, Socket

__all__ = ["slow"]

POINTS = 100
SLOW = 5
RATE = 25


class Laggards:
    """One viewer that never reads, and some that read 1 KB a second."""

    def __init__(self, contender: Contender) -> None:
        self._stopped = threading.Event()
        self._viewers = [contender.viewer() for _ in range(SLOW + 1)]
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._stopped.wait(1.0):
            for viewer in self._viewers[1:]:
                _sip(viewer)

    def close(self) -> None:
        """Leave."""
        self._stopped.set()
        self._thread.join()
        for viewer in self._viewers:
            viewer.close()


def _sip(viewer: Socket) -> None:
    viewer.sock.settimeout(0)
    try:
        viewer.sock.recv(1024)
    except OSError:
        return  # nothing is there, or it was closed for being too slow


@contextmanager
def laggards(contender: Contender) -> Iterator[None]:
    """Have them follow until the block ends."""
    found = Laggards(contender)
    try:
        yield
    finally:
        found.close()


def delays(contender: Contender, viewers: Crowd, seconds: float) -> list[float]:
    """Milliseconds from just before a push to its arrival at each viewer that reads."""
    times: list[float] = []

    def note(chunk: bytes) -> None:
        now = time.perf_counter()
        times.extend(now - float(sent) for sent in re.findall(rb'\["y", ?\[(\d+\.\d+)', chunk))

    def publish() -> None:
        began = time.perf_counter()
        for number in range(int(RATE * seconds)):
            time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            stamp = time.perf_counter()
            contender.publish({"x": [0.0] * POINTS, "y": [stamp] * POINTS})

    expected = viewers.total + len(viewers.viewers) * int(RATE * seconds)
    publisher = threading.Thread(target=publish)
    publisher.start()
    viewers.wait_for(expected, 30 * seconds, note)
    publisher.join()
    return times


def slow(quick: bool) -> None:
    """Take turns without and with slow viewers, so that both see the same machine."""
    turns, seconds = (2, 4.0) if quick else (5, 12.0)
    without: list[float] = []
    beside: list[float] = []
    with bokeh_server(POINTS) as contender, crowd(contender, 194) as viewers:
        contender.publish({"x": [0.0] * POINTS, "y": [0.5] * POINTS})
        viewers.wait_for(194, 60)
        for _ in range(turns):
            without += delays(contender, viewers, seconds)
            with laggards(contender):
                beside += delays(contender, viewers, seconds)
    heading("all read", "6 of 200 hardly read")
    for name, cut in (("p50", 49), ("p99", 98)):
        base, ours = (statistics.quantiles(each, n=100)[cut] * 1e3 for each in (without, beside))
        goal = 0.9 if name == "p99" else "within 10 %"
        row(f"push to receive, 200 viewers, {name}", base, ours, "ms", goal, lower=True)
