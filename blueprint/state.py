"""What one app keeps while it runs; made at the first use in each process."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flask import current_app

from bokeh_server.errors import ServerFault

if TYPE_CHECKING:
    from bokeh.application.application import Application

    from bokeh_server.accounts import Accounts, Handovers, Links
    from bokeh_server.apps import Backend
    from bokeh_server.blueprint.assets import Assets
    from bokeh_server.blueprint.documents.feed import Feed
    from bokeh_server.blueprint.documents.presence import Presence
    from bokeh_server.blueprint.people.auth import Auth
    from bokeh_server.blueprint.people.auth_provider import AuthHooks
    from bokeh_server.blueprint.people.rechecks import Rechecks
    from bokeh_server.blueprint.schema import BokehSchema
    from bokeh_server.blueprint.telling import Teller
    from bokeh_server.config import Settings
    from bokeh_server.documents import Engine, Quotas
    from bokeh_server.documents.noting import Noter
    from bokeh_server.secret_keys import Keys
    from bokeh_server.sockets import SocketLoop
    from bokeh_server.sockets.tickets import Spent
    from bokeh_server.storage import Store

__all__ = ["EXTENSION", "State", "current_state"]

#: the key of the state in ``app.extensions``.
EXTENSION = "bokeh_server"

T = TypeVar("T")
_log = logging.getLogger("bokeh_server")
#: makes each part, by its name.
Makers = Mapping[str, Callable[["State"], Any]]

#: parts in the order in which they are closed: who sends before who stores.
_CLOSING_ORDER = (
    "feed",
    "presence",
    "rechecks",
    "sockets",
    "applications",
    "auth",
    "engine",
    "noter",
    "store",
)


class _Part(Generic[T]):
    """An attribute of the state that is made when it is first asked for."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, state: State, owner: type) -> T:
        part: T = state.part(self._name)
        return part


class State:
    """Settings, and the parts that are made from them when they are first needed.

    :param makers: make a part, by its name.
    :ivar find_user: tells the name of who sent a request, where the app has its own logins.
    :ivar added: Bokeh's applications by their addresses.
    :ivar audiences: the names of those who may use one; ``None``: whoever may use this server.
    :ivar takes_pushes: whether there is an empty application at ``/`` for ``push_session``.
    :ivar auth_hooks: what the auth module defines, where there is one.
    :ivar cookie_secret: signs cookies of its handlers; ``None``: ``BOKEH_COOKIE_SECRET`` does, or
        a key made of that of this server.
    :ivar session_key: signs ids of sessions, where they are signed; ``None``: ``BOKEH_SECRET_KEY``
        does, or the key of this server.

    A server that forks its workers after loading the app gets new parts in every worker:
    threads, sockets and database connections do not survive a fork.
    """

    #: what signs, and formerly signed, tickets
    keys: _Part[Keys] = _Part()
    #: the database
    store: _Part[Store] = _Part()
    #: the stored documents
    engine: _Part[Engine] = _Part()
    #: how much everybody may store
    quotas: _Part[Quotas] = _Part()
    #: what is noted once in a while
    noter: _Part[Noter] = _Part()
    #: who people are, where there are accounts
    accounts: _Part[Accounts] = _Part()
    #: share links and document keys
    links: _Part[Links] = _Part()
    #: logins on their way between scripts and browsers
    handovers: _Part[Handovers] = _Part()
    #: what models may have
    schema: _Part[BokehSchema] = _Part()
    #: the WebSockets of this process
    sockets: _Part[SocketLoop] = _Part()
    #: the live feed of the index page
    feed: _Part[Feed] = _Part()
    #: the tickets that were used
    spent: _Part[Spent] = _Part()
    #: what closes the sockets of those who may look no more
    rechecks: _Part[Rechecks] = _Part()
    #: the applications
    applications: _Part[Backend] = _Part()
    #: what the bars of open pages follow
    presence: _Part[Presence] = _Part()
    #: scripts and styles as they are delivered
    assets: _Part[Assets] = _Part()
    #: what logs say in plain words
    teller: _Part[Teller] = _Part()

    def __init__(
        self,
        settings: Settings,
        makers: Makers,
        find_user: Callable[[], str | None] | None = None,
    ) -> None:
        self.settings = settings
        self._makers = makers
        self.find_user = find_user
        self.added: dict[str, Application] = {}
        self.audiences: dict[str, frozenset[str] | None] = {}
        self.takes_pushes = False
        self.session_key: bytes | None = None
        self.auth_hooks: AuthHooks | None = None
        self.cookie_secret: str | None = None
        self._lock = threading.RLock()
        self._parts: dict[str, Any] = {}
        self._closed = False
        _renew_after_fork(self)

    @property
    def secret(self) -> bytes:
        """The key that signs tickets."""
        return self.keys.current

    @property
    def former_secrets(self) -> Sequence[bytes]:
        """What signed tickets formerly, and is good still."""
        return self.keys.former

    @property
    def auth(self) -> Auth | None:
        """The login of an auth module, where there is one."""
        return None if self.auth_hooks is None else self.part("auth")

    def part(self, name: str) -> Any:
        """One of the parts; it is made when there is none yet."""
        part = self._parts.get(name)
        return self._make(name) if part is None else part

    def _make(self, name: str) -> Any:
        with self._lock:
            if self._closed:
                raise ServerFault(
                    "serve documents", "this server was closed", "Make a new BokehServer"
                )
            if name not in self._parts:
                self._parts[name] = self._makers[name](self)
            return self._parts[name]

    def close(self) -> None:
        """Close sockets with 1012, commit what waits and close the database; safe to repeat."""
        with self._lock:
            self._closed = True
            parts, self._parts = self._parts, {}
        for name in _CLOSING_ORDER:
            if name in parts:
                _close(name, parts[name])

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        self._parts = {}


def _close(name: str, part: Any) -> None:
    """Close a part; the others are closed, too, where it fails."""
    try:
        part.close()
    except Exception:
        _log.exception("The server's %s could not be closed", name)


def _renew_after_fork(state: State) -> None:
    known = weakref.ref(state)

    def renew() -> None:
        found = known()
        if found is not None:
            found._after_fork()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)


def current_state() -> State:
    """The state of the app that handles this request."""
    state: State = current_app.extensions[EXTENSION]
    return state
