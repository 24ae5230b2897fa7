"""The servers under which somebody's Flask app may run."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from support.server import clean_environment

__all__ = ["Host", "running_host"]

TESTS = Path(__file__).resolve().parent.parent
START_SECONDS = 30.0

GUNICORN = ["-m", "gunicorn", "--workers", "1", "--bind", "127.0.0.1:{port}"]
WORKERS = ["-m", "gunicorn", "--workers", "3", "--bind", "127.0.0.1:{port}"]
APP = "support.host_app:create_app()"
SCRIPT = str(TESTS / "support/host_app.py")

#: how each of them is started, after the name of the interpreter.
COMMANDS = {
    "flask run": ["-m", "flask", "--app", APP, "run", "--no-reload", "--port", "{port}"],
    "gunicorn gevent": [*GUNICORN, "--worker-class", "gevent", APP],
    "gunicorn threads": [*GUNICORN, "--threads", "4", APP],
    "gevent pywsgi": [SCRIPT, "{port}", "create_app"],
    "gunicorn workers": [*WORKERS, "--worker-class", "gevent", APP],
    "two apps": [SCRIPT, "{port}", "two_hosts"],
}


class Host:
    """A running host app.

    :ivar url: its address, with no slash at the end.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"
        self._log = log

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text("utf-8", "replace")

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                requests.get(f"{self.url}/", timeout=5)
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"the host did not start:\n{self.log}")


@contextmanager
def running_host(kind: str, database: str = "") -> Iterator[Host]:
    """Run the host app under one of the servers until the block ends; no traceback is allowed.

    :param database: URL of a database to use instead of a new SQLite file.
    """
    with tempfile.TemporaryDirectory(prefix="bokeh-host-") as name:
        directory = Path(name)
        env = clean_environment(
            directory, HOST_DIRECTORY=name, HOST_DATABASE=database, PYTHONPATH=str(TESTS)
        )
        port, log = free_port(), directory / "log"
        command = [sys.executable, *(word.format(port=port) for word in COMMANDS[kind])]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=env, cwd=name)
        host = Host(process, port, log)
        try:
            host.wait()
            yield host
        except BaseException:
            print(f"--- log of {kind} ---\n{host.log}\n--- end of log ---")
            raise
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert "Traceback" not in host.log, host.log


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
