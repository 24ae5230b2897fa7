"""Closes the sockets of those who may look no more: rights and logins end while they are open.

Who writes is checked at every change. Who only reads sends nothing, so that somebody has to look:
every few seconds, once for all of whom the same can be said, and with one query for all logins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.followed import Followed
from bokeh_server.blueprint.people.access import resource_of
from bokeh_server.errors import ServerFault
from bokeh_server.permissions import Action, Actor, decide
from bokeh_server.sockets.bokeh_handler import LAPSED

if TYPE_CHECKING:
    from bokeh_server.blueprint.people.standing import Standing
    from bokeh_server.documents import Engine
    from bokeh_server.sockets import Connection
    from bokeh_server.storage import Store

__all__ = ["Rechecks"]

#: seconds between two looks.
INTERVAL = 2.0

_log = logging.getLogger("bokeh_server")


class Rechecks(Followed):
    """Connections by who opened them."""

    def __init__(self, engine: Engine, store: Store, interval: float = INTERVAL) -> None:
        super().__init__("bokeh-server rechecks")
        self._engine = engine
        self._store = store
        self._interval = interval
        self._open: dict[Standing, dict[int, Connection]] = {}

    def join(self, standing: Standing, connection: Connection) -> None:
        """Look after a connection until it leaves."""
        with self._changed:
            self._open.setdefault(standing, {})[id(connection)] = connection
            self._start()

    def leave(self, standing: Standing, connection: Connection) -> None:
        """Look after it no more."""
        with self._changed:
            found = self._open.get(standing, {})
            found.pop(id(connection), None)
            if not found:
                self._open.pop(standing, None)
            if not self._open:
                self._changed.notify_all()

    def _is_followed(self) -> bool:
        return bool(self._open)

    def _forget(self) -> None:
        self._open.clear()

    def _turn(self) -> None:
        self._pause(self._interval)
        with self._changed:
            standings = list(self._open)
        try:
            for lapsed in self._lapsed(standings):
                self._end(lapsed)
        except ServerFault as error:
            _log.debug("%s", error)  # nobody is sent away because the database is
        except Exception:
            _log.exception("Who may look at documents could not be checked")

    def _lapsed(self, standings: list[Standing]) -> Iterable[Standing]:
        logins = [each.known for each in standings if each.known is not None]
        digests = {each.digest for each in logins}
        ids = {held.id for each in standings for held in each.actor.passes}
        known = run_blocking(self._store.credentials.good, digests) if digests else set()
        good = run_blocking(self._store.links.good, ids) if ids else set()
        is_good: Callable[[str], bool] = good.__contains__
        for standing in standings:
            actor = standing.now(lambda each: each.digest in known, is_good)
            if not self._may_stay(standing.docid, actor):
                yield standing

    def _may_stay(self, docid: str | None, actor: Actor | None) -> bool:
        if docid is None:
            return actor is not None
        identity = self._engine.identity(docid)
        if identity is None:  # where the document is gone, its channel has closed already
            return True
        return bool(actor and decide(actor, Action.READ, resource_of(identity)))

    def _end(self, standing: Standing) -> None:
        with self._changed:
            connections = list(self._open.pop(standing, {}).values())
        for each in connections:
            each.close(LAPSED, "who opened it may look no more")
