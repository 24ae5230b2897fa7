"""The live feed of the index page: who follows it, and what it is told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import orjson

from bokeh_server.blueprint.summaries import summary
from bokeh_server.permissions import Action, Actor, Resource, decide
from bokeh_server.protocol import text_frame

if TYPE_CHECKING:
    from bokeh_server.channels import Cursor
    from bokeh_server.documents import Engine
    from bokeh_server.sockets import Connection

__all__ = ["Feed", "FeedHandler"]

#: seconds between two updates of one document.
INTERVAL = 1.0


class Feed:
    """Tells the open index pages of documents that changed, each at most once a second.

    A thread runs while somebody follows.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._dirty: dict[str, None] = {}
        self._followers: set[FeedHandler] = set()
        self._running = False
        self._closed = False
        self._unwatch = engine.watch(self._heard)

    def add(self, follower: FeedHandler) -> None:
        """Tell ``follower`` everything now, and then what changes."""
        with self._changed:
            self._followers.add(follower)
            if not self._running and not self._closed:
                self._running = True
                threading.Thread(target=self._run, name="bokeh-server feed", daemon=True).start()
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
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._dirty or not self._followers)
                if not self._followers:
                    self._running = False
                    self._dirty.clear()
                    return
                dirty, self._dirty = self._dirty, {}
                followers = tuple(self._followers)
            self._tell(dirty, followers)
            with self._changed:
                self._changed.wait_for(lambda: not self._followers, INTERVAL)

    def _tell(self, docids: dict[str, None], followers: tuple[FeedHandler, ...]) -> None:
        for docid in docids:
            record = self._engine.get(docid)
            for follower in followers:
                if record is None:
                    follower.tell({"type": "deleted", "docid": docid})
                elif decide(follower.actor, Action.READ, Resource(record.owner, record.published)):
                    doc = summary(record, follower.actor, self._engine)
                    follower.tell({"type": "document", "doc": doc})

    def _summaries(self, actor: Actor) -> list[dict[str, Any]]:
        records = self._engine.list(actor.name)
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
