"""Who sent a request: by a token, a login's cookie, a proxy's word or the app's own login.

Whoever it is may have followed share links, whose cookies come with it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from flask import Response, g, request

from bokeh_server.accounts import Known, folded, pass_of
from bokeh_server.blueprint.people.link_cookies import followed
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.usercontent import is_usercontent
from bokeh_server.errors import NotAuthenticated
from bokeh_server.permissions import SINGLE_USER, Actor, Pass

__all__ = [
    "Caller",
    "clear_login",
    "cookie_name",
    "current_caller",
    "given_name",
    "has_login_page",
    "set_login",
    "shown_user",
]

_NAME = "bokeh-server-login"
_KEPT = "_bokeh_server_caller"
#: what a name given by a proxy or an app may have.
_MOST_NAME = 255


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request.

    :param known: by what they are known, where that is a login or a token of ours.
    """

    actor: Actor
    known: Known | None = None


def current_caller() -> Caller:
    """Who sent this request.

    :raises NotAuthenticated: it has a token that is good for nothing.
    """
    found: Caller | None = g.get(_KEPT)
    if found is None:
        found = _find()
        setattr(g, _KEPT, found)
    return found


def _find() -> Caller:
    state = current_state()
    if not state.settings.multi_user:
        return Caller(Actor(SINGLE_USER, single_user=True))
    if is_usercontent():
        return Caller(Actor(None))
    token = _token()
    if token is not None:
        return _holder(token)
    caller = _person()
    return replace(caller, actor=replace(caller.actor, passes=_passes()))


def _person() -> Caller:
    state = current_state()
    if state.find_user is not None:
        return _named(state.find_user())
    if state.settings.user_header:
        return _named(_forwarded(state.settings.user_header))
    return _by_cookie()


def _token() -> str | None:
    """The token of a request, which then has nobody else's rights, whatever cookie it has."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _holder(token: str) -> Caller:
    known = current_state().accounts.by_token(token)
    if known is None:
        key = current_state().links.by_key(token)
        if key is not None:
            return Caller(Actor(None, passes=(pass_of(key),)))
        current_state().links.note_guess(request.remote_addr or "")
        why = "the token was revoked, has ended, or is none of this server's"
        raise NotAuthenticated("use the token", why, "Log in again")
    return Caller(Actor(known.name, scope=known.scope), known)


def _named(name: str | None) -> Caller:
    found = given_name(name)
    if found is None or current_state().accounts.is_disabled(found):
        return Caller(Actor(None))
    return Caller(Actor(found))


def given_name(name: str | None) -> str | None:
    """The name as we know it, where a proxy or an app may give it to somebody."""
    found = folded(name)
    if not found or len(found) > _MOST_NAME or not found.isprintable() or found == SINGLE_USER:
        return None
    return found


def _forwarded(header: str) -> str | None:
    """What the proxy says; anybody may say it where there is none."""
    name = request.headers.get(header, "")
    # Of several headers WSGI makes one with commas; only one of them can be the proxy's.
    return name if current_state().settings.trusted_proxies and "," not in name else None


def _by_cookie() -> Caller:
    secret = _cookie()
    known = current_state().accounts.by_login(secret) if secret and not _is_foreign() else None
    return Caller(Actor(known.name), known) if known else Caller(Actor(None))


def _cookie() -> str | None:
    """What our cookie holds; of two of its name one was planted, and it is not known which."""
    values = request.cookies.getlist(cookie_name())
    return values[0] if len(values) == 1 else None


def _passes() -> tuple[Pass, ...]:
    """What the browser holds, where the request is for a document."""
    is_for_one = "docid" in (request.view_args or {}) or "docid" in request.args
    return followed() if is_for_one and not _is_foreign() else ()


def _is_foreign() -> bool:
    """Whether a page asks that may not use the cookie, should a browser ever send it."""
    headers = request.headers
    if headers.get("Origin") == "null":
        return True
    moves = headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    return headers.get("Sec-Fetch-Site") == "cross-site" and not moves


def has_login_page() -> bool:
    """Whether people log in with us, and not with a proxy or the app."""
    state = current_state()
    settings = state.settings
    return settings.multi_user and state.find_user is None and not settings.user_header


def shown_user() -> str | None:
    """The name that pages show of who is logged in with us; nothing where nobody logs in."""
    if not has_login_page():
        return None
    with suppress(NotAuthenticated):
        return current_caller().actor.name
    return None


def cookie_name() -> str:
    """The cookie's name: over HTTPS one that no other host can set."""
    return f"__Host-{_NAME}" if request.is_secure else _NAME


def set_login(answer: Response, secret: str) -> None:
    """Have the browser be logged in by this answer."""
    days = current_state().settings.login_days
    answer.set_cookie(
        cookie_name(),
        secret,
        max_age=int(days * 24 * 3600),
        path="/",
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def clear_login(answer: Response) -> None:
    """Have the browser be logged in no more."""
    answer.delete_cookie(
        cookie_name(), path="/", secure=request.is_secure, httponly=True, samesite="Lax"
    )
