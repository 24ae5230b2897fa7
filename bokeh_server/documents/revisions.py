"""Documents as they once were: any revision that is kept, to be read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from bokeh_server.blocking import run_blocking
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.loading import (
    Loaded,
    apply_record,
    changes_after,
    load_at,
    unknown_document,
    without_gap,
)
from bokeh_server.documents.reading import Still
from bokeh_server.errors import BokehServerError, NoLongerKept, UnknownRevision
from bokeh_server.protocol import WireDocument
from bokeh_server.storage import DocumentRecord, Store

__all__ = ["Revision", "Revisions", "Span", "rebuild", "span_of"]

#: how many revisions may be put together at once; the others wait.
AT_ONCE = 2
#: how many are remembered at most, however small.
MOST = 32
#: a small document takes more memory than its bytes.
LEAST_BYTES = 64 * 1024

Key = tuple[str, datetime, int]


@dataclass(frozen=True, slots=True)
class Span:
    """Which revisions of a document can be opened.

    :param oldest: the first of them.
    :param head: the last: as it is now.
    :param first_change: the first change that is kept; ``head + 1`` where none is.
    """

    oldest: int
    head: int
    first_change: int


class Revision(Still):
    """A document as it was after a change; it never changes.

    :ivar actor: who made that change; ``None`` where the change itself is no longer kept.
    :ivar at: when.
    :ivar size: about how many bytes it takes.
    """

    def __init__(
        self,
        docid: str,
        seq: int,
        wire: WireDocument,
        size: int,
        signed: tuple[str, datetime] | None,
    ) -> None:
        self.docid = docid
        self.seq = seq
        self.actor: str | None = signed[0] if signed else None
        self.at: datetime | None = signed[1] if signed else None
        self.size = max(size, LEAST_BYTES)
        self._wire = wire
        self._lock = threading.RLock()

    @contextmanager
    def _steady(self) -> Iterator[WireDocument]:
        with self._lock:
            yield self._wire


class Revisions:
    """Opens revisions of any document, and remembers the last few."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._most_bytes = limits.revision_bytes
        self._lock = threading.Lock()
        self._busy = threading.BoundedSemaphore(AT_ONCE)
        self._kept: dict[Key, Revision] = {}

    def open(self, docid: str, seq: int) -> Revision:
        """A document as it was after change ``seq``; 0 is before the first.

        :raises UnknownDocument: there is no such document.
        :raises UnknownRevision: it has no such change yet.
        :raises NoLongerKept: it had one, which is not kept any more.
        """
        record = _record(self._store, docid)
        if seq > record.seq:
            raise _cannot_open(docid, seq, run_blocking(span_of, self._store, record))
        # A document that was deleted and made again with its old id is another one.
        key = docid, record.created, seq
        found = self._find(key)
        if found is not None:
            return found
        with self._busy:
            return self._find(key) or self._keep(key, self._build(docid, seq))

    def _build(self, docid: str, seq: int) -> Revision:
        wire, size = rebuild(self._store, docid, seq)
        signed = run_blocking(self._store.changes.signed, docid, seq)
        return Revision(docid, seq, wire, size, signed)

    def _find(self, key: Key) -> Revision | None:
        with self._lock:
            found = self._kept.pop(key, None)
            if found is not None:
                self._kept[key] = found  # the last one used is the last one forgotten
            return found

    def _keep(self, key: Key, revision: Revision) -> Revision:
        if revision.size <= self._most_bytes:
            with self._lock:
                self._kept[key] = revision
                while len(self._kept) > MOST or self._taken() > self._most_bytes:
                    del self._kept[next(iter(self._kept))]
        return revision

    def _taken(self) -> int:
        return sum(each.size for each in self._kept.values())

    def forget(self, docid: str) -> None:
        """Forget the revisions of a document that was deleted."""
        with self._lock:
            for key in [each for each in self._kept if each[0] == docid]:
                del self._kept[key]

    def span(self, docid: str) -> Span:
        """Which revisions can be opened.

        :raises UnknownDocument: there is no such document.
        """
        return run_blocking(span_of, self._store, _record(self._store, docid))


def span_of(store: Store, record: DocumentRecord) -> Span:
    """Which revisions of a document can be opened; asks the database."""
    first = store.changes.oldest(record.docid)
    return Span(
        store.snapshots.oldest(record.docid), record.seq, record.seq + 1 if first is None else first
    )


def rebuild(store: Store, docid: str, seq: int) -> tuple[WireDocument, int]:
    """Put a document together as it was after change ``seq``.

    :returns: the document, and how many bytes were read for it.
    :raises UnknownRevision: it has no such change yet.
    :raises NoLongerKept: a change that it takes is not kept.
    """
    record = _record(store, docid)

    def read() -> tuple[WireDocument, int]:
        span = run_blocking(span_of, store, record)
        if not span.oldest <= seq <= span.head:
            raise _cannot_open(docid, seq, span)
        return _replay(store, load_at(store, docid, seq), seq)

    return without_gap(docid, read)


def _replay(store: Store, loaded: Loaded, seq: int) -> tuple[WireDocument, int]:
    size = loaded.size
    for record in changes_after(store, loaded.record.docid, loaded.seq, least=seq, most=seq):
        apply_record(loaded.wire, record)
        size += len(record.body)
    return loaded.wire, size


def _record(store: Store, docid: str) -> DocumentRecord:
    record = run_blocking(store.documents.get, docid)
    if record is None:
        raise unknown_document(docid)
    return record


def _cannot_open(docid: str, seq: int, span: Span) -> BokehServerError:
    attempted = f"open revision {seq} of document {docid[:80]}"
    remedy = f"Revisions {span.oldest} to {span.head} can be opened"
    if seq > span.head:
        return UnknownRevision(attempted, "it has no such change yet", remedy)
    return NoLongerKept(attempted, "it is older than what is kept", remedy)
