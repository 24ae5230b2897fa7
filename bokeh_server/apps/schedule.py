"""When callbacks of sessions run: on the next tick, after a time, or again and again.

One thread waits for all of them, and hands what is due to threads of its own.
It may be told of a callback by any thread, also by one of the system's that knows no greenlets:
nothing here takes a lock.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable

from bokeh_server.crew import Crew

__all__ = ["Schedule", "Task"]

log = logging.getLogger("bokeh_server")

#: seconds; nothing is waited for any longer at once.
LONGEST = 3600.0
#: tasks at which those that were cancelled are first looked for.
TIDY = 1000


class Task:
    """Something to be done at a time.

    :param work: what; what it gives, if anything, is when it is to be done again, in seconds of
        the clock.
    :param quick: it takes no time, so that the schedule itself does it, in order.
    :ivar cancelled: it is not to be done any more.
    """

    __slots__ = ("cancelled", "due", "quick", "work")

    def __init__(
        self, work: Callable[[], float | None], due: float, *, quick: bool = False
    ) -> None:
        self.work = work
        self.due = due
        self.quick = quick
        self.cancelled = False

    def cancel(self) -> None:
        """Do not do it, unless it has begun; nothing of it is held until it would have been due."""
        self.cancelled = True
        self.work = _nothing


def _nothing() -> None:
    """What is left of a task that was cancelled."""


class Schedule:
    """Does tasks when they are due; the thread starts at the first of them.

    :ivar now: the clock, in seconds.
    """

    def __init__(self) -> None:
        self.now = time.monotonic
        self._crew = Crew()
        self._new: deque[Task] = deque()
        self._heap: list[tuple[float, int, Task]] = []
        self._tidy_at = TIDY
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._reader, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin; doing it twice does no harm. To be called by a thread that may take a lock."""
        with self._lock:
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(
                    target=self._run, name="bokeh-schedule", daemon=True
                )
                self._thread.start()

    def add(self, task: Task) -> None:
        """Have something done; may be called by any thread."""
        self._new.append(task)
        self._wake()

    def after(self, delay: float, work: Callable[[], float | None], *, quick: bool = False) -> Task:
        """A task for so many seconds from now, which is still to be added."""
        return Task(work, self.now() + delay, quick=quick)

    def spawn(self, function: Callable[..., object], *args: object) -> None:
        """Do something at once, on another thread."""
        self._crew.submit(function, *args)

    def stop(self) -> None:
        """Do nothing more."""
        with self._lock:
            self._stopped = True
            thread, self._thread = self._thread, None
        self._wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(5.0)
        self._crew.stop()
        reader, writer = self._reader, self._writer
        self._reader = self._writer = -1
        self._selector.close()
        os.close(reader)
        os.close(writer)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full, so that it wakes anyway; or stopped
            os.write(self._writer, b"x")

    def _run(self) -> None:
        while not self._stopped:
            self._take_new()
            wait = self._start_due()
            if not self._new:
                self._selector.select(wait)
            with contextlib.suppress(OSError):
                os.read(self._reader, 4096)

    def _take_new(self) -> None:
        while self._new:
            task = self._new.popleft()
            heapq.heappush(self._heap, (task.due, next(self._order), task))
        if len(self._heap) > self._tidy_at:
            self._heap = [each for each in self._heap if not each[2].cancelled]
            heapq.heapify(self._heap)
            self._tidy_at = max(TIDY, 2 * len(self._heap))

    def _start_due(self) -> float:
        """Start what is due; how long it is to the next, in seconds."""
        now = self.now()
        while self._heap and self._heap[0][0] <= now:
            _, _, task = heapq.heappop(self._heap)
            if task.quick:
                self._do(task)
            elif not task.cancelled:
                self._crew.submit(self._do, task)
        return min(LONGEST, self._heap[0][0] - now) if self._heap else LONGEST

    def _do(self, task: Task) -> None:
        if task.cancelled or self._stopped:
            return
        try:
            again = task.work()
        except Exception:
            log.exception("A scheduled task failed")
            return
        if again is not None and not task.cancelled:
            task.due = again
            self._new.append(task)
            self._wake()
