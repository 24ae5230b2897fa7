"""The event loop on which coroutines of applications run, in a thread of its own.

Under gevent the thread is a greenlet. asyncio keeps the running loop for each native thread,
so that every greenlet would believe to be in this loop; therefore it is not said to run
while it waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import threading
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["Coroutines"]

T = TypeVar("T")


class Coroutines:
    """Runs coroutines; the thread starts at the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, awaitable: Awaitable[T]) -> T:
        """Run a coroutine, and wait until it is done; others run meanwhile."""
        future = asyncio.run_coroutine_threadsafe(_wait(awaitable), self.loop)
        return future.result()

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

    def stop(self) -> None:
        """Cancel what runs, and end."""
        with self._lock:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(5.0)


async def _wait(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        with contextlib.suppress(Exception):
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        loop.close()


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
