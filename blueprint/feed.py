"""The live feed of the index page: who follows it, and what it is told."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import orjson

from bokeh_server.blueprint.summaries import summary
from bokeh_server.errors import ServerFault
from bokeh_server.permissions import Actor
from bokeh_server.protocol import text_frame

if TYPE_CHECKING:
    from bokeh_server.channels import Cursor
    from bokeh_server.documents import Engine
    from bokeh_server.sockets import Connection

__all__ = ["Feed", "FeedHandler"]

#: seconds between two updates of one document.
INTERVAL = 1.0

_log = logging.getLogger("bokeh_server")


class Feed:
    """Tells the open index pages of documents that changed, each at most once a second.

    A thread runs while somebody follows.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._dirty: dict[str, None] = {}
        self._followers: set[FeedHandler] = set()
        self._thread: threading.Thread | None = None
        self._failing = False
        self._closed = False
        self._unwatch = engine.watch(self._heard)

    def add(self, follower: FeedHandler) -> None:
        """Tell ``follower`` everything now, and then what changes."""
        with self._changed:
            self._followers.add(follower)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name="bokeh-server feed", daemon=True
                )
                self._thread.start()
        follower.tell({"type": "documents", "docs": self._summaries(follower.actor)})

    def remove(self, follower: FeedHandler) -> None:
        """Stop telling ``follower``."""
        with self._changed:
            self._followers.discard(follower)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop for good."""
        self._unwatch()
        with self._changed:
            self._closed = True
            self._followers.clear()
            self._changed.notify_all()

    def _heard(self, docid: str, what: str) -> None:
        with self._changed:
            if self._followers:
                self._dirty[docid] = None
                self._changed.notify_all()

    def _run(self) -> None:
        try:
            while followers := self._wait():
                self._tell_all(followers)
                with self._changed:
                    self._changed.wait_for(lambda: not self._followers, INTERVAL)
        finally:
            with self._changed:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _wait(self) -> tuple[FeedHandler, ...]:
        """Wait for something to tell; gives whom, and nobody when this thread is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._dirty or not self._followers)
            if not self._followers:
                self._thread = None
                self._dirty.clear()
            return tuple(self._followers)

    def _tell_all(self, followers: tuple[FeedHandler, ...]) -> None:
        """Tell of every document that changed; what the database cannot say now waits."""
        with self._changed:
            dirty, self._dirty = self._dirty, {}
        try:
            while dirty:
                self._tell(next(iter(dirty)), followers)
                dirty.pop(next(iter(dirty)))
            self._failing = False
        except ServerFault as error:
            self._put_back(dirty, error)
        except Exception:
            docid = next(iter(dirty))
            _log.exception("The index pages could not be told of the document %s", docid)
            dirty.pop(docid)
            self._put_back(dirty)

    def _put_back(self, dirty: dict[str, None], error: ServerFault | None = None) -> None:
        if error is not None and not self._failing:
            _log.warning("The index pages hear of changes later: %s", error)
            self._failing = True
        with self._changed:
            self._dirty = dirty | self._dirty

    def _tell(self, docid: str, followers: tuple[FeedHandler, ...]) -> None:
        record = self._engine.get(docid)
        for follower in followers:
            if record is None:
                follower.tell({"type": "deleted", "docid": docid})
            elif follower.actor.name == record.owner:
                doc = summary(record, follower.actor, self._engine)
                follower.tell({"type": "document", "doc": doc})

    def _summaries(self, actor: Actor) -> list[dict[str, Any]]:
        records = self._engine.list(actor.name) if actor.name is not None else []
        return [summary(record, actor, self._engine) for record in records]


class FeedHandler:
    """One index page that is open."""

    def __init__(self, connection: Connection, feed: Feed, actor: Actor) -> None:
        self.actor = actor
        self._connection = connection
        self._feed = feed

    def tell(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self._connection.send(text_frame(orjson.dumps(message)))

    def opened(self) -> None:
        """Begin to follow."""
        self._feed.add(self)

    def received(self, data: str | bytes) -> None:
        """Nothing is expected; what comes is dropped."""

    def behind(self, cursor: Cursor) -> None:
        """Never called: this follows no channel."""

    def closed(self) -> None:
        """Stop following."""
        self._feed.remove(self)
