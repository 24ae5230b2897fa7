"""The users of this server, for who looks after it. It gives no right to a document."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from bokeh_server.accounts import folded
from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.bodies import read_object
from bokeh_server.blueprint.people.access import demand_admin
from bokeh_server.blueprint.people.events import event_of
from bokeh_server.blueprint.rendering import json_in_html, own_page
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.blueprint.wishes import wants_page
from bokeh_server.errors import BadRequest, Forbidden
from bokeh_server.readable import readable_size
from bokeh_server.storage import Usage, UserRecord

__all__ = ["add_routes"]

#: what a database can count to.
_MOST = {"most_documents": 2**31 - 1, "most_bytes": 2**63 - 1}
_KNOWN = {"disabled", *_MOST}


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    add("/bokeh/users", "users", _list, methods=["GET"])
    add("/bokeh/users/<username>", "change_user", _change, methods=["PATCH"])


def _list() -> Response:
    admin = demand_admin("list the users")
    store = current_state().store
    usage = {each.name: each for each in run_blocking(store.usage.list)}
    users = [_json(user, usage.get(user.name)) for user in run_blocking(store.users.list)]
    if wants_page():
        return _show(admin, users)
    return jsonify(users=users)


def _show(admin: str, users: list[dict[str, Any]]) -> Response:
    """The page of the same."""
    documents, size = current_state().quotas.limits(None)
    return own_page(
        "users.html",
        name=admin,
        users=users,
        readable=readable_size,
        usual={"documents": documents, "bytes": size},
        config=json_in_html({"root": links().root, "documents": documents, "bytes": size}),
    )


def _json(user: UserRecord, usage: Usage | None) -> dict[str, Any]:
    return {
        "username": user.name,
        "created": user.created.isoformat(),
        "disabled": user.disabled.isoformat() if user.disabled else None,
        "admin": user.is_admin,
        "documents": usage.documents if usage else 0,
        "bytes": usage.bytes if usage else 0,
        "most_documents": usage.most_documents if usage else None,
        "most_bytes": usage.most_bytes if usage else None,
    }


def _change(username: str) -> Response:
    attempted = "change a user"
    admin, (given, _) = demand_admin(attempted), read_object()
    name, state = folded(username), current_state()
    user = state.accounts.known(name)
    if not given or not given.keys() <= _KNOWN:
        raise BadRequest(attempted, f"the body has none of {', '.join(sorted(_KNOWN))}, or others")
    disabled = given.get("disabled", user.disabled is not None)
    if type(disabled) is not bool:
        raise BadRequest(attempted, "disabled is neither true nor false")
    if disabled and user.is_admin:
        who = "yourself" if name == admin else "another admin"
        raise Forbidden(attempted, f"you may not disable {who}", "Use bokeh-server users")
    limits = _limits(name, given) if given.keys() & _MOST.keys() else None
    if limits is not None:
        event = event_of("limit", detail=_told(limits), owner=name)
        run_blocking(lambda: state.store.usage.limit(name, *limits, event))
        state.quotas.forget(name)
    if disabled is not (user.disabled is not None):
        state.accounts.disable(name, disabled, event_of("disable" if disabled else "enable"))
    usage = run_blocking(state.store.usage.of, name)
    return jsonify(_json(state.accounts.known(name), usage))


def _limits(name: str, given: dict[str, Any]) -> tuple[int | None, int | None]:
    usage = run_blocking(current_state().store.usage.of, name)
    found = []
    for key, most in _MOST.items():
        value = given.get(key, getattr(usage, key, None))
        if value is not None and (type(value) is not int or not 0 <= value <= most):
            raise BadRequest("limit a user", f"{key} is neither null nor a number from 0")
        found.append(value)
    return found[0], found[1]


def _told(limits: tuple[int | None, int | None]) -> str:
    shown = ["as the settings say" if each is None else f"{each:,}" for each in limits]
    return f"documents: {shown[0]}; bytes: {shown[1]}"
