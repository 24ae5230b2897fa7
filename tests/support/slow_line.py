"""A TCP proxy between browsers and a server that delays, drops and half-opens connections."""

from __future__ import annotations

import contextlib
import queue
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["SlowLine", "slow_line"]


class SlowLine:
    """Forwards connections to a port of this machine.

    :ivar port: where it listens.
    :ivar delay: seconds that what is sent takes, at least and at most, in either direction.
    :ivar frozen: nothing comes through, in new connections either, and nobody is told.
    """

    def __init__(self, target: int, delay: tuple[float, float] = (0.0, 0.0)) -> None:
        self.delay = delay
        self.frozen = False
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._start(self._accept)

    def drop(self) -> None:
        """Cut every connection there is."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for sock in (sock for pair in pairs for sock in pair):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything and stop."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for thread in self._threads:
            thread.join(10)

    def _start(self, function: object, *args: object) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._pairs.append((client, server))
            ends = threading.Semaphore(0)
            for source, target in ((client, server), (server, client)):
                waiting: queue.Queue[tuple[float, bytes]] = queue.Queue()
                self._start(self._read, source, waiting)
                self._start(self._write, waiting, target, ends)
            self._start(_close_both, ends, client, server)

    def _read(self, source: socket.socket, waiting: queue.Queue[tuple[float, bytes]]) -> None:
        data = b"-"
        while data:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            if not self.frozen or not data:
                waiting.put((time.monotonic() + random.uniform(*self.delay), data))

    @staticmethod
    def _write(
        waiting: queue.Queue[tuple[float, bytes]], target: socket.socket, ends: threading.Semaphore
    ) -> None:
        data = b"-"
        while data:
            when, data = waiting.get()
            time.sleep(max(0.0, when - time.monotonic()))
            with contextlib.suppress(OSError):
                target.sendall(data) if data else target.shutdown(socket.SHUT_WR)
        ends.release()


def _close_both(ends: threading.Semaphore, *socks: socket.socket) -> None:
    for _ in socks:
        ends.acquire()
    for sock in socks:
        sock.close()


@contextmanager
def slow_line(target: int, delay: tuple[float, float] = (0.0, 0.0)) -> Iterator[SlowLine]:
    """A line to a port until the block ends."""
    line = SlowLine(target, delay)
    try:
        yield line
    finally:
        line.close()
