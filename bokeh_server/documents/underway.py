"""The changes of one document that are on their way to the log."""

from __future__ import annotations

import threading

from bokeh_server.documents.committer import Pending

__all__ = ["Underway"]


class Underway:
    """Counts them, finds them by their keys, and waits until there are none.

    It has a lock of its own, as the committer settles changes while the document's is held.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._by_key: dict[str, Pending] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self._count > 0

    def add(self, pending: Pending) -> None:
        """Take note of one."""
        with self._changed:
            self._count += 1
            if pending.change.key is not None:
                self._by_key[pending.change.key] = pending

    def remove(self, pending: Pending) -> None:
        """Take note that one is settled, or never went."""
        with self._changed:
            self._count -= 1
            if pending.change.key is not None:
                self._by_key.pop(pending.change.key, None)
            if not self._count:
                self._changed.notify_all()

    def find(self, key: str) -> Pending | None:
        """The one that has an idempotency key."""
        return self._by_key.get(key)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until there are none.

        :param seconds: no longer than this.
        :returns: whether there are none.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._count, seconds)
