"""The live feed of the gallery: who follows it, and what each may be told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.documents.cards import card_json, section_of
from bokeh_server.blueprint.followed import Followed
from bokeh_server.errors import ServerFault
from bokeh_server.permissions import Actor
from bokeh_server.protocol import text_frame
from bokeh_server.storage.documents import is_docid

if TYPE_CHECKING:
    from bokeh_server.channels import Cursor
    from bokeh_server.documents import Engine
    from bokeh_server.sockets import Connection
    from bokeh_server.storage import Card, Store

__all__ = ["Feed", "FeedHandler"]

#: seconds between two updates of one document.
INTERVAL = 1.0
#: documents that no page shows, of which pages hear at once that they changed.
MOST_OTHERS = 20
#: documents that a page may say it shows.
MOST_SHOWN = 5000

_log = logging.getLogger("bokeh_server")


class Feed(Followed):
    """Tells the open galleries of documents that changed, each at most once a second.

    A page says which documents it shows. It hears of those whatever happens to them, of others
    when they are made, shared, published or changed, and of none that it may not see: for it such
    a document is as one that was deleted.
    """

    def __init__(self, engine: Engine, store: Store) -> None:
        super().__init__("bokeh-server feed")
        self._engine = engine
        self._gallery = store.gallery
        #: whether everybody who may is to hear of it, or only who shows it and some others.
        self._dirty: dict[str, bool] = {}
        self._followers: set[FeedHandler] = set()
        self._failing = False
        self._unwatch = engine.watch(self.hear)

    def add(self, follower: FeedHandler) -> None:
        """Greet ``follower``, and tell it from now on what changes."""
        with self._changed:
            self._followers.add(follower)
            self._start()
        follower.tell({"type": "hello"})

    def remove(self, follower: FeedHandler) -> None:
        """Stop telling ``follower``."""
        with self._changed:
            self._followers.discard(follower)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop for good."""
        self._unwatch()
        super().close()

    def hear(self, docid: str, what: str) -> None:
        """Something happened to a document; may be called from any thread, and does not block."""
        with self._changed:
            if self._followers:
                urgent = what not in ("changed", "viewers")
                if urgent or what != "viewers" or self._is_shown(docid):
                    self._dirty[docid] = self._dirty.get(docid, False) or urgent
                    self._changed.notify_all()

    def show(self, follower: FeedHandler, docids: set[str]) -> None:
        """``follower`` shows these documents from now on, and wants to be told of each."""
        with self._changed:
            follower.shown, follower.asked = docids, set(docids)
            self._changed.notify_all()

    def _is_shown(self, docid: str) -> bool:
        return any(docid in follower.shown for follower in self._followers)

    def _is_followed(self) -> bool:
        return bool(self._followers)

    def _forget(self) -> None:
        self._followers.clear()

    def _rest(self) -> None:
        self._dirty.clear()

    def _turn(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_due() or not self._followers)
            followers = tuple(self._followers)
        if followers:
            self._tell_all(followers)
            self._pause(INTERVAL)

    def _is_due(self) -> bool:
        return bool(self._dirty) or any(each.asked for each in self._followers)

    def _tell_all(self, followers: tuple[FeedHandler, ...]) -> None:
        """Tell of every document that changed; what the database cannot say now waits."""
        with self._changed:
            dirty, self._dirty = self._dirty, {}
            asked = {each: each.take_asked() for each in followers}
            news = self._choose(dirty)
        try:
            wanted = list(news.union(*asked.values()))
            cards = run_blocking(self._gallery.cards, wanted)
            for follower, its in asked.items():
                follower.hear(news | its, cards, self._engine)
            self._failing = False
        except Exception as error:
            self._put_back(dirty, asked, error)

    def _choose(self, dirty: Mapping[str, bool]) -> set[str]:
        """What of it is told: of what nobody shows only the last, however much changes."""
        news = {docid for docid, urgent in dirty.items() if urgent or self._is_shown(docid)}
        return news.union([docid for docid in dirty if docid not in news][-MOST_OTHERS:])

    def _put_back(
        self, dirty: dict[str, bool], asked: dict[FeedHandler, set[str]], error: Exception
    ) -> None:
        if not isinstance(error, ServerFault):
            _log.exception("The open galleries could not be told of %d documents", len(dirty))
            if not any(asked.values()):
                return
            asked = {}  # if what some page asked for cannot be answered, the others go on
        elif not self._failing:
            _log.warning("The open galleries hear of changes later: %s", error)
            self._failing = True
        with self._changed:
            self._dirty = {**dirty, **self._dirty}
            for follower, docids in asked.items():
                follower.asked |= docids


class FeedHandler:
    """One gallery that is open.

    :param is_good: whether who follows is known still.
    :param leave: called when it is closed.
    :ivar shown: the documents that it shows; all of them it may see, once it was told of them.
    :ivar asked: those of ``shown`` of which it has not been told yet.
    """

    def __init__(
        self,
        connection: Connection,
        feed: Feed,
        actor: Actor,
        is_good: Callable[[], bool] = lambda: True,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self.actor = actor
        self.shown: set[str] = set()
        self.asked: set[str] = set()
        self._connection = connection
        self._feed = feed
        self._is_good = is_good
        self._leave = leave

    def tell(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self._connection.send(text_frame(orjson.dumps(message)))

    def take_asked(self) -> set[str]:
        """What it is to be told of, that is then asked no more."""
        asked, self.asked = self.asked, set()
        return asked

    def hear(self, docids: Collection[str], cards: Mapping[str, Card], engine: Engine) -> None:
        """Tell of some documents what may be told.

        :param cards: of those that are there.
        """
        if not self._is_good():
            self._connection.close(1000, "the login has ended")
            return
        docs, gone = [], []
        for docid in docids:
            card = cards.get(docid)
            if card is not None and section_of(card, self.actor) is not None:
                docs.append(card_json(card, self.actor, engine))
                if len(self.shown) < MOST_SHOWN:
                    self.shown.add(docid)
            elif docid in self.shown:
                self.shown.discard(docid)
                gone.append(docid)
        if docs or gone:
            self.tell({"type": "documents", "docs": docs, "gone": gone})

    def opened(self) -> None:
        """Begin to follow."""
        self._feed.add(self)

    def received(self, data: str | bytes) -> None:
        """The page says which documents it shows; anything else is dropped.

        It may name any: it is told of each at once, and of those that it may not see that they
        are gone, as if they had never been there.
        """
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError:
            return
        docids = message.get("shows") if isinstance(message, dict) else None
        if isinstance(docids, list):
            shown = {each for each in docids[:MOST_SHOWN] if _could_be_docid(each)}
            self._feed.show(self, shown)

    def behind(self, cursor: Cursor) -> None:
        """Never called: this follows no channel."""

    def closed(self) -> None:
        """Stop following."""
        self._leave()
        self._feed.remove(self)


def _could_be_docid(value: object) -> bool:
    # A database may refuse anything else, and the one question is for everybody.
    return isinstance(value, str) and is_docid(value)
