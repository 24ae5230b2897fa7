"""What the bar of an open page follows: who is watching, and what whoever looks may do."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson

from bokeh_server.blueprint.followed import Followed
from bokeh_server.blueprint.people.access import resource_of
from bokeh_server.errors import ServerFault
from bokeh_server.permissions import Action, Actor, decide, rights_in
from bokeh_server.protocol import text_frame

if TYPE_CHECKING:
    from bokeh_server.channels import Cursor
    from bokeh_server.documents import Engine, Identity
    from bokeh_server.sockets import Connection

__all__ = ["Presence", "PresenceHandler", "rights_of"]

#: seconds between two looks at the same documents.
INTERVAL = 1.0
#: seconds after which all are looked at: what other processes and logins do is not announced.
RECHECK = 3.0
#: most names that are told; the others are counted.
MOST_NAMES = 100
#: how somebody is called who holds a link and is not logged in; then comes its id.
_LINK = "link "
#: there is no use in connecting again.
OVER = 4004

_log = logging.getLogger("bokeh_server")


def rights_of(identity: Identity, actor: Actor) -> list[str]:
    """What ``actor`` may do to a document: of ``read``, ``write`` and ``own``."""
    return rights_in(resource_of(identity), actor)


class Presence(Followed):
    """Tells open pages when something of that changes, each at most once a second.

    :param link_title: tells the title of the link of an id.
    """

    def __init__(self, engine: Engine, link_title: Callable[[str], str]) -> None:
        super().__init__("bokeh-server presence")
        self._engine = engine
        self._link_title = link_title
        self._dirty: set[str] = set()
        self._followers: dict[str, set[PresenceHandler]] = {}
        self._due = 0.0
        self._failing = False
        self._unwatch = engine.watch(self._heard)

    def look(self, identity: Identity, actor: Actor) -> dict[str, Any]:
        """What the bar shows of a document to somebody who may look at it.

        Several tabs of one person are one of ``count``. Only who may change the document learns
        names. On a server for one everybody goes by one name, which tells nobody from the others.
        """
        rights = rights_of(identity, actor)
        names = self._engine.people(identity.docid)
        viewers = self._viewers([None] * len(names) if actor.single_user else names)
        if Action.WRITE.value not in rights:
            viewers = {"count": viewers["count"]}
        return {
            **viewers,
            "rights": rights,
            "published": identity.published,
            "title": identity.title,
        }

    def _viewers(self, names: Iterable[str | None]) -> dict[str, Any]:
        tabs = Counter(names)
        others = tabs.pop(None, 0)
        # no account has a name with a space in it
        held = [name for name in sorted(filter(None, tabs)) if name.startswith(_LINK)]
        people = [name for name in sorted(filter(None, tabs)) if not name.startswith(_LINK)]
        links = [
            {"title": self._link_title(name.removeprefix(_LINK)), "count": tabs[name]}
            for name in held[:MOST_NAMES]
        ]
        return {
            "count": len(people) + others + sum(tabs[name] for name in held),
            "people": [{"name": name, "tabs": tabs[name]} for name in people[:MOST_NAMES]],
            "links": links,
            "others": others
            + len(people[MOST_NAMES:])
            + sum(tabs[name] for name in held[MOST_NAMES:]),
        }

    def add(self, follower: PresenceHandler) -> None:
        """Tell ``follower`` how things are now, and then what changes."""
        with self._changed:
            self._followers.setdefault(follower.docid, set()).add(follower)
            self._dirty.add(follower.docid)
            self._start()
            self._changed.notify_all()

    def remove(self, follower: PresenceHandler) -> None:
        """Stop telling ``follower``."""
        with self._changed:
            of_document = self._followers.get(follower.docid, set())
            of_document.discard(follower)
            if not of_document:
                self._followers.pop(follower.docid, None)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop for good."""
        self._unwatch()
        super().close()

    def _heard(self, docid: str, what: str) -> None:
        with self._changed:
            if docid in self._followers:
                self._dirty.add(docid)
                self._changed.notify_all()

    def _is_followed(self) -> bool:
        return bool(self._followers)

    def _forget(self) -> None:
        self._followers.clear()

    def _rest(self) -> None:
        self._dirty.clear()

    def _turn(self) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._dirty or not self._followers, max(0.0, self._due - time.monotonic())
            )
        self._tell_all()
        self._pause(INTERVAL)

    def _tell_all(self) -> None:
        """Tell of every document that changed, or when it is due of all."""
        now = time.monotonic()
        for_all = now >= self._due
        if for_all:
            self._due = now + RECHECK
        with self._changed:
            docids = set(self._followers) if for_all else self._dirty & self._followers.keys()
            self._dirty.clear()
        try:
            for docid in sorted(docids):
                self._tell(docid)
            self._failing = False
        except ServerFault as error:
            # what the database cannot say now is asked when it is due
            if not self._failing:
                _log.warning("Open pages hear later who is watching: %s", error)
            self._failing = True
        except Exception:
            _log.exception("Open pages could not be told who is watching")

    def _tell(self, docid: str) -> None:
        identity = self._engine.identity(docid)
        with self._changed:
            followers = list(self._followers.get(docid, ()))
        texts: dict[Actor, bytes | None] = {}
        for follower in followers:
            actor = follower.find_actor()
            if actor not in texts:
                texts[actor] = self._text(identity, actor)
            follower.tell(texts[actor], deleted=identity is None)

    def _text(self, identity: Identity | None, actor: Actor) -> bytes | None:
        """What somebody is told; nothing when they may no longer look."""
        if identity is None or not decide(actor, Action.READ, resource_of(identity)):
            return None
        return orjson.dumps(self.look(identity, actor))


class PresenceHandler:
    """The bar of one open page.

    :param find_actor: who looks; nobody once their login has ended.
    """

    def __init__(
        self,
        connection: Connection,
        presence: Presence,
        docid: str,
        find_actor: Callable[[], Actor],
    ) -> None:
        self.docid = docid
        self.find_actor = find_actor
        self._connection = connection
        self._presence = presence
        self._told: bytes | None = None

    def tell(self, text: bytes | None, *, deleted: bool) -> None:
        """Send what is news.

        :param text: ``None``: they may no longer look.
        :param deleted: because the document is gone.
        """
        if text is None:
            self._presence.remove(self)
            self._connection.close(OVER, "deleted" if deleted else "no right to look")
        elif text != self._told:
            self._told = text
            self._connection.send(text_frame(text))

    def opened(self) -> None:
        """Begin to follow."""
        self._presence.add(self)

    def received(self, data: str | bytes) -> None:
        """Nothing is expected; what comes is dropped."""

    def behind(self, cursor: Cursor) -> None:
        """Never called: this follows no channel."""

    def closed(self) -> None:
        """Stop following."""
        self._presence.remove(self)
