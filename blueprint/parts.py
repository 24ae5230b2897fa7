"""How each part of an app's state is made: here, and nowhere else, all rooms meet.

Each is imported when it is first needed, so that whoever only adds us to an app loads little.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.schema import BokehSchema
from bokeh_server.blueprint.telling import Teller
from bokeh_server.secret_keys import Keys, load_keys

if TYPE_CHECKING:
    from bokeh_server.accounts import Accounts, Handovers, Links, Registration
    from bokeh_server.apps import Backend, Guard
    from bokeh_server.blueprint.assets import Assets
    from bokeh_server.blueprint.documents.feed import Feed
    from bokeh_server.blueprint.documents.presence import Presence
    from bokeh_server.blueprint.people.auth import Auth
    from bokeh_server.blueprint.people.rechecks import Rechecks
    from bokeh_server.blueprint.state import State
    from bokeh_server.documents import Engine, Quotas
    from bokeh_server.documents.noting import Noter
    from bokeh_server.sockets import Limits, SocketLoop
    from bokeh_server.sockets.tickets import Spent
    from bokeh_server.storage import Store

__all__ = ["MAKERS"]


def _load_keys(state: State) -> Keys:
    settings = state.settings
    return load_keys(settings.data_dir, settings.secret_key, settings.former_secret_keys)


def _open_store(state: State) -> Store:
    from bokeh_server.storage import Store

    return Store.open(state.settings.database)


def _start_engine(state: State) -> Engine:
    from bokeh_server.documents import Engine, Limits

    settings = state.settings
    limits = Limits(
        patch_bytes=settings.max_body_size,
        keep_changes=settings.keep_changes,
        keep_time=timedelta(days=settings.keep_days),
        keep_events=timedelta(days=settings.keep_events_days),
    )
    if not settings.multi_user:
        return Engine(state.store, limits=limits, schema=state.schema)
    return Engine(
        state.store,
        limits=limits,
        schema=state.schema,
        sharing=True,
        quotas=state.quotas,
        authored=state.noter.changed,
    )


def _make_quotas(state: State) -> Quotas:
    from bokeh_server.documents import Quotas

    settings, usage = state.settings, state.store.usage
    return Quotas(
        lambda name: run_blocking(usage.of, name), settings.user_documents, settings.user_bytes
    )


def _make_noter(state: State) -> Noter:
    from bokeh_server.documents.noting import Noter

    return Noter(state.store.events, state.store.documents)


def _open_accounts(state: State) -> Accounts:
    from bokeh_server.accounts import Accounts, Policy

    settings = state.settings
    registration = cast("Registration", settings.registration)
    return Accounts(
        state.store, Policy(registration, login_time=timedelta(days=settings.login_days))
    )


def _open_handovers(state: State) -> Handovers:
    from bokeh_server.accounts import Handovers

    return Handovers(state.store, state.accounts)


def _open_links(state: State) -> Links:
    from bokeh_server.accounts import Links

    return Links(state.store)


def _start_sockets(state: State) -> SocketLoop:
    from bokeh_server.sockets import SocketLoop

    return SocketLoop(_socket_limits(state))


def _socket_limits(state: State) -> Limits:
    from bokeh_server.sockets import Limits

    largest = state.settings.max_body_size
    return Limits(
        max_message=largest,
        max_protocol_message=largest,
        ping_interval=state.settings.ping_interval,
    )


def _remember_tickets(state: State) -> Spent:
    from bokeh_server.sockets.tickets import Spent

    return Spent()


def _start_feed(state: State) -> Feed:
    from bokeh_server.blueprint.documents.feed import Feed

    return Feed(state.engine, state.store)


def _start_presence(state: State) -> Presence:
    from bokeh_server.blueprint.documents.presence import Presence

    def title(link_id: str) -> str:
        link = state.links.get(link_id)
        return link.title if link else ""

    return Presence(state.engine, title)


def _start_rechecks(state: State) -> Rechecks:
    from bokeh_server.blueprint.people.rechecks import Rechecks

    return Rechecks(state.engine, state.store)


def _make_auth(state: State) -> Auth:
    from bokeh_server.blueprint.people.auth import make_auth

    assert state.auth_hooks is not None, "there is one"
    return make_auth(state.auth_hooks, state.settings, state.secret, state.cookie_secret)


def _find_assets(state: State) -> Assets:
    from bokeh_server.blueprint.assets import Assets

    return Assets(state.settings.data_dir / "cache")


def _make_applications(state: State) -> Backend:
    from bokeh.application.application import Application

    from bokeh_server.apps import Services
    from bokeh_server.blueprint.applications.options import make_backend
    from bokeh_server.blueprint.applications.publishing import EnginePublisher

    pushes = {"/": Application()} if state.takes_pushes else {}
    hooks, prefix = state.auth_hooks, state.settings.url_prefix
    return make_backend(
        state.settings,
        _session_key(state),
        {**pushes, **state.added},
        _socket_limits(state),
        prefix + hooks.logout_url if hooks is not None and hooks.logout_url else None,
        former=_former_session_keys(state),
        services=Services(EnginePublisher(state), _guard(state)),
    )


def _guard(state: State) -> Guard | None:
    from bokeh_server.blueprint.applications.guarding import LoginGuard

    return LoginGuard(state) if state.settings.multi_user else None


def _given_key(state: State) -> bytes:
    return state.session_key or os.environ.get("BOKEH_SECRET_KEY", "").encode()


def _session_key(state: State) -> bytes:
    given = _given_key(state)
    if given or not state.settings.session_ids.endswith("signed"):
        return given
    return state.secret


def _former_session_keys(state: State) -> Sequence[bytes]:
    is_ours = not _given_key(state) and state.settings.session_ids.endswith("signed")
    return state.former_secrets if is_ours else ()


#: how each part is made, by its name.
MAKERS: Mapping[str, Callable[[State], Any]] = {
    "accounts": _open_accounts,
    "applications": _make_applications,
    "assets": _find_assets,
    "auth": _make_auth,
    "engine": _start_engine,
    "feed": _start_feed,
    "handovers": _open_handovers,
    "keys": _load_keys,
    "links": _open_links,
    "noter": _make_noter,
    "presence": _start_presence,
    "quotas": _make_quotas,
    "rechecks": _start_rechecks,
    "schema": lambda _: BokehSchema(),
    "sockets": _start_sockets,
    "spent": _remember_tickets,
    "store": _open_store,
    "teller": lambda _: Teller(),
}
