"""Scripts in processes of their own, as somebody runs them at a prompt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["EXAMPLES", "eventually", "interrupt", "run_script", "running_script"]

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 60.0


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.005)


def run_script(code: str | Path, url: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a script to its end.

    :param code: a file, or the text of a script.
    :param url: the server that it finds in its environment.
    :param home: its home and current directory.
    """
    return subprocess.run(
        _command(code), env=_environment(url, home), cwd=home, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip


@contextmanager
def running_script(code: str | Path, url: str, home: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a script as long as the block."""
    with subprocess.Popen(
        _command(code), env=_environment(url, home), cwd=home, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as script:  # fmt: skip
        try:
            yield script
        finally:
            script.kill()


def interrupt(script: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Press Ctrl-C; the exit code, and all it printed."""
    script.send_signal(signal.SIGINT)
    out, err = script.communicate(timeout=SECONDS)
    return script.returncode, out, err


def _command(code: str | Path) -> list[str]:
    return [sys.executable, *([str(code)] if isinstance(code, Path) else ["-c", code])]


def _environment(url: str, home: Path) -> dict[str, str]:
    return os.environ | {
        "BOKEH_SERVER_URL": url, "BOKEH_BROWSER": "none", "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
