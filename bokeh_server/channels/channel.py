"""The recent changes of one document in a ring, and a cursor for each follower.

There is no queue per follower: one that is slow keeps its cursor and costs nobody anything.
A follower is woken only when it had taken everything, so a stalled one is not even visited.

Whoever publishes holds the lock for a moment; whoever takes entries holds none, for that is done
for every viewer of every change. It is safe by order: :meth:`Channel.publish` first moves the head
and then collects who is ready, a follower first says that it is ready and then looks at the head.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["Behind", "Channel", "Closed", "Cursor", "Entry", "Follower"]

MAX_ENTRIES: Final = 1024
MAX_BYTES: Final = 16 * 1024 * 1024
#: what is published at one go may be so many times as much, for followers get no turn meanwhile.
AT_ONE_GO: Final = 8
#: how long that waits for a follower who takes it slowly, in seconds.
KEPT_SECONDS: Final = 10.0


@dataclass(slots=True)
class Entry:
    """One message for the followers of a document.

    :param seq: the change it carries; for a transient entry the last change before it.
    :param data: WebSocket frames ready to send; ``None``: followers must pull again.
    :param origin: who sent it, and does not get it back.
    :param scripts_only: only followers that are scripts get it.
    :param transient: it is no change (a relayed message), and is lost on whoever is behind.
    :param only: the one follower, by its ``origin``, that gets it.
    """

    seq: int
    data: bytes | None
    origin: str | None = None
    scripts_only: bool = False
    transient: bool = False
    only: str | None = None


class Follower(Protocol):
    """Whoever follows a channel."""

    @property
    def origin(self) -> str:
        """The name under which it sends changes."""

    @property
    def is_script(self) -> bool:
        """Whether it is a script, not a browser."""

    @property
    def person(self) -> str | None:
        """The name of whoever looks; ``None`` where it is not known."""

    def wake(self) -> None:
        """Hear that there is something for you; never blocks, never raises.

        Called from any thread, and not again until :meth:`Channel.next` has left nothing over.
        """


class Cursor:
    """How far one follower has come in a channel.

    :ivar seq: the last change that it has, or that was not for it.
    :ivar ready: whether it had everything when it last asked.
    """

    __slots__ = ("_active", "_position", "channel", "follower", "ready", "seq")

    def __init__(self, channel: Channel, follower: Follower, position: int, seq: int) -> None:
        self.channel = channel
        self.follower = follower
        self.seq = seq
        self.ready = False
        self._active = True
        self._position = position


@dataclass(frozen=True, slots=True)
class Behind:
    """The follower has fallen out of the ring.

    :param seq: the last change that it has.
    """

    seq: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The channel is over.

    :param code: the WebSocket close code that followers end with.
    """

    code: int


#: something was published while a follower found that nothing was left.
_MORE: Final = Behind(-1)


