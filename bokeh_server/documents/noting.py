"""Notes what happens again and again, once in a while, out of the way of whoever does it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from bokeh_server.blocking import run_blocking
from bokeh_server.documents.worker import Worker
from bokeh_server.errors import BokehServerError
from bokeh_server.storage import DocumentStore, EventStore, NewEvent

__all__ = ["Noter"]

log = logging.getLogger(__name__)

#: what somebody did to what: the same is noted once in a while.
Deed: TypeAlias = tuple[str, str, str | None]

#: deeds that are remembered, and events that wait to be written, at most.
MOST_DEEDS, MOST_WAITING = 10_000, 1000
#: changes of somebody to a document are one event in so many seconds.
CHANGES_SECONDS = 600.0
#: so many events of one actor in so many seconds are noted one by one.
MOST_EVENTS, SECONDS = 2000, 600.0


class Noter(Worker):
    """Writes events from a thread of its own, a group at a time.

    :param events: where they are kept.
    :param documents: tells whose a document is that was changed.
    """

    def __init__(self, events: EventStore, documents: DocumentStore) -> None:
        self._events = events
        self._documents = documents
        super().__init__("bokeh-server-noter")

    def _reset(self) -> None:
        super()._reset()
        self._lock = threading.Lock()
        #: of those who are nobody, and of those who are known; the oldest first.
        self._until: tuple[dict[Deed, float], dict[Deed, float]] = ({}, {})
        self._places: dict[tuple[str, str], tuple[str, str]] = {}
        self._counts: dict[str, tuple[float, int]] = {}
        self._waiting: deque[NewEvent] = deque()

    def is_due(self, deed: Deed, seconds: float) -> bool:
        """Whether this was not asked in so many seconds; costs nothing where it was."""
        now = time.monotonic()
        # Whoever is nobody makes up as many deeds as they like, and shall crowd out no other's.
        until = self._until[bool(deed[1]) and deed[0] != "refused"]
        if until.get(deed, 0.0) > now:
            return False
        with self._lock:
            if until.get(deed, 0.0) > now:
                return False
            until.pop(deed, None)
            while len(until) >= MOST_DEEDS:
                until.pop(next(iter(until)))
            until[deed] = now + seconds
        return True

    def expect(self, actor: str, docid: str, via: str, address: str) -> None:
        """Remember what somebody is known by who may change a document now, and from where."""
        if self._places.get((actor, docid)) == (via, address):
            return
        with self._lock:
            if len(self._places) >= MOST_DEEDS:
                self._places.clear()
            self._places[actor, docid] = via, address

    def changed(self, authors: Iterable[tuple[str, str]]) -> None:
        """Note that changes were committed, each of a document by somebody."""
        for docid, actor in authors:
            if self.is_due(("change", actor, docid), CHANGES_SECONDS):
                via, address = self._places.get((actor, docid), ("", ""))
                self.soon(NewEvent("change", actor, via, address, docid))

    def allows(self, actor: str) -> bool:
        """Whether one more event of somebody may be kept, for nobody shall fill the disk."""
        now = time.monotonic()
        with self._lock:
            ends, count = self._counts.get(actor, (0.0, 0))
            if ends <= now:
                ends, count = now + SECONDS, 0
                if len(self._counts) >= MOST_DEEDS:
                    self._counts.clear()
            self._counts[actor] = ends, count + 1
        if count == MOST_EVENTS:
            log.warning("%r did %d things of late: what follows is not noted", actor, count)
        return count < MOST_EVENTS

    def soon(self, event: NewEvent) -> None:
        """Write an event in a moment; returns at once."""
        self._fork.check()
        with self._wakeup:
            if self._closing or len(self._waiting) >= MOST_WAITING:
                return
            self._waiting.append(event)
            self._start()
            self._wakeup.notify()

    def _run(self) -> None:
        while group := self._take():
            self._write(group)

    def _take(self) -> list[NewEvent]:
        with self._wakeup:
            while not self._waiting and not self._closing:
                self._wakeup.wait()
            group = list(self._waiting)
            self._waiting.clear()
            return group

    def _write(self, group: list[NewEvent]) -> None:
        for write, events in (
            (self._add, [each for each in group if each.action != "refused"]),
            (self._add_refused, [each for each in group if each.action == "refused"]),
        ):
            if events:
                self._attempt(write, events)

    def _add(self, events: list[NewEvent]) -> None:
        run_blocking(self._events.add, [self._owned(event) for event in events])

    def _owned(self, event: NewEvent) -> NewEvent:
        if event.docid is None or event.owner is not None:
            return event
        record = run_blocking(self._documents.get, event.docid)
        return event if record is None else replace(event, owner=record.owner, title=record.title)

    def _add_refused(self, events: list[NewEvent]) -> None:
        # Whether there is such an account is looked up here, where nobody can time it.
        for event in events:
            run_blocking(self._events.add_known, event)

    def _attempt(self, write: Callable[[list[NewEvent]], None], events: list[NewEvent]) -> None:
        try:
            write(events)
        except BokehServerError as error:
            log.warning("%d events were not noted: %s", len(events), error)
        except Exception:
            log.exception("noting %d events failed", len(events))
