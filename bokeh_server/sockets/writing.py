"""The writing half of a connection, its state and its end.

Two tokens guard a connection, each held by one thread or greenlet at a time:
whoever *writes* sends until the socket is full or nothing is left,
and whoever *reads* handles what arrived, message after message.
While the socket is full the write token stays with the loop, which goes on when there is room.
Taking and giving back the write token needs no lock, for it is done for every viewer of every
change: a list that holds one item while the token is free, so that ``pop`` takes it.
The socket is closed by whoever gives back the last token.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, cast

from bokeh_server.channels import Behind, Closed, Cursor, Entry
from bokeh_server.sockets.control import close_frame

if TYPE_CHECKING:
    from bokeh_server.sockets.connection import Connection
    from bokeh_server.sockets.limits import Limits
    from bokeh_server.sockets.loop import SocketLoop
    from bokeh_server.sockets.takeover import Transport

__all__ = ["CLOSING", "ENDED", "ENDING", "OPEN", "PULL_AGAIN", "TURN", "Handler", "WritingHalf"]

log = logging.getLogger(__name__)

#: both sides may send.
OPEN: Final = 0
#: we have closed, and wait for the peer to answer.
CLOSING: Final = 1
#: both have closed, or the peer cannot be understood: what waits is sent, what comes is dropped.
ENDING: Final = 2
#: the socket is closed, or about to be.
ENDED: Final = 3

#: bytes that one connection may read or write before others get their turn.
TURN: Final = 1024 * 1024

PULL_AGAIN: Final = 4001


class Handler(Protocol):
    """What happens on a connection; one method at a time, in a thread or greenlet of its own."""

    def opened(self) -> None:
        """Send what goes first; called once, before anything is read."""

    def received(self, data: str | bytes) -> None:
        """Handle one message; may block, which holds up this connection only."""

    def behind(self, cursor: Cursor) -> None:
        """Let a connection catch up that has fallen out of its channel's ring.

        May run beside :meth:`received`.
        """

    def closed(self) -> None:
        """Clean up; called once, whatever the connection ended of."""


class WritingHalf:
    """What can be sent, and how a connection ends.

    :ivar handler: what happens on the connection.
    """

    __slots__ = (
        "_again",
        "_backlog",
        "_cursor",
        "_due",
        "_finished",
        "_loop",
        "_out",
        "_own",
        "_progress",
        "_reading",
        "_resume",
        "_sock",
        "_state",
        "_token",
        "_view",
        "handler",
    )

    handler: Handler

    def __init__(self, loop: SocketLoop, sock: Transport) -> None:
        self._loop = loop
        self._sock = sock
        self._cursor: Cursor | None = None
        self._out: deque[bytes | memoryview] | None = None
        self._backlog = self._own = 0
        self._view: bytes | memoryview | None = None
        self._state: int = OPEN
        self._token = [None]
        self._again = self._finished = self._resume = False
        self._reading = True
        self._progress = 0.0
        self._due = loop.first_due(loop.now(), sock.fileno())

    # ---- for handlers ----

    @property
    def limits(self) -> Limits:
        """What the peer may send and how long it may take."""
        return self._loop.limits

    def send(self, *frames: bytes, shared: bool = False) -> None:
        """Send ready-made frames, together and after what was sent before; never blocks.

        A peer that leaves too much of its own unread is closed (4001).

        :param frames: each one or more whole WebSocket frames.
        :param shared: the bytes are kept elsewhere anyway, and do not count.
        """
        with self._loop.lock:
            if self._state != OPEN:
                return
            full = self._own > self._loop.limits.max_backlog
            if not full:
                self._queue(frames, shared)
        if full:
            return self.close(PULL_AGAIN, "fell too far behind")
        self.wake()

    def follow(self, cursor: Cursor) -> None:
        """Send what comes in a channel, after what was sent before; ends an older following."""
        with self._loop.lock:
            old, self._cursor = self._cursor, cursor
            ended = self._state != OPEN
        if old is not None and old is not cursor:
            old.channel.unfollow(old)
        if ended:
            self.unfollow()
        self.wake()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a code, after what was sent before; closing twice does no harm."""
        with self._loop.lock:
            if self._state != OPEN:
                return
            self._state = CLOSING
            self._queue((close_frame(code, reason),))
            self._due = self._loop.now() + self._loop.limits.close_timeout
        self.unfollow()
        self.wake()

    # ---- writing ----

    def wake(self) -> None:
        """Send what there is to send, unless somebody is at it; never blocks, never raises."""
        self._again = True
        try:
            self._token.pop()
        except IndexError:
            return
        self._write()

    def on_writable(self) -> None:
        """Go on after the socket was full; called by the loop, which held the token."""
        self._write()

    @property
    def _is_writing(self) -> bool:
        return not self._token

    def _write(self) -> None:
        """Send all there is; called with the token, which is given back or left to the loop."""
        while True:
            self._again = False
            try:
                if not self._send_all():
                    return
            except OSError:
                self._abort()
            except Exception:
                log.exception("Writing to a WebSocket failed")
                self._abort()
            self._progress = 0.0
            self._token.append(None)
            if self._state >= ENDING or self._resume:
                self._after_writing()
            if not self._again and self._out is None:
                return
            try:
                self._token.pop()
            except IndexError:
                return

    def _send_all(self) -> bool:
        """Send until nothing is left (true) or the socket is full (false: the loop goes on)."""
        send = self._sock.send
        turn = TURN
        while True:
            view = self._view
            if view is None:
                view = self._next_queued() if self._out is not None else self._next_entry()
                if view is None:
                    return True
            if self._state == ENDED:
                return True
            try:
                sent = send(view)
            except (BlockingIOError, InterruptedError):
                return self._wait_for_room(view, 0)
            turn -= sent
            if sent < len(view):
                return self._wait_for_room(view, sent)
            self._view = None
            if turn <= 0:
                return self._wait_for_room(None, sent)

    def _wait_for_room(self, view: bytes | memoryview | None, sent: int) -> bool:
        if view is not None:
            self._view = memoryview(view)[sent:]
        if sent or not self._progress:
            self._progress = self._loop.now()
            self._due = min(self._due, self._progress + self._loop.limits.stall_timeout)
        self._loop.watch_write(cast("Connection", self))
        return False

    def _after_writing(self) -> None:
        """Do what waited until all was sent: hang up, read on, or close the socket."""
        with self._loop.lock:
            resume, self._resume = self._resume and self._state != ENDED, False
            finish = self._may_finish()
            if self._state == ENDING and self._out is None and not self._is_writing:
                self._hang_up(socket.SHUT_WR)
        if finish:
            self._finish()
        if resume:
            self._loop.read_later(cast("Connection", self))

    def _next_entry(self) -> bytes | None:
        cursor = self._cursor
        if cursor is None or cursor.ready or self._state != OPEN:
            return None
        entry = cursor.channel.next(cursor)
        if type(entry) is Entry and entry.data is not None:
            return entry.data
        match entry:
            case Entry():
                self.close(PULL_AGAIN, "the document must be pulled again")
            case Closed(code=code):
                self.close(code, "the document is gone")
            case Behind():
                self._fall_behind(cursor)
        return None

    def _next_queued(self) -> bytes | memoryview | None:
        with self._loop.lock:
            if self._out is None:
                return None
            frames = self._out.popleft()
            self._backlog -= len(frames)
            if isinstance(frames, bytes):
                self._own -= len(frames)
            if not self._out:
                self._out = None
            return frames

    def _queue(self, frames: tuple[bytes, ...], shared: bool = False) -> None:
        if self._out is None:
            self._out = deque()
        size = sum(map(len, frames))
        self._backlog += size
        if shared:
            self._out.extend(map(memoryview, frames))
        else:
            self._out.extend(frames)
            self._own += size

    def _fall_behind(self, cursor: Cursor) -> None:
        with self._loop.lock:
            if self._cursor is not cursor:
                return
            self._cursor = None
        self._loop.spawn(self._catch_up, cursor)

    def _catch_up(self, cursor: Cursor) -> None:
        try:
            self.handler.behind(cursor)
        except Exception:
            log.exception("A WebSocket could not catch up")
            self.close(PULL_AGAIN, "fell too far behind")
        finally:
            if self._cursor is not cursor:
                cursor.channel.unfollow(cursor)

    # ---- the end ----

    def abort(self) -> None:
        """Hang up at once, without a word."""
        self._abort()

    def _abort(self) -> None:
        with self._loop.lock:
            if self._state == ENDED:
                return
            self._state = ENDED
            self._out, self._view, self._backlog, self._own = None, None, 0, 0
            self._hang_up(socket.SHUT_RDWR)
            finish = self._may_finish()
        self.unfollow()
        if finish:
            self._finish()

    def _hang_up(self, how: int) -> None:
        # The lock is held: nobody can be closing the descriptor, whose number may be used again.
        with contextlib.suppress(OSError):
            self._sock.shutdown(how)

    def _may_finish(self) -> bool:
        """Whether both tokens are back and nobody has finished yet; the lock is held."""
        if self._state != ENDED or self._finished or self._reading or self._is_writing:
            return False
        self._finished = True
        return True

    def _finish(self) -> None:
        self._loop.discard(cast("Connection", self))
        self._loop.spawn(self._tell_closed)

    def _tell_closed(self) -> None:
        try:
            if hasattr(self, "handler"):
                self.handler.closed()
        except Exception:
            log.exception("A WebSocket's handler failed while it cleaned up")

    def close_socket(self) -> None:
        """Close the descriptor; called by the loop when it no longer watches it."""
        self._sock.close()

    def fileno(self) -> int:
        """The descriptor, for the loop."""
        return self._sock.fileno()

    def unfollow(self) -> None:
        """Leave the channel; what was taken from it is still sent."""
        with self._loop.lock:
            cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.channel.unfollow(cursor)
