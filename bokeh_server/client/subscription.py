"""A document that follows its stored document, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Protocol
from urllib.parse import urlencode

import orjson
from bokeh.document import Document

from bokeh_server.client._applying import apply_patch, merge_content
from bokeh_server.client._websocket import Closed, Refused, WebSocket
from bokeh_server.client.link import Link
from bokeh_server.errors import (
    BokehServerError,
    ConnectionFailed,
    NotFound,
    ServerFault,
    UnknownDocument,
)
from bokeh_server.protocol.messages import Message, Receiver

__all__ = ["Feed", "Subscription"]

_log = logging.getLogger("bokeh_server.client")

#: seconds before each attempt to connect again; the last is repeated.
BACKOFF = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
#: close codes of this project: pull again at once, and: the document is deleted.
_PULL_AGAIN = 4001
_DELETED = 4004
_LARGEST = 1024 * 1024 * 1024


class Feed(Protocol):
    """What a subscription needs of a session."""

    lock: threading.RLock
    origin: str

    def open_socket(self, docid: str, part: str, query: str) -> WebSocket:
        """Connect to a WebSocket of a document."""

    def settle(self, link: Link) -> None:
        """Send again what waits for an answer."""

    def store_during(self, link: Link, work: Callable[[], list[Exception]]) -> list[Exception]:
        """Do something and store what changed in the document meanwhile."""

    def ended(self, subscription: Subscription) -> None:
        """Forget a subscription that does not follow any more."""


class Subscription:
    """A document that follows its stored document until :meth:`close`; a context manager.

    It connects again by itself after the server was away.
    Callbacks of the script run in its thread, holding the session's lock.

    :ivar connected: whether it follows at this moment.
    :ivar error: why it ended by itself, if it did.
    """

    def __init__(self, session: Feed, link: Link) -> None:
        self._session = session
        self._link = link
        # a reference of its own, or nobody may hold the document while its callbacks are wanted
        self._document: Document | None = link.document
        self._stopped = threading.Event()
        self._ready = threading.Event()
        self._socket: WebSocket | None = None
        self._tries = 0
        self.connected = False
        self.error: BokehServerError | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"bokeh-subscription-{link.docid}", daemon=True
        )

    @property
    def link(self) -> Link:
        """What joins the local document to the stored one."""
        return self._link

    @property
    def document(self) -> Document | None:
        """The local document, while it follows."""
        return self._document

    def start(self, timeout: float = 10.0) -> Subscription:
        """Start to follow; returns when the local document is up to date.

        :raises ConnectionFailed: no server answers in time.
        :raises UnknownDocument: there is no such document.
        """
        self._thread.start()
        if not self._ready.wait(timeout):
            self.close()
            raise ConnectionFailed(
                f"follow the document {self._link.docid}",
                f"the server does not answer within {timeout:g} seconds",
            )
        if self.error is not None:
            raise self.error
        return self

    def close(self) -> None:
        """Stop to follow."""
        self._session.ended(self)
        self._stopped.set()
        socket = self._socket
        if socket is not None:
            socket.close()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(5.0)

    def wait(self, timeout: float | None = None) -> bool:
        """Let callbacks run until it ends, or Ctrl-C, or for so many seconds.

        :returns: whether it has ended.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while self._thread.is_alive() and (deadline is None or time.monotonic() < deadline):
                rest = 1.0 if deadline is None else max(deadline - time.monotonic(), 0.0)
                self._thread.join(min(rest, 1.0))
        except KeyboardInterrupt:
            print()
            self.close()
        return not self._thread.is_alive()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._stopped.wait(BACKOFF[min(self._tries, len(BACKOFF) - 1)])
                self._tries += 1
                self._connect_and_follow()
        finally:
            self.connected = False
            self._document = None
            self._session.ended(self)
            self._ready.set()

    def _connect_and_follow(self) -> None:
        try:
            if not self._stopped.is_set():
                self._follow()
        except Refused as refusal:
            if refusal.status in (401, 403, 404):
                self._end(refusal.status)
        except Closed as closed:
            if closed.code == _DELETED:
                self._end(404)
            if closed.code == _PULL_AGAIN:
                self._tries = 0
        except OSError as error:
            _log.debug("no connection to the document %s: %s", self._link.docid, error)
        except (ConnectionFailed, ServerFault) as error:
            _log.debug("the document %s cannot be followed now: %s", self._link.docid, error)
        except BokehServerError as error:
            self._give_up(error)
        except Exception as error:
            _log.exception("following the document %s failed", self._link.docid)
            self._give_up(ConnectionFailed(f"follow document {self._link.docid}", str(error)))
        finally:
            self.connected = False

    def _follow(self) -> None:
        query = urlencode({"script": "1", "origin": self._session.origin})
        socket = self._socket = self._session.open_socket(self._link.docid, "ws", query)
        try:
            if self._stopped.is_set():
                return
            receiver = Receiver(max_size=_LARGEST)
            for data in socket.messages():
                message = receiver.feed(data)
                if message is not None:
                    self._take(socket, message)
        finally:
            self._socket = None
            socket.close()

    def _take(self, socket: WebSocket, message: Message) -> None:
        match message.msgtype:
            case "ACK":
                self._session.settle(self._link)
                for part in _pull_request():
                    socket.send(part)
            case "PULL-DOC-REPLY":
                content = orjson.loads(message.content)["doc"]
                self._apply(lambda: merge_content(self._link, content, message.buffers))
                self.connected = True
                self._tries = 0
                self._ready.set()
            case "PATCH-DOC" if self.connected:
                self._apply(lambda: apply_patch(self._link, message.content, message.buffers))
            case "ERROR":
                _log.error("the server reports: %s", message.content.decode(errors="replace"))

    def _apply(self, work: Callable[[], list[Exception]]) -> None:
        try:
            for error in self._session.store_during(self._link, work):
                _log.error("a callback of the document %s failed", self._link.docid, exc_info=error)
        except BokehServerError as error:
            _log.error("changes made by callbacks were not stored: %s", error)

    def _end(self, status: int) -> None:
        attempted = f"follow document {self._link.docid}"
        if status == 404:
            self._give_up(UnknownDocument(attempted, "there is no such document any more"))
        else:
            self._give_up(NotFound(attempted, f"the server refuses it ({status})"))

    def _give_up(self, error: BokehServerError) -> None:
        self.error = error
        self._stopped.set()
        if self._ready.is_set():
            _log.error("%s", error)


def _pull_request() -> list[str]:
    header = orjson.dumps({"msgid": uuid.uuid4().hex, "msgtype": "PULL-DOC-REQ"})
    return [header.decode(), "{}", "{}"]