class Channel:
    """The live feed of one document; every method may be called from any thread.

    :param max_entries: most entries the ring keeps.
    :param max_bytes: most bytes of data the ring keeps; the newest entry is always kept.
    """

    __slots__ = (
        "_base",
        "_bytes",
        "_closed",
        "_cursors",
        "_dropped",
        "_head",
        "_holds",
        "_kept_from",
        "_kept_until",
        "_lock",
        "_most",
        "_newest",
        "_ready",
        "_ring",
        "_scripts",
    )

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._most = max_entries, max_bytes
        self._holds = False
        self._kept_from: int | None = None
        self._kept_until: float | None = None
        self._lock = threading.Lock()
        #: position -> entry, for every position from base to head.
        self._ring: dict[int, Entry] = {}
        self._base = self._head = 0
        self._bytes = 0
        self._newest = 0
        self._dropped = 0
        self._closed: Closed | None = None
        self._cursors: set[Cursor] = set()
        self._scripts = 0
        self._ready: dict[Cursor, None] = {}

    @property
    def viewers(self) -> int:
        """How many followers are browsers."""
        return len(self._cursors) - self._scripts

    @property
    def followers(self) -> int:
        """How many followers there are, scripts and all."""
        return len(self._cursors)

    def people(self) -> list[str | None]:
        """The names of those who look, one for every browser; ``None`` where it is not known."""
        with self._lock:
            followers = [cursor.follower for cursor in self._cursors]
        return [each.person for each in followers if not each.is_script]

    def has(self, origin: str) -> bool:
        """Whether somebody who sends under this name follows."""
        with self._lock:
            return any(cursor.follower.origin == origin for cursor in self._cursors)

    def publish(self, entry: Entry) -> None:
        """Add an entry and wake every follower that had everything; waits for nobody.

        Entries go in order of ``seq``.
        """
        with self._lock:
            if self._closed is not None:
                return
            self._append(entry)
            ready = self._take_ready()
        for cursor in ready:
            cursor.follower.wake()

    def keep(self) -> None:
        """Keep more of what is published from now on, for followers may get no turn: as long as
        one has not got it, until some time after :meth:`keep_no_more`."""
        with self._lock:
            self._holds = True
            if self._kept_from is None:
                self._kept_from = self._head

    def keep_no_more(self) -> None:
        """Followers have their turn now."""
        with self._lock:
            self._holds = False
            if self._kept_until is None:
                self._kept_until = time.monotonic() + KEPT_SECONDS
            self._trim()

    def follow(self, follower: Follower, *, seq: int | None = None) -> Cursor:
        """Give a cursor to what comes next.

        :param seq: what comes after this change, whether it is published already or not;
            without it, what is published after this call.
        """
        with self._lock:
            start = self._newest if seq is None else seq
            cursor = Cursor(self, follower, self._after(seq), start)
            self._cursors.add(cursor)
            self._scripts += follower.is_script
            self._mark(cursor)
        return cursor

    def unfollow(self, cursor: Cursor) -> None:
        """Forget a cursor; forgetting it twice does no harm."""
        with self._lock:
            cursor._active = False
            if cursor in self._cursors:
                self._cursors.remove(cursor)
                self._scripts -= cursor.follower.is_script
            self._ready.pop(cursor, None)
            if self._kept_from is not None:
                self._trim()

    def next(self, cursor: Cursor) -> Entry | Behind | Closed | None:
        """Give what this follower gets next and move its cursor past it.

        :returns: ``None``: it has everything, and is woken when there is more.
            :class:`Behind`: it has fallen out of the ring; its cursor stays where it is.
            :class:`Closed`: nothing more will come.
        """
        while True:
            entry = self._ring.get(cursor._position)
            if entry is None:
                last = self._none_left(cursor)
                if last is not _MORE:
                    return last
                continue
            cursor._position += 1
            if cursor._position == self._head:
                self._mark(cursor)
            if self._is_for(entry, cursor):
                return entry

    def close(self, code: int) -> None:
        """End the feed: every follower gets :class:`Closed`, now or when it next asks.

        :param code: the WebSocket close code that followers end with.
        """
        with self._lock:
            if self._closed is not None:
                return
            self._closed = Closed(code)
            self._ring = {}
            ready = self._take_ready()
        for cursor in ready:
            cursor.follower.wake()

    def _take_ready(self) -> list[Cursor]:
        ready, self._ready = self._ready, {}
        cursors = list(ready)
        for cursor in cursors:
            cursor.ready = False
        return cursors

    def _none_left(self, cursor: Cursor) -> Behind | Closed | None:
        with self._lock:
            if self._closed is not None:
                return self._closed
            if cursor._position < self._base:
                return Behind(cursor.seq)
            if cursor._position < self._head:
                return _MORE
            self._mark(cursor)
            if self._kept_from is not None:
                self._trim()
            return None

    def _mark(self, cursor: Cursor) -> None:
        """Have it woken by what comes next; then see whether that has come already."""
        if not cursor._active:
            return
        cursor.ready = True
        self._ready[cursor] = None
        if cursor._position != self._head or self._closed is not None:
            cursor.ready = False

    @staticmethod
    def _is_for(entry: Entry, cursor: Cursor) -> bool:
        if not entry.transient:
            if entry.seq <= cursor.seq:
                return False
            cursor.seq = entry.seq
        if entry.only is not None:
            return entry.only == cursor.follower.origin
        if entry.origin is None and not entry.scripts_only:
            return True
        if entry.scripts_only and not cursor.follower.is_script:
            return False
        return entry.origin != cursor.follower.origin

    def _after(self, seq: int | None) -> int:
        if seq is None or seq >= self._newest:
            return self._head  # messages after the last change are not for whoever comes later
        if seq < self._dropped:
            return self._base - 1
        position = self._head
        while position > self._base:
            entry = self._ring[position - 1]
            if not entry.transient and entry.seq <= seq:
                break
            position -= 1
        return position

    def _append(self, entry: Entry) -> None:
        self._ring[self._head] = entry
        self._head += 1
        self._bytes += len(entry.data or b"")
        if not entry.transient:
            self._newest = entry.seq
        self._trim()

    def _trim(self) -> None:
        while len(self._ring) > 1 and self._is_over(1) and not self._is_kept():
            self._drop_oldest()
        if not self._holds and not self._is_over(1):
            self._kept_from = self._kept_until = None

    def _is_over(self, times: int) -> bool:
        entries, size = self._most
        return len(self._ring) > times * entries or self._bytes > times * size

    def _is_kept(self) -> bool:
        """Whether the oldest entry stays although it is too much."""
        if self._kept_from is None or self._base < self._kept_from or self._is_over(AT_ONE_GO):
            return False
        if self._kept_until is not None and time.monotonic() > self._kept_until:
            return False
        return any(cursor._position == self._base for cursor in self._cursors)

    def _drop_oldest(self) -> None:
        gone = self._ring.pop(self._base)
        self._base += 1
        self._bytes -= len(gone.data or b"")
        if not gone.transient:
            self._dropped = gone.seq
