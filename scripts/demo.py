"""Start ``bokeh-server`` and publish a plot that keeps moving, until Ctrl-C ends both."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from bokeh_server.errors import BokehServerError

TITLE = "quickstart"
POINTS = 200
FRAMES_PER_SECOND = 20

URL_LINE = re.compile(r"^\s*URL\s+(https?://\S+)")


def start_server(options: list[str]) -> subprocess.Popen[str]:
    """Start the command that was installed beside this Python, out of reach of Ctrl-C."""
    command = [str(Path(sys.executable).with_name("bokeh-server")), *options]
    # In a session of its own: signals reach it once, through us.
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def relay_until_url(server: subprocess.Popen[str]) -> str | None:
    """Print what the server prints, up to the line with its address."""
    assert server.stdout is not None
    for line in server.stdout:
        print(line, end="", flush=True)
        if found := URL_LINE.match(line):
            return found[1]
    return None


def wave(phase: float) -> list[float]:
    """One frame of the animation."""
    steps = (4 * math.pi * step / POINTS for step in range(POINTS))
    return [math.sin(step + phase) * math.cos(step / 3 - phase / 2) for step in steps]


def animate(url: str, server: subprocess.Popen[str]) -> None:
    """Publish the plot and move it while the server runs."""
    from bokeh_server.plotting import curdoc, cursession, figure, output_server, push

    output_server(TITLE, url=url)
    plot = figure(title="A plot that moves", height=400, sizing_mode="stretch_width")
    steps = [4 * math.pi * step / POINTS for step in range(POINTS)]
    source = plot.line(steps, wave(0), line_width=3).data_source
    curdoc().add_root(plot)
    push()
    print(f"\nA live plot:  {cursession().object_link(plot)}\nCtrl-C stops both.", flush=True)
    started = time.monotonic()
    while server.poll() is None:
        source.data["y"] = wave(time.monotonic() - started)
        cursession().store_objects(source)
        time.sleep(1 / FRAMES_PER_SECOND)


def main() -> int:
    """Run both; the exit code is the server's."""
    server = start_server(sys.argv[1:])
    stopping = False

    def stop(signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if server.poll() is None:
            server.send_signal(signum)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, stop)
    url = relay_until_url(server)
    try:
        if url is not None:
            animate(url, server)
    except (BokehServerError, OSError) as error:
        if not stopping:
            print(f"The plot stopped: {error}", file=sys.stderr)
    finally:
        if server.poll() is None and not stopping:
            server.send_signal(signal.SIGTERM)
    return server.wait()


if __name__ == "__main__":
    os.environ.setdefault("BOKEH_BROWSER", "none")
    sys.exit(main())
