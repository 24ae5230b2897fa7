"""Who may still use the applications that they have open: logins end while sockets are open."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Protocol

from bokeh_server.apps.schedule import Schedule
from bokeh_server.errors import ServerFault
from bokeh_server.sockets.bokeh_handler import LAPSED
from bokeh_server.sockets.connection import Connection

__all__ = ["Guard", "Permits"]

log = logging.getLogger("bokeh_server")

#: seconds between two looks.
INTERVAL = 2.0


class Guard(Protocol):
    """Knows by what people were let in: in this process, or by asking another."""

    def lapsed(self, permits: Collection[str]) -> list[str]:
        """Those of these permits that are good no more.

        :param permits: words of the guard's own, given with each connection.
        :raises ServerFault: it cannot be told now.
        """


class Permits:
    """The connections of people whose login may end, looked after together every few seconds.

    :param interval: seconds.
    """

    def __init__(self, guard: Guard, schedule: Schedule, interval: float = INTERVAL) -> None:
        self._guard = guard
        self._schedule = schedule
        self._interval = interval
        self._lock = threading.Lock()
        self._open: dict[str, set[Connection]] = {}
        self._looking = False

    def join(self, permit: str, connection: Connection) -> Callable[[], None]:
        """Look after a connection; gives what is to be called when it is no more."""
        with self._lock:
            self._open.setdefault(permit, set()).add(connection)
            begins = not self._looking
            self._looking = True
        if begins:
            self._schedule.add(self._schedule.after(self._interval, self._look))
        return lambda: self._leave(permit, connection)

    def _leave(self, permit: str, connection: Connection) -> None:
        with self._lock:
            found = self._open.get(permit, set())
            found.discard(connection)
            if not found:
                self._open.pop(permit, None)

    def _look(self) -> float | None:
        with self._lock:
            permits = list(self._open)
            self._looking = bool(permits)
        if not permits:
            return None
        for permit in self._lapsed(permits):
            self._end(permit)
        return self._schedule.now() + self._interval

    def _lapsed(self, permits: list[str]) -> list[str]:
        try:
            return self._guard.lapsed(permits)
        except ServerFault as error:
            log.debug("%s", error)  # nobody is sent away because the database is
        except Exception:
            log.exception("Who may use applications could not be checked")
        return []

    def _end(self, permit: str) -> None:
        with self._lock:
            connections = self._open.pop(permit, set())
        for each in connections:
            each.close(LAPSED, "who opened it may use this application no more")
