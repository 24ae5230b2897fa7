"""A thread that runs while somebody follows, and costs nothing while nobody does."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

__all__ = ["Followed"]


class Followed(ABC):
    """What the feed, the bars of open pages and the rechecks have in common.

    The thread ends, and is forgotten, with ``_changed`` held: whoever follows next starts another.

    :param name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @abstractmethod
    def _is_followed(self) -> bool:
        """Whether anybody follows; asked with ``_changed`` held."""

    @abstractmethod
    def _turn(self) -> None:
        """Wait for something to do, but no longer than somebody follows, and do it."""

    @abstractmethod
    def _forget(self) -> None:
        """Forget everybody who follows; called with ``_changed`` held."""

    def _rest(self) -> None:  # noqa: B027 - most have nothing to do then
        """Nobody follows any more; called with ``_changed`` held."""

    def _start(self) -> None:
        """Start the thread unless it runs; called with ``_changed`` held."""
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _pause(self, seconds: float) -> None:
        """Wait so long, but no longer than somebody follows."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_followed(), seconds)

    def close(self) -> None:
        """Stop for good."""
        with self._changed:
            self._closed = True
            self._forget()
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self._goes_on():
                self._turn()
        finally:
            with self._changed:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _goes_on(self) -> bool:
        with self._changed:
            if self._is_followed():
                return True
            self._thread = None
            self._rest()
            return False
