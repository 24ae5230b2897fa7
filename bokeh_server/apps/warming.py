"""Sessions that are made ahead, so that the first page of a browser need not wait for a script."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from bokeh_server.apps.contexts import AppSessionContext
from bokeh_server.apps.schedule import Schedule
from bokeh_server.apps.session import AppSession
from bokeh_server.errors import ServerFault

__all__ = ["Made", "WarmSessions"]

log = logging.getLogger("bokeh_server")

Made = tuple[AppSession, AppSessionContext]

#: seconds for which a session is kept for somebody: what its script read grows old.
KEEP_SECONDS = 300.0
#: seconds until the next one is made, so that whoever took one is answered before.
PAUSE_SECONDS = 0.2


class WarmSessions:
    """So many sessions of an application that nobody has asked for yet.

    They are made with a request that is nobody's. An application that looks at it while it is made
    gets none ahead.

    :param make: makes one.
    :param discard: lets go of one that nobody wants.
    """

    def __init__(
        self,
        path: str,
        count: int,
        make: Callable[[], Made],
        discard: Callable[[Made], None],
        schedule: Schedule,
    ) -> None:
        self._path = path
        self._count = count
        self._make = make
        self._discard = discard
        self._schedule = schedule
        self._lock = threading.Lock()
        self._ready: deque[tuple[float, Made]] = deque()
        self._filling = False
        self._cannot = count == 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ready)

    def take(self) -> Made | None:
        """One of them, or ``None``; another takes its place later."""
        self.discard_old()
        with self._lock:
            made = self._ready.popleft()[1] if self._ready else None
        self.fill_later(PAUSE_SECONDS)
        return made

    def fill_later(self, seconds: float = 0.0) -> None:
        """Make what is missing, in so many seconds."""
        with self._lock:
            if self._filling or self._cannot or len(self._ready) >= self._count:
                return
            self._filling = True
        self._schedule.add(self._schedule.after(seconds, self._fill))

    def discard_old(self) -> None:
        """Let go of those whose scripts ran too long ago."""
        oldest = self._schedule.now() - KEEP_SECONDS
        while True:
            with self._lock:
                if not self._ready or self._ready[0][0] > oldest:
                    return
                _, made = self._ready.popleft()
            self._schedule.spawn(self._discard, made)
            self.fill_later()

    def close(self) -> None:
        """Let go of all, and make no more."""
        with self._lock:
            self._cannot = True
            left, self._ready = self._ready, deque()
        for _, made in left:
            self._discard(made)

    def _fill(self) -> float | None:
        """Make one; when the next is to be made."""
        made = self._made()
        with self._lock:
            unwanted = made is not None and self._cannot
            if made is not None and not unwanted:
                self._ready.append((self._schedule.now(), made))
            self._filling = made is not None and len(self._ready) < self._count
            self._filling = self._filling and not unwanted
            go_on = self._filling
        if made is not None and unwanted:
            self._discard(made)
        return self._schedule.now() + PAUSE_SECONDS if go_on else None

    def _made(self) -> Made | None:
        try:
            made = self._make()
        except ServerFault:
            return None  # whoever opens it is told, and then it is tried again
        except Exception:
            log.exception("A session of the application %s could not be made ahead", self._path)
            return None
        if not made[1].was_asked:
            return made
        with self._lock:
            self._cannot = True
        log.warning(
            "The application %s looks at %s while a session is made: none is made ahead",
            self._path,
            made[1].was_asked,
        )
        self._discard(made)
        return None
