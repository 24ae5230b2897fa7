"""The echo app under each server that we support, in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
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

START_SECONDS = 60.0

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
    :param arguments: more of them, for TLS.
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
        server.port = _port(server, "https" if arguments else "http")
        yield server
    finally:
        process.terminate()
        process.wait(15)
    assert "Traceback" not in server.log, server.log


def _port(server: EchoServer, scheme: str) -> int:
    """Wait until it answers; gunicorn listens long before its worker has loaded the app."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        found = re.search(r"^(\d+)$|(https?)://127\.0\.0\.1:(\d+)", server.log, re.MULTILINE)
        port = int(found[1] or found[3]) if found else 0
        if port and _answers(port, scheme):
            return port
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{server.log}")


def _answers(port: int, scheme: str) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(
            f"{scheme}://127.0.0.1:{port}/", timeout=START_SECONDS, context=context
        ) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False
