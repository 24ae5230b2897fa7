"""Applications beside ``bokeh serve``: opening, callbacks, sessions, and those made ahead."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contenders import QUIET, _wait, cpu_of, free_port, rss_of
from table import heading, row
from viewers import Crowd, Socket

__all__ = ["applications"]

#: a plot, a slider whose callback changes a text, and what else a benchmark wants.
APP = """
import time
from bokeh.layouts import column
from bokeh.models import Div, Slider
from bokeh.plotting import curdoc, figure

plot = figure(width=400, height=400)
plot.line(list(range(1000)), list(range(1000)))
text = Div(text="")
slider = Slider(start=0, end=1e9, value=0)
slider.on_change("value", lambda attr, old, new: text.update(text=str(new)))
curdoc().add_root(column(plot, slider, text))
"""
PERIODIC = """
turns = iter(range(10**9))
curdoc().add_periodic_callback(lambda: text.update(text=str(next(turns))), 100)
"""
SLOW = """
end = time.perf_counter() + 0.1
while time.perf_counter() < end:
    pass
"""


@dataclass(frozen=True)
class AppServer:
    """A running server of one application at ``/app``."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu(self) -> float:
        """CPU seconds that it has used so far, user and system."""
        return cpu_of(self.process.pid)

    def page(self) -> str:
        """Load the page; its token."""
        url = f"http://localhost:{self.port}/app"
        with urllib.request.urlopen(url, timeout=60) as answer:
            html = answer.read().decode()
        token = re.search(r'"token":\s*"([^"]+)"', html)
        assert token is not None
        return token[1]

    def open(self) -> tuple[Socket, dict[str, object]]:
        """A connected session, and its document."""
        socket = Socket.connect(self.port, "/app/ws", self.page())
        return socket, socket.pull()


@contextmanager
def _running(command: list[str], script: str) -> Iterator[AppServer]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "app.py")
        path.write_text(script)
        words = [sys.executable, "-m", *command, str(path), "--port", str(port)]
        if command[0] == "bokeh_server":
            words += ["--data-dir", folder]
        process = subprocess.Popen([*words, "--log-level", "error"], cwd=folder, **QUIET)
        try:
            _wait(f"http://localhost:{port}/app/metadata", process)
            yield AppServer(process, port)
        finally:
            process.terminate()
            process.wait(20)


def _both(script: str, measure: Callable[[AppServer], float], *options: str) -> tuple[float, float]:
    """Measure both, one after the other.

    :param options: of ours.
    """
    figures = []
    for command in (["bokeh", "serve"], ["bokeh_server", *options]):
        with _running(command, script) as server:
            figures.append(measure(server))
    return figures[0], figures[1]


def _opened_per_cpu(count: int) -> Callable[[AppServer], float]:
    def measure(server: AppServer) -> float:
        server.open()[0].close()
        before = server.cpu()
        for _ in range(count):
            server.open()[0].close()
        return count / (server.cpu() - before)

    return measure


def _round_trip(count: int) -> Callable[[AppServer], float]:
    """Milliseconds from a change to what the callback for it changed and the ``OK``; the median."""

    def measure(server: AppServer) -> float:
        socket, doc = server.open()
        found = re.search(r'"name": "Slider", "id": "([^"]+)"', json.dumps(doc))
        assert found is not None
        times = []
        for value in range(1, count + 1):
            event = {"kind": "ModelChanged", "model": {"id": found[1]}, "attr": "value"}
            content = json.dumps({"events": [{**event, "new": value}]}).encode()
            began = time.perf_counter()
            socket.patch(content)
            times.append(time.perf_counter() - began)
        socket.close()
        return statistics.median(times) * 1e3

    return measure


def _periodic(sessions: int, seconds: float) -> Callable[[AppServer], float]:
    """Milliseconds of CPU for each run of a callback, which changes a text in a browser."""

    def measure(server: AppServer) -> float:
        crowd = Crowd([server.open()[0] for _ in range(sessions)])
        _read(crowd, 1)
        before, total, began = server.cpu(), crowd.total, time.perf_counter()
        _read(crowd, seconds)
        used, runs = server.cpu() - before, crowd.total - total
        wanted = 10 * sessions * (time.perf_counter() - began)
        crowd.close()
        print(f"<!-- {runs:,} of {wanted:,.0f} runs, CPU {used / seconds:.0%} -->", flush=True)
        return used / runs * 1e3

    return measure


def _read(crowd: Crowd, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        crowd.read(0.1)


def _memory(sessions: int) -> Callable[[AppServer], float]:
    """Kilobytes that an open session takes."""

    def measure(server: AppServer) -> float:
        opened = [server.open()[0] for _ in range(20)]
        before = rss_of(server.process.pid)
        opened += [server.open()[0] for _ in range(sessions)]
        used = (rss_of(server.process.pid) - before) / sessions / 1024
        for socket in opened:
            socket.close()
        return used

    return measure


def _first_page(count: int) -> Callable[[AppServer], float]:
    """Milliseconds that a page takes when nobody has asked for one just before; the median."""

    def measure(server: AppServer) -> float:
        times = []
        for _ in range(count):
            time.sleep(1.5)
            began = time.perf_counter()
            server.page()
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1e3

    return measure


def applications(quick: bool) -> None:
    """Print the table."""
    heading("bokeh serve", "bokeh-server")
    base, ours = _both(APP, _opened_per_cpu(50 if quick else 300))
    row("application: page and first pull", base, ours, "/CPU-s", 1.0)
    base, ours = _both(APP, _round_trip(200 if quick else 2000))
    row("application: callback round trip, p50", base, ours, "ms", 1.0, lower=True)
    base, ours = _both(APP + PERIODIC, _periodic(100, 4 if quick else 15))
    row("application: a run of a callback, 100 sessions at 10 Hz", base, ours, "CPU-ms", 1.0,
        lower=True)  # fmt: skip
    base, ours = _both(APP, _memory(100 if quick else 400))
    row("application: memory of a session", base, ours, "KB", 1.0, lower=True)
    base, ours = _both(APP + SLOW, _first_page(5 if quick else 15), "--warm", "2")
    row("application: first page, script of 100 ms, --warm", base, ours, "ms", 5.0, lower=True)
