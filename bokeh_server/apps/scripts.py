"""Scripts run one after the other: with the process's own path, arguments and working directory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import bokeh.io
from bokeh.application.handlers.code import CodeHandler

__all__ = ["SCRIPTS", "Turns", "bokehs_names_kept"]


class Turns:
    """A lock for what takes some time; who waits minds how long one takes, not how many come."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._began: float | None = None

    def begin(self, patience: float) -> bool:
        """Wait for one's turn; false: one and the same has had it for so many seconds."""
        while True:
            began, now = self._began, time.monotonic()
            if self._lock.acquire(timeout=max(0.0, (began or now) + patience - now)):
                self._began = time.monotonic()
                return True
            if began is not None and self._began == began:
                return False

    def end(self) -> None:
        """Give it to somebody else."""
        self._began = None
        self._lock.release()


#: those of this process.
SCRIPTS = Turns()


@contextmanager
def bokehs_names_kept() -> Iterator[None]:
    """Give functions of ``bokeh.io`` their names back, which scripts find as ones that do nothing.

    Bokeh does so itself, unless a script ends by what is no :exc:`Exception`.
    """
    kept = {name: getattr(bokeh.io, name) for name in CodeHandler._io_functions}
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(bokeh.io, name, function)
