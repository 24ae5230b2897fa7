"""Threads for what may block: as many as there is to do at once, within bounds.

A handler waits for its change to be committed, so whoever would use few threads for many
connections could commit only a few changes together, and would keep everybody else from being read.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Crew"]

log = logging.getLogger(__name__)

MOST = 256
#: a thread that had nothing to do for so long ends.
IDLE_SECONDS = 10.0

Task = tuple[Callable[..., object], tuple[object, ...]]


class Crew:
    """Runs tasks, each on a thread of its own while there are fewer than ``most``.

    :param most: so many threads at most; further tasks wait, in order.
    :param idle: seconds.
    :ivar idle: how many threads have nothing to do.
    """

    def __init__(self, most: int = MOST, idle: float = IDLE_SECONDS) -> None:
        self._most = most
        self._idle_seconds = idle
        self._tasks: deque[Task] = deque()
        self._wakeup = threading.Condition()
        self._threads = 0
        self.idle = 0
        self._stopped = False

    def __len__(self) -> int:
        """How many threads there are."""
        return self._threads

    @property
    def is_busy(self) -> bool:
        """Whether there is something that is not done yet."""
        return bool(self._tasks) or self.idle < self._threads

    def submit(self, function: Callable[..., object], *args: object) -> None:
        """Have a task run; after :meth:`stop` it does not."""
        with self._wakeup:
            if self._stopped:
                return
            self._tasks.append((function, args))
            if self.idle >= len(self._tasks):
                self._wakeup.notify()
                return
            if self._threads >= self._most:
                return
            self._threads += 1
        self._start()

    def stop(self) -> None:
        """Take no more tasks; those that were taken are done."""
        with self._wakeup:
            self._stopped = True
            self._wakeup.notify_all()

    def _start(self) -> None:
        try:
            threading.Thread(target=self._run, name="bokeh-socket", daemon=True).start()
        except RuntimeError:  # the system has no more threads: those that are there must do
            with self._wakeup:
                self._threads -= 1
            log.warning("A thread could not be started; there are %d", len(self))

    def _run(self) -> None:
        try:
            while (task := self._next()) is not None:
                _do(*task)
                del task  # nothing of it is held while this thread waits
        except BaseException:  # this thread ends, and is not to be counted any more
            with self._wakeup:
                self._threads -= 1
            raise

    def _next(self) -> Task | None:
        """Wait for a task; ``None``: the thread ends."""
        with self._wakeup:
            self.idle += 1
            self._wakeup.wait_for(lambda: self._tasks or self._stopped, self._idle_seconds)
            self.idle -= 1
            if self._tasks:
                return self._tasks.popleft()
            self._threads -= 1
            return None


def _do(function: Callable[..., object], args: tuple[object, ...]) -> None:
    try:
        function(*args)
    except Exception:
        log.exception("A task failed")
