"""Answers of the database that every request needs, remembered for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from bokeh_server.errors import ServerFault

__all__ = ["Remembered"]

#: how long an answer may be used while another process may have changed it, in seconds.
LIFETIME_SECONDS = 1.0
MOST = 10_000

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Asks at most once a second for each key.

    What this process changes is to be forgotten at once; an answer that was on its way meanwhile
    is not kept.

    :param read: asks the database; ``None`` is not remembered, and ends what was.
    """

    def __init__(self, read: Callable[[K], V | None]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known: dict[K, tuple[V, float]] = {}
        self._forgotten = 0

    def get(self, key: K) -> V | None:
        """The answer, at most a second old, or, while the database is lost, the last known."""
        known = self._known.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        forgotten = self._forgotten
        try:
            found = self._read(key)
        except ServerFault:
            known = self._known.get(key)  # it may be forgotten by now
            if known is None:
                raise
            return known[0]
        if found is not None:
            self._keep(key, found, forgotten)
        elif known is not None:
            with self._lock:
                self._known.pop(key, None)
        return found

    def _keep(self, key: K, found: V, forgotten: int) -> None:
        with self._lock:
            if forgotten != self._forgotten:
                return
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (found, time.monotonic() + LIFETIME_SECONDS)

    def forget(self, key: K) -> None:
        """Ask again about one key."""
        with self._lock:
            self._forgotten += 1
            self._known.pop(key, None)

    def forget_all(self) -> None:
        """Ask again about everything."""
        with self._lock:
            self._forgotten += 1
            self._known.clear()
