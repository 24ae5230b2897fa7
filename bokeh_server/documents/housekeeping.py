"""The thread that does what nobody waits for: snapshots, compaction, idle documents, hints."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from bokeh_server.blocking import run_blocking
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.live import LiveDocument
from bokeh_server.documents.worker import Worker
from bokeh_server.errors import BokehServerError
from bokeh_server.storage import Store

__all__ = ["Housekeeper"]

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


class Housekeeper(Worker):
    """Looks after the documents in memory, in a thread of its own.

    :param loaded: gives the documents in memory.
    :param unload: takes one out of memory when it is still idle.
    :param heard: is told the last change of a document that another process has written.
    :param gone: is told of a document that another process has deleted.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        loaded: Callable[[], Iterable[LiveDocument]],
        unload: Callable[[LiveDocument], None],
        heard: Callable[[str, int], None],
        gone: Callable[[str], None],
    ) -> None:
        self._store = store
        self._limits = limits
        self._loaded = loaded
        self._unload = unload
        self._heard = heard
        self._gone = gone
        super().__init__("bokeh-server-housekeeper")

    def _reset(self) -> None:
        super()._reset()
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

    def close(self) -> None:
        """Stop, after what it is doing."""
        super().close()

    def _run(self) -> None:
        limits = self._limits
        inspect, watch = Clock(limits.housekeeping_seconds), Clock(limits.watch_seconds)
        while not self._closing:
            for document in self._next(min(inspect.due, watch.due)):
                self._attempt(self._mind, document)
            if watch.strikes():
                self._watch()
            if inspect.strikes():
                for document in list(self._loaded()):
                    self._attempt(self._inspect, document)

    def _next(self, due: float) -> list[LiveDocument]:
        with self._wakeup:
            if not self._errands and not self._closing:
                self._wakeup.wait(max(0.0, due - time.monotonic()))
            errands, self._errands = self._errands, {}
            return list(errands)

    def _attempt(self, action: Callable[[LiveDocument], None], document: LiveDocument) -> None:
        if self._closing:
            return
        try:
            action(document)
        except BokehServerError as error:
            log.warning("%s", error)
        except Exception:
            log.exception("looking after document %s failed", document.docid)

    def _watch(self) -> None:
        documents = list(self._loaded())
        if not documents:
            return
        known = {document.docid: document.seq for document in documents}
        try:
            heads = run_blocking(self._store.documents.heads, list(known))
        except BokehServerError as error:
            log.debug("%s", error)  # whoever writes or opens a document says so louder
            return
        for document in documents:
            if document.docid not in heads:
                self._gone(document.docid)
                continue
            head, created = heads[document.docid]
            if document.contradicts(head, created, known[document.docid]):
                document.doubt()
                self.look_at(document)
            elif head > document.head:
                self._heard(document.docid, head)

    def _mind(self, document: LiveDocument) -> None:
        if document.behind or document.doubtful:
            document.follow_log()
        if document.snapshot_due and document.snapshot():
            self._compact(document)

    def _inspect(self, document: LiveDocument) -> None:
        if document.stale and document.channel.followers and not document.deleted:
            document.load()
        idle = document.idle_since
        if idle is not None and time.monotonic() - idle >= self._limits.idle_seconds:
            if document.snapshot():
                self._compact(document)
            self._unload(document)

    def _compact(self, document: LiveDocument) -> None:
        """Delete the changes and snapshots that need not be kept; a little at a time."""
        if time.monotonic() - document.compacted < self._limits.compact_seconds:
            return
        document.compacted = time.monotonic()
        docid, store = document.docid, self._store
        before = datetime.now(UTC) - self._limits.keep_time
        up_to = document.seq - self._limits.keep_changes
        base = run_blocking(store.snapshots.retire, docid, up_to, before)
        self._in_slices(store.changes.forget, docid, base)
        self._in_slices(store.snapshots.sweep, docid)

    def _in_slices(self, forget: Callable[..., int], *what: object) -> None:
        while not self._closing and run_blocking(forget, *what, SLICE) == SLICE:
            pass


#: rows deleted in one transaction, which other writers wait for.
SLICE = 500
