"""What a process must not share with the one it was forked from."""

from __future__ import annotations

import os
from _queue import SimpleQueue
from collections.abc import Callable

__all__ = ["ForkGuard"]


class ForkGuard:
    """Makes something afresh in a forked process, at its first use there.

    :param renew: makes it; called now, and once in every child. It must not wait.
    """

    def __init__(self, renew: Callable[[], None]) -> None:
        self._renew = renew
        # A lock that is one for greenlets and native threads alike: who has the token may go on.
        self._token: SimpleQueue[None] = SimpleQueue()
        self._token.put(None)
        self._pid = os.getpid()
        renew()

    @property
    def is_ours(self) -> bool:
        """Whether what there is was made by this process."""
        return self._pid == os.getpid()

    def check(self) -> None:
        """Make it afresh if this is a child."""
        if self.is_ours:
            return
        self._token.get()
        try:
            if not self.is_ours:
                self._renew()
                self._pid = os.getpid()
        finally:
            self._token.put(None)
