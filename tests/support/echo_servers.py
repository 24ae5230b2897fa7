"""The echo app under each server that we support, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SERVERS", "EchoServer", "echo_server"]

ROOT = Path(__file__).resolve().parent.parent.parent
GUNICORN = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "--access-logfile", "-"]
GUNICORN_APP = ["support.echo:make_app()"]
ECHO = [sys.executable, "-m", "support.echo"]

#: how to start each of them.
SERVERS = {
    "pywsgi": [*ECHO, "pywsgi"],
    "werkzeug": [*ECHO, "werkzeug"],
    "gunicorn-gevent": [*GUNICORN, "-k", "gevent", "--worker-connections", "40", *GUNICORN_APP],
    "gunicorn-threads": [
        *GUNICORN,
        *("--threads", "4", "--worker-connections", "40", "--keep-alive", "5"),
        *GUNICORN_APP,
    ],
}


@dataclass
class EchoServer:
    """A running echo server."""

    process: subprocess.Popen[bytes]
    log_path: Path
    port: int = 0

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self.log_path.read_text(errors="replace")

    def get(self, path: str, method: str = "GET", timeout: float = 20.0) -> str:
        """Ask by ordinary HTTP."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(
            urllib.request.Request(url, method=method), timeout=timeout
        ) as answer:
            return str(answer.read().decode())

    def stats(self) -> dict[str, Any]:
        """Count its threads, greenlets, descriptors and connections."""
        found: dict[str, Any] = json.loads(self.get("/stats"))
        return found

    def wait_for(self, count: int, name: str = "connections", seconds: float = 10.0) -> None:
        """Wait until it has so many connections or viewers."""
        deadline = time.monotonic() + seconds
        while (found := self.stats()[name]) != count:
            assert time.monotonic() < deadline, f"{found} {name} instead of {count}"
            time.sleep(0.05)


@contextmanager
def echo_server(kind: str, folder: Path, *arguments: str, **limits: float) -> Iterator[EchoServer]:
    """Run the echo app; its log must be free of tracebacks at the end.

    :param kind: one of :data:`SERVERS`.
    :param limits: of the sockets.
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "ECHO_LIMITS": json.dumps(limits)}
    log_path = folder / f"{kind}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*SERVERS[kind], *arguments], env=env, cwd=ROOT, stdout=log, stderr=log
        )
    server = EchoServer(process, log_path)
    try:
        server.port = _port(server)
        yield server
    finally:
        process.terminate()
        process.wait(15)
    assert "Traceback" not in server.log, server.log


def _port(server: EchoServer) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.process.poll() is None:
        found = re.search(r"^(\d+)$|https?://127\.0\.0\.1:(\d+)", server.log, re.MULTILINE)
        if found and "Booting worker" in server.log + "Booting worker" * bool(found[1]):
            return int(found[1] or found[2])
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{server.log}")
