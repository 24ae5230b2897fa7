"""Puts a sender right whose edits crossed with somebody else's, once it is quiet.

A viewer that sets an attribute while another's value is on its way to it ends with that older
value, though its own came later in the log. It is sent the newest value when it has made no
change for a moment: sooner, and a slider would jump back under the finger that drags it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from bokeh_server.documents.history import Key
from bokeh_server.documents.worker import Worker
from bokeh_server.errors import BokehServerError, ServerFault

__all__ = ["Settler"]

log = logging.getLogger(__name__)

#: one that appends rows without a pause is told them all the same, so often.
PATIENCE_SECONDS = 1.0
#: how long until another try where the database failed, or somebody held the document.
RETRY_SECONDS = 0.5


class Unsettled(Protocol):
    """A document of which a sender may show something else than is stored."""

    def put_right(self, origin: str, keys: Iterable[Key]) -> bool:
        """Send the newest values of ``keys`` to one follower.

        :returns: false when that has to be tried again, as others are busy with the document.
        """


class _Due:
    __slots__ = ("at", "keys", "latest")

    def __init__(self, latest: float) -> None:
        self.at = 0.0
        self.latest = latest
        self.keys: set[Key] = set()


class Settler(Worker):
    """Waits for senders to be quiet, in a thread that starts with the first edits that cross.

    :param quiet_seconds: a sender that made no change for so long is told the newest values.
    :param clock: gives seconds.
    """

    def __init__(self, quiet_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet_seconds = quiet_seconds
        self._clock = clock
        super().__init__("bokeh-server-settler")

    def _reset(self) -> None:
        super()._reset()
        self._due: dict[tuple[Unsettled, str], _Due] = {}

    def note(
        self, document: Unsettled, origin: str, crossed: Collection[Key], *, postponed: bool = True
    ) -> None:
        """Take note of a change that was committed, or refused; returns at once.

        :param crossed: the attributes of which the sender may show something else than is stored.
        :param postponed: the next one puts it off for as long as need be; rows cannot wait.
        """
        self._fork.check()
        if not crossed and (document, origin) not in self._due:
            return
        now = self._clock()
        with self._wakeup:
            due = self._due.get((document, origin))
            if due is None:
                due = self._due[document, origin] = _Due(now + PATIENCE_SECONDS)
            due.keys.update(crossed)
            due.at = now + self._quiet_seconds
            if not postponed:
                due.at = min(due.at, due.latest)
            self._start()
            self._wakeup.notify()

    def _run(self) -> None:
        while not self._closing:
            with self._wakeup:
                if not self._closing:
                    self._wakeup.wait(self._seconds_to_wait())
            self.settle()

    def settle(self) -> None:
        """Put right whose time has come."""
        for (document, origin), due in self._next():
            if not self._put_right(document, origin, due.keys):
                self._again(document, origin, due.keys)

    def _put_right(self, document: Unsettled, origin: str, keys: Iterable[Key]) -> bool:
        try:
            return document.put_right(origin, keys)
        except ServerFault as error:
            log.info("%s", error)
            return False
        except BokehServerError as error:
            log.info("%s", error)
        except Exception:
            log.exception("putting a sender right failed")
        return True

    def _again(self, document: Unsettled, origin: str, keys: Iterable[Key]) -> None:
        now = self._clock()
        with self._wakeup:
            # What was noted meanwhile goes with it.
            due = self._due.setdefault((document, origin), _Due(now + RETRY_SECONDS))
            due.keys.update(keys)
            due.at = max(due.at, now + RETRY_SECONDS)

    def _next(self) -> list[tuple[tuple[Unsettled, str], _Due]]:
        with self._wakeup:
            now = self._clock()
            ready = [(key, due) for key, due in self._due.items() if due.at <= now]
            for key, _ in ready:
                del self._due[key]
            return ready

    def _seconds_to_wait(self) -> float | None:
        earliest = min((due.at for due in self._due.values()), default=None)
        return None if earliest is None else max(0.0, earliest - self._clock())
