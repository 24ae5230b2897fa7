"""A stored document in memory, kept in agreement with its log."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeAlias

from bokeh_server.blocking import run_blocking
from bokeh_server.channels import Entry
from bokeh_server.documents.feed import FollowedChannel, change_entry
from bokeh_server.documents.history import Edit, History, Key
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.loading import (
    Gap,
    Loaded,
    apply_record,
    changes_after,
    load,
    unknown_document,
    without_gap,
)
from bokeh_server.documents.saving import Saver
from bokeh_server.documents.underway import Underway
from bokeh_server.errors import UnknownDocument
from bokeh_server.protocol import Body, Digests, Draft, WireDocument
from bokeh_server.storage import ChangeRecord, Store

__all__ = ["Memory", "Notify", "Undo"]

#: how long to leave a document alone when its snapshot could not be written.
RETRY_SECONDS = 60.0

#: what is done for one document after the other waits no longer for any of them.
PATIENCE_SECONDS = 0.1
COMMIT_SECONDS = 1.0

#: the WebSocket close codes of a document that was deleted, and of one to be pulled again.
DELETED, PULL_AGAIN = 4004, 4001

#: takes back what a change has done in memory.
Undo: TypeAlias = Callable[[], None]
#: called with a docid and what happened to it; must not block.
Notify = Callable[[str, str], None]


class Memory(ABC):
    """The part of a live document that is derived from the log.

    ``_lock`` is held while a change is applied and queued, not while it is committed;
    ``_underway`` counts the changes that are on their way to the log.

    :ivar docid: its id.
    :ivar seq: the last change that is committed.
    :ivar created: when it was made: a document that is made again with its id is another.
    :ivar channel: its live feed.
    :ivar deleted: it was deleted; followers must not come back.
    :ivar stale: its memory does not agree with the log and is loaded again at the next use.
    :ivar used: when it was last used, on the monotonic clock.
    :ivar compacted: when what need not be kept was last deleted, on that clock.
    """

    def __init__(
        self, docid: str, store: Store, limits: Limits, notify: Notify, keep: Callable[[Any], None]
    ) -> None:
        self.docid = docid
        self.seq = 0
        self.created: datetime | None = None
        self.deleted = False
        self.stale = True
        self.used = time.monotonic()
        self.compacted = float("-inf")
        self._store = store
        self._limits = limits
        self._notify = notify
        self._keep = keep
        self.channel = self._new_channel()
        self._lock = threading.RLock()
        self._underway = Underway()
        self._wire: WireDocument | None = None
        self._head = 0
        self._heard = 0
        self._history = History(limits.crossing_seconds)
        self._bodies: dict[bool, Body] = {}
        self._ever_loaded = False
        #: how to take back what was applied and not stored, the oldest first.
        self._refused: list[Undo | None] = []
        self._saver = Saver(store, docid, self._has_room)
        self._snapshot_seq = 0
        self._snapshot_at = time.monotonic()
        self._log_bytes = 0
        self._no_snapshot_before = 0.0

    def _new_channel(self) -> FollowedChannel:
        return FollowedChannel(
            lambda: self._notify(self.docid, "viewers"),
            max_entries=self._limits.ring_entries,
            max_bytes=self._limits.ring_bytes,
        )

    def load(self) -> None:
        """Bring it into memory.

        :raises UnknownDocument: it is not stored, or no longer.
        """
        with self._lock:
            self._fresh()

    def hear(self, seq: int) -> bool:
        """Take note that another process has written change ``seq``.

        :returns: whether that is news, for :meth:`follow_log`.
        """
        self._heard = max(self._heard, seq)
        return self.behind

    @property
    def head(self) -> int:
        """The last change that this process has made or read, committed or on its way."""
        return max(self._head, self.seq)

    @property
    def behind(self) -> bool:
        """Whether the log is known to go on after what is in memory."""
        return self._heard > self.seq and not self.deleted and self._ever_loaded

    def follow_log(self) -> bool:
        """Take in what other processes have written, and tell the followers.

        :returns: false when others use the document for long, so that it has to be tried again.
        """
        with self._steady_soon() as wire:
            if wire is not None:
                self._take_missed(wire)
                self._fresh()
            return wire is not None

    def _fresh(self) -> WireDocument:
        self.used = time.monotonic()
        while self.deleted or self.stale or self._wire is None:
            if self.deleted:
                raise unknown_document(self.docid)
            self._underway.wait()
            try:
                if not self._take_back():
                    self._load()
            except UnknownDocument:
                self.mark_deleted()
                raise
        return self._wire

    def _refuse(self, undo: Undo | None) -> None:
        """Take note that what was applied last is not stored; ``None``: load everything again."""
        self._refused.append(undo)
        self.stale = True

    def _take_back(self) -> bool:
        # Much cheaper than to load a large document, and it needs no database.
        refused, self._refused = self._refused, []
        if self._wire is None or not refused:
            return False
        for undo in reversed(refused):
            if undo is None:
                return False
            undo()
        self._head, self.stale = self.seq, False
        if self.behind:
            self._take_missed(self._wire)
        return not self.stale

    def _take_missed(self, wire: WireDocument) -> None:
        try:
            for record in changes_after(self._store, self.docid, self.seq, least=self._heard):
                self._take(wire, record)
        except Gap:  # what was missed is not in the log any more
            self._refuse(None)

    @contextmanager
    def _steady(self) -> Iterator[WireDocument]:
        """Have the memory be what is committed: nothing on its way, nothing to load again."""
        with self._lock:
            wire = self._fresh()
            self._underway.wait()
            while self.stale:
                wire = self._fresh()
            yield wire

    @contextmanager
    def _steady_soon(self) -> Iterator[WireDocument | None]:
        """As :meth:`_steady`, or ``None`` when others use the document for long."""
        if not self._lock.acquire(timeout=PATIENCE_SECONDS):
            yield None
            return
        try:
            # One thread commits for all documents, so this one holds nobody up by itself.
            if self._underway.wait(COMMIT_SECONDS):
                with self._steady() as wire:
                    yield wire
            else:
                yield None
        finally:
            self._lock.release()

    def _load(self) -> None:
        self._refused.clear()
        heard = self._heard
        self._wire = without_gap(self.docid, self._read)
        self._head, self._bodies = self.seq, {}
        if self._heard == heard:
            self._heard = self.seq
        self._ever_loaded, self.stale = True, False
        self._keep(self)

    def _read(self) -> WireDocument:
        loaded = load(self._store, self.docid)
        if self._ever_loaded and self.contradicts(loaded.record.seq, loaded.record.created):
            self._start_afresh()
        self.created = loaded.record.created
        if self._ever_loaded and loaded.seq > self.seq:
            self._publish_pull_again(loaded.seq)
        if not self._ever_loaded or loaded.seq > self.seq:
            self.seq = loaded.seq
        self._snapshot_seq, self._log_bytes = loaded.seq, 0
        self._replay(loaded)
        return loaded.wire

    def contradicts(self, head: int, created: datetime, since: int | None = None) -> bool:
        """Whether what the database has of it shows that the memory is of something else.

        It was deleted and made again, or the database lost changes that had been committed, as one
        does that is restored from a backup.

        :param since: what ``seq`` was when the database was asked.
        """
        return created != self.created or head < (self.seq if since is None else since)

    def doubt(self) -> None:
        """Take note that the memory is of something else than the database has."""
        self._refuse(None)

    @property
    def doubtful(self) -> bool:
        """Whether it is in memory, and not as it is stored."""
        return bool(self._refused) and not self.deleted

    def _start_afresh(self) -> None:
        # Numbers have another meaning now, so nothing that goes by them is kept.
        self.channel.close(PULL_AGAIN)
        self.channel = self._new_channel()
        self._history = History(self._limits.crossing_seconds)
        self._saver = Saver(self._store, self.docid, self._has_room)
        self._ever_loaded, self.seq = False, 0

    def _replay(self, loaded: Loaded) -> None:
        least = loaded.record.seq
        for record in changes_after(self._store, self.docid, loaded.seq, least=least):
            if record.seq > self.seq:
                self._take(loaded.wire, record)
            else:
                apply_record(loaded.wire, record)
                self._log_bytes += len(record.body)

    def _take(self, wire: WireDocument, record: ChangeRecord) -> None:
        applied = apply_record(wire, record)
        self._note(record.seq, record.key, len(record.body))
        self._head = record.seq
        if self._ever_loaded:
            origin = origin_of(record.key)
            self.channel.publish(change_entry(record.seq, applied, origin))
            self._look_for_crossing(Edit(record.seq, origin, applied.keys), rows=True)
            self._notify(self.docid, "changed")

    @abstractmethod
    def _look_for_crossing(
        self,
        edit: Edit,
        wrong: Collection[Key] = (),
        *,
        rows: bool = False,
        resync: bool = False,
    ) -> None:
        """Take note of a change that crosses others, and whose sender may have to be told."""

    def _publish_pull_again(self, seq: int) -> None:
        self.channel.publish(Entry(seq, None))

    def _note(self, seq: int, key: str | None, size: int) -> None:
        self.seq = seq
        self._bodies = {}
        self._log_bytes += size
        self._history.note(seq, key)

    # --- snapshots -----------------------------------------------------------------------

    def _has_room(self, size: int) -> bool:
        """Whether its owner has room for what the server writes of it by itself."""
        return True

    @property
    def idle_since(self) -> float | None:
        """Since when nobody uses it, on the monotonic clock; ``None`` while it is used."""
        return None if self._underway or self.channel.followers else self.used

    @property
    def snapshot_due(self) -> bool:
        """Whether the log since the last snapshot has grown long."""
        now, limits, changes = time.monotonic(), self._limits, self.seq - self._snapshot_seq
        if now < self._no_snapshot_before:
            return False
        if changes >= limits.snapshot_changes or self._log_bytes >= limits.snapshot_bytes:
            return True
        rested = now - self._snapshot_at >= limits.snapshot_seconds
        return rested and changes >= limits.snapshot_least

    def snapshot(self) -> bool:
        """Write it out, unless that was done since its last change.

        :returns: whether there is a newer snapshot than before.
        """
        if self.stale or self.deleted or self.seq == self._snapshot_seq:
            return False
        before = self._snapshot_seq, self._log_bytes
        try:
            newest = self._saver.save(self._draft)
        except BaseException:
            newest = None
            raise
        finally:
            if newest is None:
                self._snapshot_seq, self._log_bytes = before
                self._no_snapshot_before = time.monotonic() + RETRY_SECONDS
        self._snapshot_seq = max(newest or 0, self._snapshot_seq)
        return self._snapshot_seq > before[0]

    def _draft(self, known: Digests, whole: bool) -> tuple[int, Draft]:
        with self._steady() as wire:
            self._snapshot_seq, self._log_bytes = self.seq, 0
            self._snapshot_at = time.monotonic()
            return self.seq, run_blocking(lambda: wire.draft(known, whole=whole))

    def unload(self) -> bool:
        """Leave memory unless it is used; the next use loads it again.

        :returns: whether it left.
        """
        with self._lock:
            if self.idle_since is None:
                return False
            self._wire, self._bodies, self.stale = None, {}, True
            return True

    def mark_deleted(self) -> None:
        """Take note that it was deleted: followers are woken, and nobody may use it again."""
        self.deleted = self.stale = True
        self.channel.close(DELETED)


def origin_of(key: str | None) -> str | None:
    """The sender whose name an idempotency key begins with, before a colon.

    By that its followers are known in other processes than the one it wrote to.
    """
    return key.partition(":")[0] if key is not None and ":" in key else None
