"""The event loop on which coroutines of applications run, in a thread of its own.

Under gevent the thread is a greenlet. asyncio keeps the running loop for each native thread,
so that every greenlet would believe to be in this loop; therefore it is not said to run
while it waits.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import inspect
import logging
import math
import selectors
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

__all__ = ["Coroutines", "LoopStopped", "run_apart"]

T = TypeVar("T")

log = logging.getLogger("bokeh_server")

#: seconds between two looks at whether the loop that a result is to come from is there still.
LOOK_SECONDS = 1.0
#: how long coroutines may take to end when they are cancelled, in seconds.
END_SECONDS = 2.0


class LoopStopped(RuntimeError):
    """The server was stopped before a coroutine was done."""

    def __init__(self) -> None:
        super().__init__("the server was stopped before a coroutine was done")


class Coroutines:
    """Runs coroutines; the thread starts at the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, awaitable: Awaitable[T], seconds: float | None = None) -> T:
        """Run a coroutine, and wait until it is done; others run meanwhile.

        :param seconds: how long it may take; ``None``: as long as it wants.
        :raises TimeoutError: it took longer, and was cancelled.
        :raises RuntimeError: this is the loop's own thread.
        :raises LoopStopped: it was stopped meanwhile.
        """
        if self.is_here:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise RuntimeError("a coroutine has to await others, not call what waits for one")
        loop = self.loop
        future = asyncio.run_coroutine_threadsafe(_wait(awaitable), loop)
        until = math.inf if seconds is None else time.monotonic() + seconds
        look = min(LOOK_SECONDS, seconds or LOOK_SECONDS)
        while not concurrent.futures.wait([future], look).done:
            if loop.is_closed():
                future.cancel()
                raise LoopStopped
            if time.monotonic() >= until:
                future.cancel()
                raise TimeoutError(f"a coroutine took longer than {seconds:g} seconds")
        try:
            return future.result()
        except concurrent.futures.CancelledError as error:
            if self._loop is loop:  # somebody else cancelled it
                raise
            raise LoopStopped from error

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.SelectorEventLoop(_Selector())
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="bokeh-coroutines", daemon=True
                )
                self._thread.start()
            return self._loop

    @property
    def is_here(self) -> bool:
        """Whether this is its thread, in which nobody may wait for a coroutine."""
        return self._thread is threading.current_thread()

    @property
    def is_awaited(self) -> bool:
        """Whether a coroutine asks, of this loop or another, which must wait by ``await`` alone."""
        running = asyncio._get_running_loop()
        # Greenlets that run while a coroutine of ours blocks are not in its loop.
        return running is not None and (running is not self._loop or self.is_here)

    def stop(self) -> None:
        """Cancel what runs, and end."""
        with self._lock:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(loop.stop)
            thread.join(5.0)


async def _wait(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        _run(loop)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=END_SECONDS))
    finally:
        loop.close()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Run until somebody stops it, which no task can do: who waits for that is told of its exit."""
    while True:
        try:
            return loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            log.exception("A coroutine of an application would have ended the server")


async def run_apart(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function that waits, in a thread of its own.

    All threads of the loop's executor may be taken by those who wait for the same, and what they
    wait for may need one.
    """
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()
    call = (future, contextvars.copy_context(), function, args)
    threading.Thread(target=_settle, args=call, name="bokeh-waiting", daemon=True).start()
    return await asyncio.wrap_future(future)


def _settle(
    future: concurrent.futures.Future[Any],
    context: contextvars.Context,
    function: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    try:
        future.set_result(context.run(function, *args))
    except BaseException as error:
        future.set_exception(error)


class _Selector(selectors.DefaultSelector):
    """Lets go of the loop's name while it waits."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait."""
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            found: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
            return found
        finally:
            asyncio._set_running_loop(running)
