"""A real ``bokeh-server`` command in a process of its own, for tests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["RunningServer", "clean_environment", "running_server"]

#: what is run; its options follow.
PROGRAM = (sys.executable, "-m", "bokeh_server")
START_SECONDS = 90.0  # a machine may be busy
STOP_SECONDS = 15.0

_URL_LINE = re.compile(r"^\s*URL\s+(https?://\S+?)/?\s*$", re.MULTILINE)
_TRACEBACK = "Traceback (most recent call last)"


class RunningServer:
    """The command, its log and how to stop, kill and start it again.

    :ivar url: address of the server with its prefix and no slash at the end:
        ``http://localhost:40123``.
    :ivar port: the port it listens on.
    :ivar data_dir: where its database is.
    :ivar process: the running process.
    :ivar log_path: what it printed, of all its runs.
    """

    process: subprocess.Popen[bytes]
    url: str
    port: int

    def __init__(
        self,
        args: tuple[str, ...],
        env: Mapping[str, str],
        data_dir: Path,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.args = args
        self.program = tuple(program)
        self.env = dict(env)
        self.data_dir = data_dir
        self.log_path = Path(env["HOME"]) / "server.log"
        self.port = 0
        self.tracebacks_expected = False

    @property
    def log(self) -> str:
        """Everything printed so far, by all runs."""
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    @property
    def ws_url(self) -> str:
        """:attr:`url` for WebSockets: ``ws://localhost:40123``."""
        return "ws" + self.url.removeprefix("http")

    def start(self) -> None:
        """Start it and wait until it answers; on the port it had, if it ran before."""
        seen = len(self.log)
        # a --port among the test's own arguments comes later, and so wins the first time
        command = [*self.program, "--data-dir", str(self.data_dir)]
        command += ["--port", "0", *self.args] if not self.port else self._same_port()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                cwd=self.env["HOME"],
            )  # fmt: skip
        self.url = self._wait_for_url(seen)
        self.port = int(re.findall(r":(\d+)", self.url)[0])

    def _same_port(self) -> list[str]:
        return [*self.args, "--port", str(self.port)]

    def _wait_for_url(self, seen: int) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            found = _URL_LINE.search(self.log[seen:])
            if found:
                return found[1]
            time.sleep(0.02)
        state = f"exit code {self.process.poll()}" if self.process.poll() is not None else "silent"
        self.kill()
        raise AssertionError(f"bokeh-server did not start ({state}):\n{self.log[seen:]}")

    def kill(self) -> None:
        """End it by SIGKILL, as the kernel or a power cut would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it by a signal, wait, and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"bokeh-server did not stop:\n{self.log}") from None

    def restart(self) -> None:
        """Stop it and start it on the same port and data; after :meth:`kill`, only start it."""
        if self.process.poll() is None:
            self.stop()
        self.start()


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process that has no settings of bokeh-server and its own ``HOME``."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("BOKEH_", "XDG_"))
    }
    return environ | {"HOME": str(home), "PYTHONUNBUFFERED": "1"} | more


@contextmanager
def running_server(
    *args: str,
    env: Mapping[str, str] | None = None,
    data_dir: str | Path | None = None,
    program: Sequence[str] = PROGRAM,
) -> Iterator[RunningServer]:
    """Run ``bokeh-server`` on a free port in a temporary directory until the block ends.

    :param args: more options of the command.
    :param env: environment variables to add.
    :param data_dir: a data directory to use instead of an empty one.
    :param program: what to run instead of ``bokeh-server``, with the same options.

    The log is printed when the block fails; a traceback in it fails the test,
    unless the test sets :attr:`RunningServer.tracebacks_expected`.
    """
    with tempfile.TemporaryDirectory(prefix="bokeh-server-test-") as home:
        directory = Path(data_dir) if data_dir is not None else Path(home) / "data"
        environ = clean_environment(Path(home), **(env or {}))
        server = RunningServer(args, environ, directory, program)
        try:
            server.start()
            yield server
            code = server.stop() if server.process.poll() is None else 0
        except BaseException:
            print(f"--- log of bokeh-server ---\n{server.log}\n--- end of log ---")
            raise
        finally:
            if hasattr(server, "process"):
                server.kill()
        assert code == 0, f"bokeh-server ended with exit code {code}:\n{server.log}"
        assert server.tracebacks_expected or _TRACEBACK not in server.log, server.log
