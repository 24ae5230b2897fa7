"""What a process must not share with the one it was forked from."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

__all__ = ["ForkGuard"]


class ForkGuard:
    """Makes something afresh in a forked process, at its first use there.

    :param renew: makes it; called now, and once in every child.
    """

    def __init__(self, renew: Callable[[], None]) -> None:
        self._renew = renew
        self._lock = threading.Lock()
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
        with self._lock:
            if not self.is_ours:
                self._renew()
                self._pid = os.getpid()
