"""One WebSocket: reads in order, writes in order, and waits for nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from bokeh_server.sockets import reader as incoming
from bokeh_server.sockets.control import close_frame, ping_frame, pong_frame
from bokeh_server.sockets.writing import ENDED, ENDING, OPEN, TURN, Handler, WritingHalf

if TYPE_CHECKING:
    from bokeh_server.sockets.loop import SocketLoop
    from bokeh_server.sockets.takeover import Transport

__all__ = ["Connection", "Handler", "MakeHandler"]

log = logging.getLogger(__name__)

RECEIVE: Final = 64 * 1024

MakeHandler = Callable[["Connection"], Handler]


class Connection(WritingHalf):
    """One WebSocket after its handshake; made by :meth:`SocketLoop.adopt`.

    :ivar origin: the name under which it sends changes.
    :ivar is_script: whether it is a script, not a browser.
    :ivar person: the name of whoever looks; ``None`` where it is not known.
    :ivar watch: the loop's, to wait for what arrives.
    """

    __slots__ = (
        "_events",
        "_heard",
        "_initial",
        "_pinged",
        "_reader",
        "is_script",
        "origin",
        "person",
        "watch",
    )

    def __init__(self, loop: SocketLoop, sock: Transport, initial: bytes) -> None:
        super().__init__(loop, sock)
        self._initial: bytes | None = initial or None
        self._reader: incoming.Reader | None = None
        self._events: Iterator[incoming.Incoming] | None = None
        self._heard = loop.now()
        self._pinged = 0.0
        self.watch: Any = None
        self.origin = ""
        self.is_script = False
        self.person: str | None = None

    # ---- reading ----

    def start(self) -> None:
        """Begin to read; called by the loop when the handler has opened."""
        self._give_back_reading(self._initial is not None)

    def begin_reading(self) -> bool:
        """Take the read token for :meth:`read`; false: there is nothing to read any more."""
        with self._loop.lock:
            if self._reading or self._finished:
                return False
            self._reading = True
            return True

    def read(self) -> None:
        """Handle what has arrived; called by the loop with the token, where blocking is allowed."""
        more = False
        try:
            more = self._read_turn()
        except Exception:
            log.exception("A WebSocket's handler failed")
            self.close(1011, "the server failed")
        self._give_back_reading(more)

    def _read_turn(self) -> bool:
        """Read until nothing is there (false) or others should get their turn (true)."""
        turn = TURN
        while turn > 0 and self._state != ENDED:
            if not self._handle() or self._is_clogged():
                return False
            data = self._receive()
            if data is None:
                return False
            self._heard = self._loop.now()
            turn -= len(data)
            if self._state < ENDING:
                self._reader = self._reader or incoming.Reader(self._loop.limits)
                self._events = self._reader.feed(data)
        return True

    def _receive(self) -> bytes | None:
        """Give what has arrived; ``None``: nothing, now or ever."""
        initial, self._initial = self._initial, None
        try:
            data = initial or self._sock.recv(RECEIVE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            data = b""
        if not data:
            self._abort()
        return data or None

    def _is_clogged(self) -> bool:
        """Whether the peer should first read what we have for it."""
        self._resume = True
        if not self._is_writing or self._backlog <= self._loop.limits.max_replies:
            self._resume = False
        return self._resume

    def _handle(self) -> bool:
        """Handle what was read; false: the rest waits until the peer has read something."""
        for event in self._events or ():
            self._take(event)
            if self._state >= ENDING:
                break
            if self._is_clogged():
                return False
        self._events = None
        return True

    def _take(self, event: incoming.Incoming) -> None:
        match event:
            case str() | bytes():
                if self._state == OPEN:
                    self.handler.received(event)
                    self._loop.pause()
            case incoming.Pinged(payload):
                self.send(pong_frame(payload))
            case incoming.Closed(code):
                self._end(code)
            case incoming.Failed(code, reason):
                self._end(code, reason)

    def _end(self, code: int, reason: str = "") -> None:
        """Answer the peer's close, or give up on it; then hang up."""
        with self._loop.lock:
            if self._state >= ENDING:
                return
            if self._state == OPEN:
                self._queue((close_frame(code, reason),))
            self._state = ENDING
            self._due = self._loop.now() + self._loop.limits.close_timeout
        self.unfollow()
        self.wake()

    def _give_back_reading(self, more: bool) -> None:
        with self._loop.lock:
            self._reading = False
            finish = self._may_finish()
            paused, ended = self._resume, self._state == ENDED
        if finish:
            self._finish()
        elif ended or paused:
            return
        elif more or self._events is not None:
            self._loop.read_later(self)
        else:
            self._loop.watch_read(self)

    # ---- time ----

    @property
    def due(self) -> float:
        """When :meth:`on_due` is to be called."""
        return self._due

    def on_due(self, now: float) -> None:
        """Ping, or give up a peer that is too slow or gone; never blocks."""
        limits = self._loop.limits
        stalled = self._progress + limits.stall_timeout if self._progress else None
        if self._state != OPEN or (stalled is not None and now >= stalled):
            return self._abort()
        idle = not (self._is_writing or self._reading or self._resume)
        if idle and self._pinged > self._heard:
            log.info("A WebSocket was closed: its peer did not answer a ping")
            return self._abort()
        self._due = min(now + limits.ping_interval, stalled or now + limits.ping_interval)
        if not self._is_writing:
            self._pinged = now
            self.send(ping_frame())
