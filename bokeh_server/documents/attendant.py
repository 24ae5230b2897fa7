"""What the threads have in common that look after documents."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable

from bokeh_server.documents.live import LiveDocument
from bokeh_server.documents.worker import Worker
from bokeh_server.errors import BokehServerError

__all__ = ["Attendant", "Clock"]

log = logging.getLogger(__name__)


class Clock:
    """Strikes every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.due = time.monotonic() + seconds

    def strikes(self) -> bool:
        """Whether it is time; then the next time is set."""
        now = time.monotonic()
        if now < self.due:
            return False
        self.due = now + self._seconds
        return True


class Attendant(Worker):
    """Looks at documents when it is told to, and now and then at all.

    :param seconds: how often.
    """

    def __init__(self, name: str, seconds: float) -> None:
        self._seconds = seconds
        super().__init__(name)

    def _reset(self) -> None:
        super()._reset()
        self._clock = Clock(self._seconds)
        self._errands: dict[LiveDocument, None] = {}

    def start(self) -> None:
        """Start the thread unless it runs."""
        self._fork.check()
        with self._wakeup:
            self._start()

    def look_at(self, document: LiveDocument) -> None:
        """Look at a document soon; returns at once."""
        with self._wakeup:
            self._errands[document] = None
            self._wakeup.notify()

    @abstractmethod
    def _mind(self, document: LiveDocument) -> None:
        """Do what a document needs now."""

    @abstractmethod
    def _look_round(self) -> None:
        """Do what is done now and then."""

    def _run(self) -> None:
        while not self._closing:
            for document in self._next():
                self._attempt(document, self._mind)
            if self._clock.strikes():
                self._look_round()

    def _next(self) -> list[LiveDocument]:
        with self._wakeup:
            if not self._errands and not self._closing:
                self._wakeup.wait(max(0.0, self._clock.due - time.monotonic()))
            errands, self._errands = self._errands, {}
            return list(errands)

    def _attempt(self, document: LiveDocument, action: Callable[[LiveDocument], None]) -> None:
        if self._closing:
            return
        try:
            action(document)
        except BokehServerError as error:
            log.warning("%s", error)
        except Exception:
            log.exception("looking after document %s failed", document.docid)
