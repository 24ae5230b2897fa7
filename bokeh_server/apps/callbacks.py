"""The callbacks that an application registers with its document."""

from __future__ import annotations

import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from bokeh.document import Document
from bokeh.document.locking import UnlockedDocumentProxy

from bokeh_server.apps.containing import contained
from bokeh_server.apps.coroutines import Coroutines, LoopStopped
from bokeh_server.apps.curdoc import call_with
from bokeh_server.apps.lock import DocumentLock
from bokeh_server.apps.schedule import Schedule, Task

if TYPE_CHECKING:
    from bokeh.server.callbacks import SessionCallback

__all__ = ["Callbacks", "Runner"]

log = logging.getLogger("bokeh_server")

MS = 0.001


class Runner:
    """Runs an application's functions, with the document's lock and as ``curdoc()`` wants it."""

    def __init__(self, document: Document, lock: DocumentLock, coroutines: Coroutines) -> None:
        self._document = document
        self._lock = lock
        self._coroutines = coroutines

    def locked(
        self, function: Callable[..., Any], *args: Any, patience: float | None = None
    ) -> Any:
        """Call a function, or wait for a coroutine, with the lock.

        :raises ApplicationUnavailable: it could not be had for so many seconds.
        """
        with self._lock.hold(patience):
            return call_with(self._document, contained, self._complete, function, args)

    def unlocked(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that said that it does not want the lock."""
        proxy = UnlockedDocumentProxy(self._document)
        return call_with(proxy, contained, self._complete, function, args)

    def callback(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function with the lock, unless it said that it does not want it."""
        call = self.unlocked if getattr(function, "nolock", False) else self.locked
        return call(function, *args)

    def _complete(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        result = function(*args)
        return self._coroutines.run(result) if inspect.isawaitable(result) else result


class Busy(Protocol):
    """Who is not to end while something of it runs."""

    def begin(self) -> bool:
        """Note that something runs; false: it has ended, and nothing may."""

    def end(self) -> None:
        """Note that it is done."""


class Callbacks:
    """The next-tick, timeout and periodic callbacks of one session.

    Those that run once and want the document's lock run one after the other, in the order in which
    they were due: a lock alone lets in whoever happens to come first.
    """

    def __init__(self, runner: Runner, schedule: Schedule, busy: Busy) -> None:
        self._runner = runner
        self._schedule = schedule
        self._busy = busy
        self._tasks: dict[str, Task] = {}
        self._due: deque[Callable[[], None]] = deque()
        self._draining = threading.Lock()
        self._closed = False

    def add(self, callback: SessionCallback) -> None:
        """Have it run, unless all is over; may be called by any thread."""
        if self._closed:
            return
        period, timeout = getattr(callback, "period", None), getattr(callback, "timeout", None)
        in_turn = period is None and not getattr(callback.callback, "nolock", False)
        if period is not None:
            work, delay = self._periodic(callback, period * MS), period * MS
        else:
            work, delay = self._once(callback, in_turn), (timeout or 0) * MS
        task = self._tasks[callback.id] = self._schedule.after(delay, work, quick=in_turn)
        self._schedule.add(task)

    def remove(self, callback: SessionCallback) -> None:
        """Let it run no more."""
        task = self._tasks.pop(callback.id, None)
        if task is not None:
            task.cancel()

    def remove_all(self) -> None:
        """Let none run any more, also of those that are added later."""
        self._closed = True
        while self._tasks:
            self._tasks.popitem()[1].cancel()

    def _once(self, callback: SessionCallback, in_turn: bool) -> Callable[[], float | None]:
        def work() -> None:
            if in_turn:
                self._soon(partial(self._take, callback))
            else:
                self._take(callback)

        return work

    def run_soon(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function with the lock, after what is due already; nobody waits for that."""
        self._soon(partial(self._run, partial(function, *args)))

    def _soon(self, work: Callable[[], None]) -> None:
        self._due.append(work)
        self._schedule.spawn(self._drain)

    def _drain(self) -> None:
        """Run what is due, unless somebody is at it, who then does it all."""
        while self._due and self._draining.acquire(blocking=False):
            try:
                while self._due:
                    self._due.popleft()()
            finally:
                self._draining.release()

    def _take(self, callback: SessionCallback) -> None:
        if self._tasks.pop(callback.id, None) is not None:
            self._run(callback.callback)

    def _periodic(self, callback: SessionCallback, period: float) -> Callable[[], float | None]:
        def work() -> float | None:
            due = self._schedule.now() + period
            self._run(callback.callback)
            return due if callback.id in self._tasks else None

        return work

    def _run(self, function: Callable[..., Any]) -> None:
        if not self._busy.begin():
            return
        try:
            self._runner.callback(function)
        except LoopStopped:
            log.debug("A callback of an application was not done when the server stopped")
        except Exception:
            log.exception("A callback of an application failed")
        finally:
            self._busy.end()
