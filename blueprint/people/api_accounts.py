"""Registering, logging in and out, passwords and tokens: forms of our pages, and JSON.

A form logs its browser in; JSON is answered with a token, for scripts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.wrappers import Response as AnyResponse

from bokeh_server.accounts import Accounts, Known
from bokeh_server.blueprint.bodies import read_object
from bokeh_server.blueprint.foreign import refuse_unsigned
from bokeh_server.blueprint.people.access import demand_people, demand_person, demand_user
from bokeh_server.blueprint.people.callers import (
    clear_login,
    current_caller,
    has_login_page,
    set_login,
)
from bokeh_server.blueprint.people.events import event_of, note_refused
from bokeh_server.blueprint.people.form_pages import say_on_page, to_page
from bokeh_server.blueprint.people.link_cookies import clear_links
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import (
    BadRequest,
    CallerError,
    NotAuthenticated,
    NotFound,
)
from bokeh_server.permissions import Action
from bokeh_server.storage import NewEvent, TokenRecord, UserRecord

__all__ = ["accounts_here", "add_routes"]

_FORM = "application/x-www-form-urlencoded"
_MOST_DAYS = 3650
#: what a token is called that a script got by logging in.
_SCRIPT = "a script"


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    add("/bokeh/register", "register", _register, methods=["POST"])
    add("/bokeh/login", "login", _login, methods=["POST"])
    add("/bokeh/logout", "logout", _logout, methods=["POST"])
    add("/bokeh/account/password", "change_password", _change_password, methods=["POST"])
    add("/bokeh/account/logout", "logout_everywhere", _logout_everywhere, methods=["POST"])
    add("/bokeh/account/tokens", "tokens", _tokens, methods=["GET"])
    add("/bokeh/account/tokens", "make_token", _make_token, methods=["POST"])
    add("/bokeh/account/tokens/<token_id>", "revoke_token", _revoke, methods=["DELETE"])


def accounts_here() -> Accounts:
    """The accounts of this server.

    :raises NotFound: it has none.
    """
    if not has_login_page():
        raise NotFound(
            "use an account", "this server has none of its own", "Start it with --multi-user"
        )
    return current_state().accounts


def _register() -> AnyResponse:
    accounts, given = accounts_here(), _given()

    def register() -> UserRecord:
        return accounts.register(
            given.get("username"),
            given.get("password"),
            address=_address(),
            invitation=str(given.get("invitation") or ""),
            event=_entering("register"),
        )

    return _enter(register, given, "register")


def _login() -> AnyResponse:
    given = _given()

    def check() -> UserRecord:
        return _checked(given.get("username"), given.get("password"))

    return _enter(check, given, "login")


def _entering(action: str, detail: str | None = None) -> NewEvent:
    """Somebody becomes known by a password, whoever else the request says it is from."""
    return NewEvent(action, via="password", address=_address(), detail=detail)


def _checked(name: object, password: object) -> UserRecord:
    try:
        return accounts_here().check(name, password, address=_address())
    except NotAuthenticated:
        note_refused(name)
        raise


def _enter(find: Any, given: dict[str, Any], page: str) -> AnyResponse:
    """Log in whom ``find`` gives: a browser by its cookie, a script by a token."""
    if not _is_form():
        user = find()
        title = str(given.get("title") or _SCRIPT)
        event = _entering("login", title)
        token = current_state().accounts.make_token(user, title, event=event)
        return jsonify(username=user.name, token=token)
    refuse_unsigned()
    try:
        user = find()
    except CallerError as error:
        return say_on_page(page, error, given)
    # Whoever was logged in here before, or planted a cookie, is no more: it is a new one.
    _end(current_caller().known)
    answer, event = to_page(given.get("next")), _entering("login", _agent())
    set_login(answer, current_state().accounts.log_in(user, _agent(), event))
    return answer


def _logout() -> AnyResponse:
    accounts_here()
    _end(current_caller().known)
    answer = to_page("/bokeh/login") if _is_form() else jsonify(status="ok")
    clear_login(answer)
    clear_links(answer)  # whoever sits down here next shall not have them
    return answer


def _end(known: Known | None) -> None:
    if known is not None and known.by == "login":
        current_state().accounts.log_out(known.digest)


def _logout_everywhere() -> AnyResponse:
    accounts, name = accounts_here(), demand_person("log out everywhere")
    event = event_of("logout")
    count = accounts.log_out_everywhere(name, keep=_own_login(), event=event)
    return to_page("/bokeh/account") if _is_form() else jsonify(ended=count)


def _change_password() -> AnyResponse:
    accounts, name, given = accounts_here(), demand_user("change a password"), _given()
    try:
        _checked(name, given.get("current"))
        event = event_of("password")
        accounts.change_password(name, given.get("password"), keep=_own_login(), event=event)
    except CallerError as error:
        if not _is_form():
            raise
        return say_on_page("account", error, given)
    return to_page("/bokeh/account?changed=1") if _is_form() else jsonify(status="ok")


def _own_login() -> bytes | None:
    known = current_caller().known
    return known.digest if known is not None and known.by == "login" else None


# --- tokens ------------------------------------------------------------------------------------


def _accounts_of_tokens(attempted: str) -> Accounts:
    """Tokens work beside the logins of a proxy or an app, too."""
    demand_people(attempted)
    return current_state().accounts


def _tokens() -> Response:
    attempted = "list your tokens"
    accounts, name = _accounts_of_tokens(attempted), demand_user(attempted, Action.OWN)
    return jsonify(tokens=[_token_json(record) for record in accounts.tokens(name)])


def _make_token() -> AnyResponse:
    attempted = "make a token"
    accounts, name, given = _accounts_of_tokens(attempted), demand_person(attempted), _given()
    user = accounts.user(name) if has_login_page() else accounts.made(name)
    title = str(given.get("title") or "")
    scope, event = _scope(given), event_of("token", detail=title)
    token = accounts.make_token(user, title, scope, _lifetime(given), event)
    return jsonify(token=token)


def _revoke(token_id: str) -> AnyResponse:
    attempted = "revoke a token"
    accounts = _accounts_of_tokens(attempted)
    # A token that may do little ends itself, and no other.
    action = Action.READ if _is_own(token_id) else Action.OWN
    accounts.revoke(token_id, demand_user(attempted, action), event_of("revoke"))
    return Response(status=204)


def _is_own(token_id: str) -> bool:
    """Whether it is the token by which this request is known."""
    known = current_caller().known
    token = current_state().accounts.token_of(known) if known is not None else None
    return token is not None and token.id == token_id


def _scope(given: dict[str, Any]) -> Action:
    try:
        return Action(given.get("scope") or "own")
    except ValueError:
        known = ", ".join(action.value for action in Action)
        raise BadRequest("make a token", f"its scope is not one of {known}") from None


def _lifetime(given: dict[str, Any]) -> timedelta | None:
    days = str(given.get("days") or "")
    if not days:
        return None
    if not (days.isascii() and days.isdigit()) or not 0 < int(days[:6]) <= _MOST_DAYS:
        raise BadRequest("make a token", f"days is not a number from 1 to {_MOST_DAYS}")
    return timedelta(days=int(days[:6]))


def _token_json(record: TokenRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "title": record.title,
        "scope": record.scope,
        "created": record.created.isoformat(),
        "used": record.used.isoformat() if record.used else None,
        "expires": record.expires.isoformat() if record.expires else None,
    }


# --- what was sent -----------------------------------------------------------------------------


def _is_form() -> bool:
    return request.mimetype == _FORM


def _given() -> dict[str, Any]:
    return request.form.to_dict() if _is_form() else read_object()[0]


def _address() -> str:
    return request.remote_addr or ""


def _agent() -> str:
    return request.headers.get("User-Agent", "")
