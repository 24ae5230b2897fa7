"""The worker processes: started, started again when they end, and ended with the server."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bokeh_server.apps.services import Services
from bokeh_server.apps.workers.desk import Desk
from bokeh_server.apps.workers.wire import pack
from bokeh_server.blocking import is_gevent
from bokeh_server.errors import ConfigurationError

__all__ = ["Pool", "worker_of"]

log = logging.getLogger("bokeh_server")

BACKLOG = 1024
#: a worker that ends at once is started again after so many seconds, and then ever later.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
#: one that has lived for so long starts again without a pause.
STEADY_SECONDS = 30.0
#: how long a worker may take to end its sessions and to run its hooks.
STOP_SECONDS = 8.0

_PROGRAM = """import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
from bokeh_server.app_worker import main
main()
"""


def worker_of(session_id: str, count: int) -> int:
    """Which of the workers has a session: the one whose hash with the id is the largest."""
    return max(range(count), key=lambda each: _weight(session_id, each))


def _weight(session_id: str, worker: int) -> bytes:
    text = f"{worker}:{session_id}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).digest()


class Pool:
    """So many workers.

    :param orders: what each is told when it starts.
    :param services: what is around their applications, in this process.
    """

    def __init__(self, count: int, orders: dict[str, Any], services: Services) -> None:
        # Not one that removes itself, for a process that was forked would remove it, too.
        self._folder = Path(tempfile.mkdtemp(prefix="bokeh-workers-"))
        address = str(self._folder / "desk.sock")
        has = {"publishes": services.publisher is not None, "guards": services.guard is not None}
        orders = {**orders, "desk": address, **has}
        self._desk = Desk(_listen(address), services)
        self._workers = [_Worker(number, self._folder, orders) for number in range(count)]

    def start(self) -> None:
        """Start them; those who ask wait until they are there."""
        self._desk.start()
        for worker in self._workers:
            worker.start()

    def address_of(self, session_id: str) -> str:
        """Where the worker is reached that has a session."""
        return self._workers[worker_of(session_id, len(self._workers))].address

    def pids(self) -> list[int]:
        """The processes that run now."""
        return [each.process.pid for each in self._workers if each.process is not None]

    def close(self) -> None:
        """Have them end, and end them if they do not."""
        for worker in self._workers:
            worker.stop()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.finish(deadline)
        self._desk.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Worker:
    """One process after the other.

    The socket that it listens on is ours, so that whoever comes while there is no process
    waits for the next one.

    :ivar address: where it is reached.
    :ivar process: the one that runs now.
    """

    def __init__(self, number: int, folder: Path, orders: dict[str, Any]) -> None:
        self.address = str(folder / f"{number}.sock")
        self.process: subprocess.Popen[bytes] | None = None
        self._number = number
        self._orders = pack({**orders, "number": number, "address": self.address})
        self._listener = _listen(self.address)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the first process, and look after it."""
        self.process = self._launch()
        self._thread = threading.Thread(
            target=self._look_after, name=f"bokeh-worker-{self._number}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Have the process end: it sees that its input does."""
        self._stopping.set()
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def finish(self, deadline: float) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join(max(0.1, deadline - time.monotonic()))
        process = self.process
        if process is not None and process.poll() is None:
            log.warning("Worker %d did not end in time, and was killed", self._number)
            process.kill()
            process.wait()
        self._listener.close()

    def _look_after(self) -> None:
        pause = FIRST_PAUSE
        while self.process is not None:
            started = time.monotonic()
            code = self.process.wait()
            if self._stopping.is_set():
                return
            log.error("Worker %d of the applications ended (%s): its sessions are lost, and "
                      "another one is started", self._number, _reason(code))  # fmt: skip
            pause = FIRST_PAUSE if time.monotonic() - started > STEADY_SECONDS else pause
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE)
            self.process = self._relaunch(self.process)

    def _relaunch(self, before: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        with contextlib.suppress(OSError):
            before.stdin and before.stdin.close()
        try:
            process = self._launch()
        except OSError:
            log.exception("Worker %d could not be started", self._number)
            return before
        if self._stopping.is_set():
            process.kill()
        return process

    def _launch(self) -> subprocess.Popen[bytes]:
        listener = self._listener.fileno()
        way = "gevent" if is_gevent() else "threads"
        words = [json.dumps(sys.path), way, str(listener)]
        process = subprocess.Popen(  # noqa: S603 — our own program
            [sys.executable, "-P", "-c", _PROGRAM, *words],
            stdin=subprocess.PIPE,
            pass_fds=(listener,),
        )
        assert process.stdin is not None, "a pipe was asked for"
        with contextlib.suppress(OSError):  # it ended at once, which is seen elsewhere
            process.stdin.write(self._orders)
            process.stdin.flush()
        return process


def _listen(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        attempted, why = f"listen for worker processes at {address}", str(error)
        raise ConfigurationError(attempted, why, "Set TMPDIR to a short path") from None
    listener.listen(BACKLOG)
    return listener


def _reason(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"exit code {code}"
