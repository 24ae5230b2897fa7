"""What one app keeps while it runs; made at the first use in each process."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import current_app

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.schema import BokehSchema
from bokeh_server.blueprint.telling import Teller
from bokeh_server.errors import ServerFault
from bokeh_server.secret_keys import Keys, load_keys

if TYPE_CHECKING:
    from bokeh.application.application import Application

    from bokeh_server.accounts import Accounts, Handovers, Links, Registration
    from bokeh_server.apps import Backend
    from bokeh_server.blueprint.assets import Assets
    from bokeh_server.blueprint.auth import Auth
    from bokeh_server.blueprint.auth_provider import AuthHooks
    from bokeh_server.blueprint.feed import Feed
    from bokeh_server.blueprint.presence import Presence
    from bokeh_server.blueprint.rechecks import Rechecks
    from bokeh_server.config import Settings
    from bokeh_server.documents import Engine, Quotas
    from bokeh_server.documents.noting import Noter
    from bokeh_server.sockets import Limits, SocketLoop
    from bokeh_server.sockets.tickets import Spent
    from bokeh_server.storage import Store

__all__ = ["EXTENSION", "State", "current_state"]

#: the key of the state in ``app.extensions``.
EXTENSION = "bokeh_server"

T = TypeVar("T")

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


class State:
    """Settings, and what is made from them when it is first needed.

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

    def __init__(
        self, settings: Settings, find_user: Callable[[], str | None] | None = None
    ) -> None:
        self.settings = settings
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
        return self._keys.current

    @property
    def former_secrets(self) -> Sequence[bytes]:
        """What signed tickets formerly, and is good still."""
        return self._keys.former

    @property
    def _keys(self) -> Keys:
        settings = self.settings
        return self._part(
            "keys",
            lambda: load_keys(settings.data_dir, settings.secret_key, settings.former_secret_keys),
        )

    @property
    def store(self) -> Store:
        """The database."""
        return self._part("store", self._open_store)

    @property
    def engine(self) -> Engine:
        """The stored documents."""
        return self._part("engine", self._start_engine)

    @property
    def quotas(self) -> Quotas:
        """How much everybody may store."""
        return self._part("quotas", self._make_quotas)

    @property
    def noter(self) -> Noter:
        """What is noted once in a while."""
        return self._part("noter", self._make_noter)

    @property
    def accounts(self) -> Accounts:
        """Who people are, where there are accounts."""
        return self._part("accounts", self._open_accounts)

    @property
    def links(self) -> Links:
        """Share links and document keys."""
        return self._part("links", self._open_links)

    @property
    def handovers(self) -> Handovers:
        """Logins on their way between scripts and browsers."""
        return self._part("handovers", self._open_handovers)

    @property
    def schema(self) -> BokehSchema:
        """What models may have."""
        return self._part("schema", BokehSchema)

    @property
    def sockets(self) -> SocketLoop:
        """The WebSockets of this process."""
        return self._part("sockets", self._start_sockets)

    @property
    def feed(self) -> Feed:
        """The live feed of the index page."""
        return self._part("feed", self._start_feed)

    @property
    def spent(self) -> Spent:
        """The tickets that were used."""
        return self._part("spent", self._remember_tickets)

    @property
    def rechecks(self) -> Rechecks:
        """What closes the sockets of those who may look no more."""
        return self._part("rechecks", self._start_rechecks)

    @property
    def auth(self) -> Auth | None:
        """The login of an auth module, where there is one."""
        return None if self.auth_hooks is None else self._part("auth", self._make_auth)

    @property
    def applications(self) -> Backend:
        """The applications."""
        return self._part("applications", self._make_applications)

    @property
    def presence(self) -> Presence:
        """What the bars of open pages follow."""
        return self._part("presence", self._start_presence)

    @property
    def assets(self) -> Assets:
        """Scripts and styles as they are delivered."""
        return self._part("assets", self._find_assets)

    @property
    def teller(self) -> Teller:
        """What logs say in plain words."""
        return self._part("teller", Teller)

    def _part(self, name: str, make: Callable[[], T]) -> T:
        part = self._parts.get(name)
        return self._make(name, make) if part is None else part

    def _make(self, name: str, make: Callable[[], T]) -> T:
        with self._lock:
            if self._closed:
                raise ServerFault(
                    "serve documents", "this server was closed", "Make a new BokehServer"
                )
            if name not in self._parts:
                self._parts[name] = make()
            part: T = self._parts[name]
            return part

    def _open_store(self) -> Store:
        from bokeh_server.storage import Store

        return Store.open(self.settings.database)

    def _start_engine(self) -> Engine:
        from bokeh_server.documents import Engine, Limits

        limits = Limits(
            patch_bytes=self.settings.max_body_size,
            keep_changes=self.settings.keep_changes,
            keep_time=timedelta(days=self.settings.keep_days),
            keep_events=timedelta(days=self.settings.keep_events_days),
        )
        sharing = self.settings.multi_user
        if not sharing:
            return Engine(self.store, limits=limits, schema=self.schema)
        return Engine(
            self.store,
            limits=limits,
            schema=self.schema,
            sharing=True,
            quotas=self.quotas,
            authored=self.noter.changed,
        )

    def _make_quotas(self) -> Quotas:
        from bokeh_server.documents import Quotas

        settings, usage = self.settings, self.store.usage
        return Quotas(
            lambda name: run_blocking(usage.of, name), settings.user_documents, settings.user_bytes
        )

    def _make_noter(self) -> Noter:
        from bokeh_server.documents.noting import Noter

        return Noter(self.store.events, self.store.documents)

    def _open_accounts(self) -> Accounts:
        from bokeh_server.accounts import Accounts, Policy

        settings = self.settings
        registration = cast("Registration", settings.registration)
        return Accounts(
            self.store, Policy(registration, login_time=timedelta(days=settings.login_days))
        )

    def _open_handovers(self) -> Handovers:
        from bokeh_server.accounts import Handovers

        return Handovers(self.store, self.accounts)

    def _open_links(self) -> Links:
        from bokeh_server.accounts import Links

        return Links(self.store)

    def _start_sockets(self) -> SocketLoop:
        from bokeh_server.sockets import SocketLoop

        return SocketLoop(self._socket_limits())

    def _socket_limits(self) -> Limits:
        from bokeh_server.sockets import Limits

        largest = self.settings.max_body_size
        return Limits(
            max_message=largest,
            max_protocol_message=largest,
            ping_interval=self.settings.ping_interval,
        )

    def _start_feed(self) -> Feed:
        from bokeh_server.blueprint.feed import Feed

        return Feed(self.engine, self.store)

    def _remember_tickets(self) -> Spent:
        from bokeh_server.sockets.tickets import Spent

        return Spent()

    def _start_rechecks(self) -> Rechecks:
        from bokeh_server.blueprint.rechecks import Rechecks

        return Rechecks(self.engine, self.store)

    def _make_applications(self) -> Backend:
        from bokeh.application.application import Application

        from bokeh_server.blueprint.app_options import make_backend
        from bokeh_server.blueprint.app_publishing import EnginePublisher

        pushes = {"/": Application()} if self.takes_pushes else {}
        hooks, prefix = self.auth_hooks, self.settings.url_prefix
        return make_backend(
            self.settings,
            self._session_key(),
            {**pushes, **self.added},
            self._socket_limits(),
            prefix + hooks.logout_url if hooks is not None and hooks.logout_url else None,
            former=self._former_session_keys(),
            publisher=EnginePublisher(self),
        )

    def _make_auth(self) -> Auth:
        from bokeh_server.blueprint.auth import make_auth

        assert self.auth_hooks is not None, "there is one"
        return make_auth(self.auth_hooks, self.settings, self.secret, self.cookie_secret)

    def _given_key(self) -> bytes:
        return self.session_key or os.environ.get("BOKEH_SECRET_KEY", "").encode()

    def _former_session_keys(self) -> Sequence[bytes]:
        is_ours = not self._given_key() and self.settings.session_ids.endswith("signed")
        return self.former_secrets if is_ours else ()

    def _session_key(self) -> bytes:
        given = self._given_key()
        if given or not self.settings.session_ids.endswith("signed"):
            return given
        return self.secret

    def _link_title(self, link_id: str) -> str:
        link = self.links.get(link_id)
        return link.title if link else ""

    def _start_presence(self) -> Presence:
        from bokeh_server.blueprint.presence import Presence

        return Presence(self.engine, self._link_title)

    def _find_assets(self) -> Assets:
        from bokeh_server.blueprint.assets import Assets

        return Assets(self.settings.data_dir / "cache")

    def close(self) -> None:
        """Close sockets with 1012, commit what waits and close the database; safe to repeat."""
        with self._lock:
            self._closed = True
            parts, self._parts = self._parts, {}
        for name in _CLOSING_ORDER:
            if name in parts:
                parts[name].close()

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        self._parts = {}


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
