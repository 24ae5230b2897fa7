"""The thread that does what nobody waits for: snapshots, compaction, idle documents."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from bokeh_server.blocking import run_blocking
from bokeh_server.documents.attendant import Attendant, Clock
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.live import LiveDocument
from bokeh_server.errors import BokehServerError
from bokeh_server.storage import DocumentRecord, Store

__all__ = ["Housekeeper"]

log = logging.getLogger(__name__)


class Housekeeper(Attendant):
    """Looks after the documents in memory, and what is stored of them.

    :param loaded: gives the documents in memory.
    :param unload: takes one out of memory when it is still idle.
    :param bring_in: gives a document, loaded if need be.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        loaded: Callable[[], Iterable[LiveDocument]],
        unload: Callable[[LiveDocument], None],
        bring_in: Callable[[str], LiveDocument],
    ) -> None:
        self._store = store
        self._limits = limits
        self._loaded = loaded
        self._unload = unload
        self._bring_in = bring_in
        super().__init__("bokeh-server-housekeeper", limits.housekeeping_seconds)

    def _reset(self) -> None:
        super()._reset()
        self._tending = Clock(self._limits.tend_seconds)
        self._tended = ""
        self._forgetting = Clock(self._limits.forget_seconds)

    def _look_round(self) -> None:
        for document in list(self._loaded()):
            self._attempt(document, self._inspect)
        if self._tending.strikes():
            self._tend_next()
        if self._limits.keep_events is not None and self._forgetting.strikes():
            self._forget_events(self._limits.keep_events)

    def _mind(self, document: LiveDocument) -> None:
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

    def _tend_next(self) -> None:
        """Look after the next of all stored documents, for most are not in memory."""
        try:
            record = run_blocking(self._store.documents.after, self._tended)
            self._tended = "" if record is None else record.docid
            if record is not None:
                self._tend(record)
        except BokehServerError as error:
            log.debug("%s", error)  # whoever writes or opens a document says so louder
        except Exception:
            log.exception("looking after document %s failed", self._tended)

    def _forget_events(self, keep: timedelta) -> None:
        try:
            self._in_slices(self._store.events.forget, datetime.now(UTC) - keep)
        except BokehServerError as error:
            log.debug("%s", error)
        except Exception:
            log.exception("forgetting what was done long ago failed")

    def _tend(self, record: DocumentRecord) -> None:
        up_to, before = self._bounds(record.seq)
        if run_blocking(self._store.snapshots.is_overdue, record.docid, up_to, before):
            self._bring_in(record.docid).snapshot()
        self._forget(record.docid, record.seq)

    def _compact(self, document: LiveDocument) -> None:
        if time.monotonic() - document.compacted >= self._limits.compact_seconds:
            document.compacted = time.monotonic()
            self._forget(document.docid, document.seq)

    def _bounds(self, head: int) -> tuple[int, datetime]:
        """Until which change and when what was made need not be kept; both have to hold."""
        limits = self._limits
        return head - limits.keep_changes, datetime.now(UTC) - limits.keep_time

    def _forget(self, docid: str, head: int) -> None:
        """Delete the changes and snapshots that need not be kept; a little at a time."""
        store = self._store
        base = run_blocking(store.snapshots.retire, docid, *self._bounds(head))
        self._in_slices(store.changes.forget, docid, base)
        self._in_slices(store.snapshots.sweep, docid)

    def _in_slices(self, forget: Callable[..., int], *what: object) -> None:
        while not self._closing and run_blocking(forget, *what, SLICE) == SLICE:
            pass


#: rows deleted in one transaction, which other writers wait for.
SLICE = 500
