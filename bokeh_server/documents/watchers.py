"""Who wants to hear of every document."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

__all__ = ["Watchers"]

log = logging.getLogger(__name__)

Callback = Callable[[str, str], None]


class Watchers:
    """Callbacks, called with a docid and what happened to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: dict[object, Callback] = {}
        self._all: tuple[Callback, ...] = ()

    def add(self, callback: Callback) -> Callable[[], None]:
        """Call ``callback`` from now on; what is returned ends that."""
        token = object()
        self._change(lambda: self._callbacks.update({token: callback}))
        return lambda: self._change(lambda: self._callbacks.pop(token, None))

    def _change(self, change: Callable[[], object]) -> None:
        with self._lock:
            change()
            self._all = tuple(self._callbacks.values())

    def notify(self, docid: str, what: str) -> None:
        """Tell everybody; one that fails is logged and stops nobody."""
        for callback in self._all:
            try:
                callback(docid, what)
            except Exception:
                log.exception("a watcher failed on document %s (%s)", docid, what)
