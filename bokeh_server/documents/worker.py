"""A thread of the engine: started with its first work, made afresh in a forked process."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

from bokeh_server.storage.forks import ForkGuard

__all__ = ["Worker"]


class Worker(ABC):
    """What the committer, the housekeeper and the settler have in common.

    Attributes that ``_reset`` or ``_run`` need are set before this is constructed.

    :param name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._closing = False
        self._fork = ForkGuard(self._reset)

    def _reset(self) -> None:
        """Begin with nothing to do and no thread, as every process does."""
        self._wakeup = threading.Condition()
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        """Start the thread unless it runs; called with ``_wakeup`` held."""
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    @abstractmethod
    def _run(self) -> None:
        """Work until ``_closing``."""

    def close(self) -> None:
        """Have the thread end, and wait for that; the committer writes what waits before."""
        self._fork.check()
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
            thread = self._thread
        if thread is not None:
            thread.join()
