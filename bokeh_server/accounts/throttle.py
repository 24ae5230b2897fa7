"""How often something may be tried."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import deque
from collections.abc import Callable

from bokeh_server.errors import TooMany

__all__ = ["Throttle", "place_of"]

#: keys that are remembered at most.
MOST = 10_000


class Throttle:
    """Lets somebody try something so often in so many seconds; counts in this process.

    :param attempts: how often.
    :param seconds: in any time of this length.
    :param clock: gives seconds.
    """

    def __init__(
        self, attempts: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._attempts = attempts
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._tries: dict[str, deque[float]] = {}

    def attempt(self, key: str, attempted: str) -> None:
        """Count an attempt.

        :param key: who tries, or at what.
        :raises TooMany: that is one too many; it is not counted.
        """
        now = self._clock()
        with self._lock:
            tries = self._recent(key, now)
            if len(tries) >= self._attempts:
                raise self._too_many(attempted, tries[0] + self._seconds - now)
            tries.append(now)

    def forget(self, key: str) -> None:
        """Begin anew: the attempt was a good one."""
        with self._lock:
            self._tries.pop(key, None)

    def _recent(self, key: str, now: float) -> deque[float]:
        if key not in self._tries and len(self._tries) >= MOST:
            self._drop_old(now)
        tries = self._tries.setdefault(key, deque())
        while tries and tries[0] <= now - self._seconds:
            tries.popleft()
        return tries

    def _drop_old(self, now: float) -> None:
        old = [key for key, tries in self._tries.items() if tries[-1] <= now - self._seconds]
        # Whoever uses so many names at once shall not have the memory, too.
        for key in old or list(self._tries)[: MOST // 2]:
            del self._tries[key]

    def _too_many(self, attempted: str, wait: float) -> TooMany:
        seconds = max(1, math.ceil(wait))
        why = f"it was tried {self._attempts} times within {self._seconds:g} seconds"
        return TooMany(attempted, why, f"Try again in {seconds} seconds", seconds)


def place_of(address: str) -> str:
    """Where a request comes from, for who tries how often: of IPv6 the network of one customer.

    Whoever has one such address has all of its network, 2 to the power of 64 of them.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
