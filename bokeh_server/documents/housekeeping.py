"""The thread that does what nobody waits for: snapshots, compaction, idle documents."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from bokeh_server.blocking import run_blocking
from bokeh_server.documents.attendant import Attendant
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.live import LiveDocument
from bokeh_server.storage import Store

__all__ = ["Housekeeper"]


class Housekeeper(Attendant):
    """Looks after the documents in memory, and what is stored of them.

    :param loaded: gives the documents in memory.
    :param unload: takes one out of memory when it is still idle.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        loaded: Callable[[], Iterable[LiveDocument]],
        unload: Callable[[LiveDocument], None],
    ) -> None:
        self._store = store
        self._limits = limits
        self._loaded = loaded
        self._unload = unload
        super().__init__("bokeh-server-housekeeper", limits.housekeeping_seconds)

    def _look_round(self) -> None:
        for document in list(self._loaded()):
            self._attempt(self._inspect, document)

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
