"""How processes that share a database tell each other that a document has moved on.

A broker carries hints, never the only copy: whoever hears that a document has reached ``seq``
reads the changes it misses from the log.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

__all__ = ["Broker", "Heard", "MemoryBroker"]

log = logging.getLogger(__name__)

#: what a subscriber is called with: docid and the seq that its document has reached.
Heard = Callable[[str, int], None]


class Broker(Protocol):
    """Tell other processes, and hear from them, how far documents have come."""

    def publish(self, docid: str, seq: int) -> None:
        """Say that the document ``docid`` has reached ``seq``; never blocks for long."""

    def subscribe(self, callback: Heard) -> Callable[[], None]:
        """Call ``callback(docid, seq)`` for what others publish.

        :returns: the unsubscriber; calling it twice does no harm.
        """

    def close(self) -> None:
        """Stop; later calls of :meth:`publish` do nothing."""


class MemoryBroker:
    """The broker of a single process: subscribers are called by whoever publishes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: tuple[Heard, ...] = ()

    def publish(self, docid: str, seq: int) -> None:
        """Call every subscriber; one that fails is logged and does not stop the others."""
        for callback in self._callbacks:
            try:
                callback(docid, seq)
            except Exception:
                log.exception("A subscriber failed on document %s at change %d", docid, seq)

    def subscribe(self, callback: Heard) -> Callable[[], None]:
        """Add a subscriber and give its unsubscriber."""
        with self._lock:
            self._callbacks = (*self._callbacks, callback)

        def unsubscribe() -> None:
            with self._lock:
                self._callbacks = tuple(one for one in self._callbacks if one is not callback)

        return unsubscribe

    def close(self) -> None:
        """Forget every subscriber."""
        with self._lock:
            self._callbacks = ()
