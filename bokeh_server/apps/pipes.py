"""What :mod:`multiprocessing` waits for, which gevent leaves as it is: who waits stops everybody.

A pool of processes has threads of its own, for results and for tasks; as greenlets they would wait
for pipes and semaphores on behalf of all others, and some for one another.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Any

from bokeh_server.blocking import is_gevent

__all__ = ["install"]

#: bytes that whatever is ready to be written to takes at once.
_CHUNK = getattr(select, "PIPE_BUF", 512)
#: seconds between two tries of a semaphore, of which nobody can be told.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.02


def install() -> None:
    """Have other greenlets run while one waits; doing it twice does no harm."""
    if not is_gevent():
        return
    try:
        from multiprocessing import connection, synchronize
    except ImportError:  # a system without semaphores
        return
    pipe: Any = connection.Connection
    lock: Any = synchronize.SemLock
    pipe._recv.__defaults__ = (_read,)
    pipe._send.__defaults__ = (_write,)
    lock.__enter__ = _enter
    lock._make_methods = _make_methods


def _read(descriptor: int, size: int) -> bytes:
    _wait(descriptor, select.POLLIN)
    return os.read(descriptor, size)


def _write(descriptor: int, data: Any) -> int:
    _wait(descriptor, select.POLLOUT)
    return os.write(descriptor, memoryview(data)[:_CHUNK])


def _wait(descriptor: int, events: int) -> None:
    waiting = select.poll()
    waiting.register(descriptor, events)
    waiting.poll()


def _make_methods(lock: Any) -> None:
    lock.acquire = _acquirer(lock._semlock)
    lock.release = lock._semlock.release


def _enter(lock: Any) -> bool:
    return _acquirer(lock._semlock)()


def _acquirer(semaphore: Any) -> Callable[..., bool]:
    def acquire(block: bool = True, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while not semaphore.acquire(False):
            if not block or (deadline is not None and time.monotonic() >= deadline):
                return False
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return True

    return acquire
