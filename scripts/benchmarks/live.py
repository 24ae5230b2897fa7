"""What viewers see and what they cost, beside ``bokeh serve``."""

from __future__ import annotations

import re
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from contenders import Contender, bokeh_serve, bokeh_server
from table import heading, row
from viewers import Crowd, Socket

__all__ = ["SUBJECTS", "live"]

Start = Callable[[int], AbstractContextManager[Contender]]
STARTS: list[Start] = [bokeh_serve, bokeh_server]


@contextmanager
def crowd(contender: Contender, size: int) -> Iterator[Crowd]:
    """``size`` viewers that have pulled the document."""
    viewers = Crowd([contender.viewer() for _ in range(size)])
    try:
        yield viewers
    finally:
        viewers.close()


def fanout(size: int, points: int, patches: dict[Start, int]) -> list[float]:
    """Deliveries per server CPU-second, the next patch sent when all have the last."""
    figures = []
    for start in STARTS:
        column = list(map(float, range(points)))
        with start(points) as contender, crowd(contender, size) as viewers:
            contender.publish({"x": column, "y": [y + 0.5 for y in column]})
            viewers.wait_for(size, 60)
            before, count = contender.cpu(), patches[start]
            for number in range(1, count + 1):
                contender.publish({"x": column, "y": [number + y * 1.1 for y in column]})
                viewers.wait_for(size * (number + 1), 120)
            figures.append(size * count / (contender.cpu() - before))
    return figures


def latency(size: int, rate: float, seconds: float) -> list[tuple[float, float]]:
    """Milliseconds from just before a push to its arrival at each viewer: p50 and p99."""
    figures = []
    for start in STARTS:
        with start(5) as contender, crowd(contender, size) as viewers:
            contender.publish({"x": [0.0] * 5, "y": [0.5] * 5})
            viewers.wait_for(size, 60)
            figures.append(_latencies(contender, viewers, rate, seconds))
    return figures


def _latencies(
    contender: Contender, viewers: Crowd, rate: float, seconds: float
) -> tuple[float, float]:
    times: list[float] = []

    def note(chunk: bytes) -> None:
        now = time.perf_counter()
        times.extend(now - float(sent) for sent in re.findall(rb'\["y", ?\[(\d+\.\d+)', chunk))

    def publish() -> None:
        began = time.perf_counter()
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.perf_counter()))
            stamp = time.perf_counter()
            contender.publish({"x": [0.0] * 5, "y": [stamp] * 5})

    publisher = threading.Thread(target=publish)
    publisher.start()
    expected = len(viewers.viewers) * (1 + int(rate * seconds))
    viewers.wait_for(expected, 30 * seconds, note)
    publisher.join()
    viewers.read(0.5, note)
    cuts = statistics.quantiles(times, n=100)
    return cuts[49] * 1e3, cuts[98] * 1e3


def opening(seconds: float) -> list[tuple[float, float]]:
    """Page, WebSocket, ACK and pull: how many per second, and per server CPU-second."""
    figures = []
    for start in STARTS:
        with start(1000) as contender:
            _open(contender)
            before, began, count = contender.cpu(), time.perf_counter(), 0
            while time.perf_counter() - began < seconds:
                _open(contender)
                count += 1
            elapsed, cpu = time.perf_counter() - began, contender.cpu() - before
            figures.append((count / elapsed, count / cpu))
    return figures


def _open(contender: Contender) -> None:
    url = f"http://localhost:{contender.port}{contender.page}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        html = answer.read().decode()
    token = re.search(r'"(?:token|ticket)":\s*"([^"]+)"', html)
    assert token is not None
    viewer = Socket.connect(contender.port, contender.ws, token[1])
    viewer.pull()
    viewer.close()


def memory(size: int) -> list[float]:
    """Kilobytes of server memory that one idle viewer takes."""
    figures = []
    for start in STARTS:
        with start(5) as contender:
            with crowd(contender, 50):
                pass
            time.sleep(1)
            before = contender.rss()
            with crowd(contender, size):
                time.sleep(2)
                figures.append((contender.rss() - before) / size / 1024)
    return figures


def idle(size: int, seconds: float) -> None:
    """Keep ``size`` viewers connected and prove that each still gets a change at the end."""
    with bokeh_server(5) as contender, crowd(contender, size) as viewers:
        before, end = contender.cpu(), time.monotonic() + seconds
        while time.monotonic() < end:
            viewers.read(1)
        used = contender.cpu() - before
        contender.publish({"x": [1.0] * 5, "y": [2.0] * 5})
        viewers.wait_for(size, 60)
        print(
            f"{size:,} idle viewers stayed connected for {seconds:,.0f} s"
            f" (server CPU {100 * used / seconds:.1f} %), and all got the change that followed."
        )


def _fanout(quick: bool) -> None:
    rounds = {bokeh_serve: 3 if quick else 10, bokeh_server: 50 if quick else 300}
    size = 200 if quick else 1000
    base, ours = fanout(size, 5, rounds)
    row(f"fan-out, {size:,} viewers, 5 points", base, ours, "deliveries/CPU-s", 10.0)
    rounds = {bokeh_serve: 5 if quick else 20, bokeh_server: 200 if quick else 1000}
    base, ours = fanout(100, 1000, rounds)
    row("fan-out, 100 viewers, 1,000 points", base, ours, "deliveries/CPU-s", 50.0)


def _latency(quick: bool) -> None:
    (base50, base99), (our50, our99) = latency(200, 50, 4 if quick else 15)
    row("push to receive, 200 viewers at 50/s, p50", base50, our50, "ms", "", lower=True)
    row("push to receive, 200 viewers at 50/s, p99", base99, our99, "ms", "< 10 ms", lower=True)


def _open_rate(quick: bool) -> None:
    (base, base_cpu), (ours, ours_cpu) = opening(3 if quick else 10)
    row("open a plot (page + pull), one client", base, ours, "/s")
    row("open a plot (page + pull)", base_cpu, ours_cpu, "/CPU-s", 20.0)


def _memory(quick: bool) -> None:
    base, ours = memory(500 if quick else 1000)
    row("memory of an idle viewer", base, ours, "KB", "<= 15 KB", lower=True)


def _idle(quick: bool) -> None:
    idle(2000, 20 if quick else 300)


SUBJECTS: dict[str, Callable[[bool], None]] = {
    "fanout": _fanout,
    "latency": _latency,
    "open": _open_rate,
    "memory": _memory,
    "idle": _idle,
}


def live(names: list[str], quick: bool) -> None:
    """Print the lines of some subjects, as one table."""
    heading("bokeh serve", "bokeh-server")
    for name in names:
        SUBJECTS[name](quick)
