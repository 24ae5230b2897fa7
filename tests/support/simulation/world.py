"""Simulated time, and lines on which messages take it."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

__all__ = ["Line", "World"]


class World:
    """A clock, and what happens at which time.

    :ivar now: seconds since the beginning.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        #: is called after everything that happens.
        self.after: Callable[[], None] = lambda: None

    def time(self) -> float:
        """The clock."""
        return self.now

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something happen."""
        heapq.heappush(self._events, (max(when, self.now), next(self._numbers), what))

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen in so many seconds."""
        self.at(self.now + seconds, what)

    def run(self, until: float) -> None:
        """Let everything happen that is due until then."""
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
            self.after()
        self.now = until

    @property
    def is_quiet(self) -> bool:
        """Whether nothing more will happen by itself."""
        return not self._events


class Line:
    """One direction of a connection: what is sent arrives in order, some time later.

    :param slowest: seconds that a message takes at most.
    :param window: how many bytes may be on their way.
    """

    def __init__(self, world: World, slowest: float, window: int = 1 << 30) -> None:
        self._world = world
        self._slowest = slowest
        self._window = window
        self._last = 0.0
        self._on_its_way = 0
        self.cut = False
        self.drained: Callable[[], None] = lambda: None

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be sent now."""
        return self._on_its_way >= self._window

    def send(self, size: int, arrive: Callable[[], None]) -> None:
        """Send something; nothing arrives on a line that was cut."""
        delay = self._world.dice.random() ** 3 * self._slowest
        self._last = max(self._last, self._world.now + delay)
        self._on_its_way += size

        def come() -> None:
            self._on_its_way -= size
            if not self.cut:
                arrive()
                self.drained()

        self._world.at(self._last, come)
