"""The server's real parts, with lines of the simulation in place of sockets."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from bokeh_server.channels import Behind, Closed, Cursor, Entry
from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.documents import Limits as EngineLimits
from bokeh_server.documents.history import History
from bokeh_server.documents.settling import Settler
from bokeh_server.errors import StorageUnavailable
from bokeh_server.protocol.messages import Message, Receiver
from bokeh_server.sockets import BokehHandler, Limits
from bokeh_server.storage import NewChange, Outcome, Store
from support.simulation.world import Line, World

__all__ = ["Peer", "Server", "Worker", "read_messages"]

NEVER = 1e9
PULL_AGAIN = 4001


class TimedSettler(Settler):
    """Settles when the simulation says so, without a thread."""

    def _start(self) -> None:
        """There is no thread."""


class Worker:
    """One server process."""

    def __init__(self, world: World, store: Store, docid: str, limits: EngineLimits) -> None:
        self.engine = Engine(store, limits=limits)
        self.settler = TimedSettler(limits.quiet_seconds, world.time)
        self.engine._settler = self.settler
        self.document = self.engine.open(docid)
        self.document._history = History(limits.crossing_seconds, world.time)
        self.fail_next = False
        append = self.engine._committer._append

        def unreliable(group: Sequence[NewChange]) -> list[Outcome]:
            fail, self.fail_next = self.fail_next and bool(group), False
            if fail:
                raise StorageUnavailable("store changes", "the database is gone")
            return append(group)

        self.engine._committer._append = unreliable  # type: ignore[method-assign]

    def close(self) -> None:
        """Stop its threads."""
        self.engine.close()


class Server:
    """All processes on one database."""

    def __init__(
        self, world: World, store: Store, docid: str, *, workers: int, limits: EngineLimits
    ) -> None:
        self.world = world
        self.workers = [Worker(world, store, docid, limits) for _ in range(workers)]
        self.woken: deque[Peer] = deque()
        self._heads = [each.document.seq for each in self.workers]

    def tick(self) -> None:
        """After everything that happens: send what there is, tell the other processes."""
        for number, worker in enumerate(self.workers):
            if worker.document.seq > self._heads[number]:
                self._heads[number] = worker.document.seq
                self._tell_others(worker)
        self.pump()

    def pump(self) -> None:
        """Have connections send what they were woken for."""
        while self.woken:
            self.woken.popleft().pump()

    def settle(self) -> None:
        """Put right who is due."""
        for worker in self.workers:
            worker.settler.settle()

    @property
    def is_settled(self) -> bool:
        """Whether nobody is to be put right."""
        return not any(worker.settler._due for worker in self.workers)

    def _tell_others(self, worker: Worker) -> None:
        seq = worker.document.seq
        for other in self.workers:
            if other is not worker:
                delay = self.world.dice.random() ** 3 * 2
                self.world.later(delay, lambda document=other.document: hear(document, seq))

    def close(self) -> None:
        """Stop all threads."""
        for worker in self.workers:
            worker.close()


def hear(document: LiveDocument, seq: int) -> None:
    """Take in what another process has written."""
    if document.hear(seq):
        document.follow_log()


class Peer:
    """The server's end of a connection; does what ``WritingHalf`` does, on a line.

    :ivar on_message: the client's end.
    :ivar on_close: called with the close code, when the client learns of it.
    """

    def __init__(self, server: Server, worker: Worker, down: Line, **options: Any) -> None:
        self.origin = ""
        self.is_script = False
        self.limits = Limits()
        self.is_open = True
        self.on_message: Callable[[Message], None] = lambda _message: None
        self.on_close: Callable[[int], None] = lambda _code: None
        self._server = server
        self._down = down
        self._queue: deque[bytes] = deque()
        self._cursor: Cursor | None = None
        self._receiver = Receiver(max_size=1 << 30)
        down.drained = self.pump
        self.handler = BokehHandler(self, worker.document, actor="ada", **options)  # type: ignore[arg-type]
        self.handler.opened()

    def wake(self) -> None:
        """Hear that the channel has something, in any thread."""
        self._server.woken.append(self)

    def send(self, *frames: bytes, shared: bool = False) -> None:
        """Queue frames."""
        if self.is_open:
            self._queue.append(b"".join(frames))
            self.pump()

    def follow(self, cursor: Cursor) -> None:
        """Send what comes in a channel."""
        self.unfollow()
        self._cursor = cursor
        if not self.is_open:
            self.unfollow()
        self.pump()

    def unfollow(self) -> None:
        """Leave the channel."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.channel.unfollow(cursor)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, after what was sent before."""
        if self.is_open:
            self.is_open = False
            self.unfollow()
            while self._queue:
                self._put(self._queue.popleft())
            self._down.send(2, lambda: self.on_close(code))

    def hang_up(self) -> None:
        """Notice that the client is gone."""
        self.is_open = False
        self._queue.clear()
        self.unfollow()

    def receive(self, *texts: str) -> None:
        """Take a message of the client."""
        for text in texts:
            if self.is_open:
                self.handler.received(text)

    def pump(self) -> None:
        """Send until the line is full or nothing is left."""
        while not self._down.is_full:
            if self._queue:
                self._put(self._queue.popleft())
            elif not self._take():
                return

    def _take(self) -> bool:
        cursor = self._cursor
        if cursor is None or cursor.ready:
            return False
        entry = cursor.channel.next(cursor)
        if isinstance(entry, Entry) and entry.data is not None:
            self._put(entry.data)
        elif isinstance(entry, Entry):
            self.close(PULL_AGAIN)
        elif isinstance(entry, Closed):
            self.close(entry.code)
        elif isinstance(entry, Behind):
            self._cursor = None
            self.handler.behind(cursor)
            cursor.channel.unfollow(cursor)
        return entry is not None

    def _put(self, data: bytes) -> None:
        self._down.send(len(data), lambda: self._arrive(data))

    def _arrive(self, data: bytes) -> None:
        for message in read_messages(self._receiver, data):
            self.on_message(message)


def read_messages(receiver: Receiver, data: bytes) -> list[Message]:
    """The messages in frames as a server sends them."""
    messages, at = [], 0
    while at < len(data):
        opcode, size = data[at] & 15, data[at + 1]
        at += 2
        if size == 126:
            size, at = struct.unpack_from(">H", data, at)[0], at + 2
        elif size == 127:
            size, at = struct.unpack_from(">Q", data, at)[0], at + 8
        payload, at = data[at : at + size], at + size
        message = receiver.feed(payload.decode() if opcode == 1 else payload)
        messages += [message] if message is not None else []
    return messages
