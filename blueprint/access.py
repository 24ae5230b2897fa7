"""The documents that who asks may read, write or own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.callers import current_caller
from bokeh_server.blueprint.events import expect_changes
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.wishes import wants_page
from bokeh_server.errors import Forbidden, NotAuthenticated, UnknownDocument
from bokeh_server.permissions import Action, Actor, Resource, decide, may_look_after

if TYPE_CHECKING:
    from bokeh_server.documents import Identity

__all__ = [
    "check_right",
    "current_actor",
    "demand_admin",
    "demand_user",
    "is_admin",
    "may_write",
    "owned",
    "readable",
    "still_writable",
    "user_name",
    "writable",
]


def current_actor() -> Actor:
    """Who sent this request."""
    return current_caller().actor


def user_name() -> str:
    """The name under which changes of this request are stored."""
    return current_actor().name or ""


def demand_user(attempted: str, action: Action = Action.READ) -> str:
    """The name of who sent this request, for what only somebody who is known may do.

    :param action: what a token has to allow.
    :raises NotAuthenticated: nobody is logged in.
    :raises Forbidden: they are, by a token that is not for this.
    """
    actor = current_actor()
    if actor.name is None:
        raise NotAuthenticated(attempted, "nobody is logged in", "Log in, or send a token")
    if not action.within(actor.scope):
        raise Forbidden(
            attempted, f"the token may only {actor.scope.verb} documents", "Use another token"
        )
    return actor.name


def is_admin() -> bool:
    """Whether the sender of this request looks after the server."""
    return bool(may_look_after(_ranked()))


def demand_admin(attempted: str) -> str:
    """The name of who sent this request, for what only an admin may do.

    :raises NotAuthenticated: nobody is logged in.
    :raises Forbidden: they are no admin, or known by a token that is not for this.
    """
    name = demand_user(attempted)
    decision = may_look_after(_ranked())
    if not decision:
        raise Forbidden(attempted, decision.reason, "Ask whoever looks after this server")
    return name


def _ranked() -> Actor:
    """Who sent this request, with the rank that the account of their name has."""
    actor = current_actor()
    if actor.single_user or actor.name is None:
        return actor
    user = run_blocking(current_state().store.users.get, actor.name)
    return replace(actor, admin=user is not None and user.is_admin and user.disabled is None)


def readable(docid: str) -> Identity:
    """The document, for somebody who may look at it.

    :raises UnknownDocument: there is none, or they may not know that there is one.
    """
    return _visible(current_state().engine.identity(docid), current_actor())


def writable(docid: str) -> Identity:
    """The document, for somebody who may change it.

    :raises Forbidden: they may only look at it.
    """
    found = _demand(docid, Action.WRITE)
    expect_changes(docid)
    return found


def still_writable(docid: str) -> Callable[[], None]:
    """Makes sure, at any time after this request, that its sender may still change the document.

    What is known of documents and of logins is remembered for a second, so it may be asked for
    every message. The function that is given raises as :func:`writable` does.
    """
    engine, caller = current_state().engine, current_caller()
    is_good = caller.is_good

    def check() -> None:
        actor = caller.actor if is_good() else Actor(None)
        check_right(engine.identity(docid), actor, Action.WRITE)

    return check


def owned(docid: str) -> Identity:
    """The document, for somebody who may rename, publish, share and delete it.

    :raises Forbidden: it belongs to somebody else.
    """
    return _demand(docid, Action.OWN)


def _demand(docid: str, action: Action) -> Identity:
    return check_right(current_state().engine.identity(docid), current_actor(), action)


def check_right(identity: Identity | None, actor: Actor, action: Action) -> Identity:
    """The document, if ``actor`` may do ``action`` to it.

    :raises UnknownDocument: there is none, or they may not know that there is one.
    :raises Forbidden: they may only look at it.
    """
    found = _visible(identity, actor)
    decision = decide(actor, action, resource_of(found))
    if not decision:
        raise Forbidden(f"{action.verb} this document", decision.reason, "Ask its owner")
    return found


def _visible(identity: Identity | None, actor: Actor) -> Identity:
    if identity is None or not decide(actor, Action.READ, resource_of(identity)):
        raise _invisible(actor)
    return identity


def _invisible(actor: Actor) -> Exception:
    """Say the same of a document that is not there and of one that is not theirs."""
    attempted = "open this document"
    if actor.single_user:
        return UnknownDocument(attempted, "there is none of this docid", "It may have been deleted")
    if actor.name is None and wants_page():
        return NotAuthenticated(attempted, "nobody is logged in", "Log in")
    why = "there is none of this docid that you may see"
    remedy = "Log in, or ask its owner" if actor.name is None else "Ask its owner"
    return UnknownDocument(attempted, why, remedy)


def may_write(identity: Identity) -> bool:
    """Whether the sender of this request may change the document."""
    return bool(decide(current_actor(), Action.WRITE, resource_of(identity)))


def resource_of(identity: Identity) -> Resource:
    """What decisions need to know of a document."""
    return Resource(owner=identity.owner, published=identity.published, roles=identity.roles)
