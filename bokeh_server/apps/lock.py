"""The lock of a session's document, which may be held across the waits of a coroutine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bokeh_server.errors import ApplicationUnavailable

__all__ = ["DocumentLock"]

#: what the locks that this context holds were taken with.
_held: ContextVar[tuple[object, ...]] = ContextVar("bokeh_server_held", default=())


class DocumentLock:
    """One at a time changes a document; whoever has the lock may take it again.

    The lock belongs to a context: a coroutine has it in whatever thread it goes on,
    and a task that outlives who started it has it no longer.

    :param begin: called when it has been taken.
    :param end: called before it is given back.
    """

    __slots__ = ("_begin", "_end", "_holder", "_lock")

    def __init__(
        self, begin: Callable[[], None] = lambda: None, end: Callable[[], None] = lambda: None
    ) -> None:
        self._begin = begin
        self._end = end
        self._lock = threading.Lock()
        self._holder: object | None = None

    @property
    def is_mine(self) -> bool:
        """Whether whoever asks has it."""
        holder = self._holder
        return holder is not None and any(each is holder for each in _held.get())

    @contextmanager
    def hold(self, patience: float | None = None) -> Iterator[None]:
        """Take it, and give it back at the end.

        :param patience: seconds to wait for it; ``None``: as long as it takes.
        :raises ApplicationUnavailable: somebody had it all that time.
        """
        if self.is_mine:
            yield
            return
        holder = object()
        if not self._lock.acquire(timeout=-1 if patience is None else patience):
            why = f"a callback has been running in it for {patience:g} seconds"
            raise ApplicationUnavailable("use this session", why, "Try again when it is done")
        self._holder = holder
        token = _held.set((*_held.get(), holder))
        self._begin()
        try:
            yield
        finally:
            self._end()
            _held.reset(token)
            self._holder = None
            self._lock.release()
