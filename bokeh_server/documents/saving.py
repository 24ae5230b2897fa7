"""Snapshots of one document, each of which writes only what changed since the one before."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from bokeh_server.blocking import run_blocking
from bokeh_server.protocol import Digests, Draft, Part
from bokeh_server.protocol.chunks import digest_of
from bokeh_server.storage import Store
from bokeh_server.storage.usage import ROW_BYTES

__all__ = ["Saver", "is_chunk"]

#: how often to try when other processes write snapshots of the document, too.
ATTEMPTS = 3


#: what the keys of chunks begin with; those of parts are shorter.
_CHUNK = b"\x01"


def part_key(name: str) -> bytes:
    """The key under which storage keeps a part."""
    return sha256(b"part " + name.encode()).digest()


def chunk_key(digest: bytes) -> bytes:
    """The key under which storage keeps a chunk: whatever bytes it has, never that of a part."""
    return _CHUNK + digest


def is_chunk(key: bytes, digest: bytes) -> bool:
    """Whether what is kept under a key is a chunk; once a chunk was its own key."""
    return len(key) > len(digest) or key == digest


@dataclass(slots=True)
class Plan:
    """What a snapshot has to write.

    :ivar added: key to digest of the parts that are new or have changed.
    :ivar ended: keys of those that are no more.
    :ivar bodies: what may have to be staged, by digest.
    """

    added: dict[bytes, bytes] = field(default_factory=dict)
    ended: set[bytes] = field(default_factory=set)
    bodies: dict[bytes, bytes] = field(default_factory=dict)


class Index:
    """What the newest snapshot is made of.

    :ivar seq: its number.
    :ivar parts: key to digest.
    :ivar stored: digests of the chunks among them.
    """

    def __init__(self, seq: int, parts: dict[bytes, bytes]) -> None:
        self.seq = seq
        self.parts = parts
        self.stored = {digest for key, digest in parts.items() if key == chunk_key(digest)}
        self._chunks: dict[bytes, list[bytes]] = {}
        self._uses: Counter[bytes] = Counter()

    def plan(self, draft: Draft) -> Plan:
        """Compare a draft with it, and have it be that draft."""
        plan, touched = Plan(), set[bytes]()
        if draft.whole:  # nothing stays that the draft does not have
            self._chunks, self._uses = {}, Counter()
        for key in map(part_key, draft.gone):
            touched |= self._use(key, [])
            if key in self.parts:
                plan.ended.add(key)
        for part in draft.parts:
            touched |= self._take(part, plan)
        self._count(touched, plan)
        if draft.whole:
            needed = {*self._chunks, *map(chunk_key, +self._uses)}
            plan.ended |= self.parts.keys() - needed
        self._become(plan)
        return plan

    def _become(self, plan: Plan) -> None:
        for key in plan.ended:
            digest = self.parts.pop(key)
            if key == chunk_key(digest):
                self.stored.discard(digest)
        self.parts |= plan.added
        self.stored |= {digest for key, digest in plan.added.items() if key == chunk_key(digest)}

    def _take(self, part: Part, plan: Plan) -> set[bytes]:
        body, chunks = part.packed()
        key, digest = part_key(part.key), digest_of(body)
        if self.parts.get(key) != digest:
            plan.added[key] = digest
            plan.bodies[digest] = body
        touched = self._use(key, chunks)
        self._chunks[key] = chunks
        return touched

    def _use(self, key: bytes, chunks: list[bytes]) -> set[bytes]:
        before = self._chunks.pop(key, [])
        self._uses.subtract(before)
        self._uses.update(chunks)
        return {*before, *chunks}

    def _count(self, touched: Iterable[bytes], plan: Plan) -> None:
        for digest in touched:
            if self._uses[digest] > 0:
                if digest not in self.stored:
                    plan.added[chunk_key(digest)] = digest
            elif digest in self.stored:
                plan.ended.add(chunk_key(digest))


class Saver:
    """Writes the snapshots of one document.

    Another process may write some, too: then this one compares with what it finds.

    :param has_room: whether so many bytes may be stored; they are written next if so.
    """

    def __init__(
        self, store: Store, docid: str, has_room: Callable[[int], bool] = lambda _size: True
    ) -> None:
        self._store = store
        self._docid = docid
        self._has_room = has_room
        self._index: Index | None = None
        self._lock = threading.Lock()

    def save(self, draft: Callable[[Digests, bool], tuple[int, Draft]]) -> int | None:
        """Write a snapshot, in time that depends on what changed since the last.

        :param draft: gives the document's ``seq`` and draft at one moment; it is told which chunks
            are stored already, and whether everything is wanted.
        :returns: the number of the newest snapshot now, whoever wrote it; ``None`` when others
            were in the way, or there is no room for it.
        """
        with self._lock:
            for _ in range(ATTEMPTS):
                # Unless all goes well, the next draft is compared with what is stored then.
                index, self._index = self._index, None
                whole = index is None
                if index is None:
                    index = Index(*run_blocking(self._store.snapshots.index, self._docid))
                seq, taken = draft(index.stored, whole)
                if seq <= index.seq:
                    return index.seq
                base, plan = index.seq, run_blocking(index.plan, taken)
                if not self._has_room(_size(plan, taken)):
                    return None
                if run_blocking(self._write, plan, taken, base, seq):
                    index.seq, self._index = seq, index
                    return seq
        return None

    def _write(self, plan: Plan, draft: Draft, base: int, seq: int) -> bool:
        snapshots = self._store.snapshots
        return snapshots.stage(self._docid, _missing(plan, draft)) and snapshots.write(
            self._docid, seq, base=base, added=plan.added, ended=plan.ended
        )


def _size(plan: Plan, draft: Draft) -> int:
    """What a snapshot takes at most, in bytes: some of it may be stored already."""
    return sum(len(body) for _, body in _missing(plan, draft)) + ROW_BYTES * len(plan.added)


def _missing(plan: Plan, draft: Draft) -> Iterator[tuple[bytes, bytes | memoryview]]:
    yield from plan.bodies.items()
    for part in draft.parts:
        for digest, data in part.data():
            if chunk_key(digest) in plan.added:
                yield digest, data
