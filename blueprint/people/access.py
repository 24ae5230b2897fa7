"""The documents that who asks may read, write or own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flask import request

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.people.callers import current_caller
from bokeh_server.blueprint.people.events import expect_changes
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.wishes import wants_page
from bokeh_server.errors import Forbidden, NotAuthenticated, NotFound, UnknownDocument
from bokeh_server.permissions import Action, Actor, Pass, Resource, decide, may_look_after

if TYPE_CHECKING:
    from bokeh_server.documents import Identity

__all__ = [
    "check_right",
    "current_actor",
    "current_key",
    "demand_admin",
    "demand_people",
    "demand_person",
    "demand_user",
    "is_admin",
    "may_read_all",
    "may_write",
    "owned",
    "pinned_revision",
    "readable",
    "resource_of",
    "user_name",
    "writable",
]


def current_actor() -> Actor:
    """Who sent this request."""
    return current_caller().actor


def current_key() -> Pass | None:
    """The document key with which this request was sent."""
    return next((held for held in current_actor().passes if held.kind == "key"), None)


def user_name(docid: str | None = None) -> str:
    """The name under which changes of this request are stored.

    :param docid: the document that is changed, to which a pass of theirs may be.
    """
    return current_actor().signature(docid)


def demand_people(attempted: str) -> None:
    """Make sure that there is somebody else.

    :raises NotFound: the server is for one.
    """
    if not current_state().settings.multi_user:
        why = "this server knows nobody but you"
        raise NotFound(attempted, why, "Start it with --multi-user")


def demand_user(attempted: str, action: Action = Action.READ) -> str:
    """The name of who sent this request, for what only somebody who is known may do.

    :param action: what a token has to allow.
    :raises NotAuthenticated: nobody is logged in.
    :raises Forbidden: they are, by a token that is not for this.
    """
    actor = current_actor()
    if actor.name is None:
        if current_key() is not None:
            why = "a document key is good for its document alone"
            raise Forbidden(attempted, why, "Use a token")
        raise NotAuthenticated(attempted, "nobody is logged in", "Log in, or send a token")
    if not action.within(actor.scope):
        raise Forbidden(
            attempted, f"the token may only {actor.scope.verb} documents", "Use another token"
        )
    return actor.name


def demand_person(attempted: str) -> str:
    """The name of a person who is logged in: a token may not make others, or end logins.

    :raises Forbidden: it is a token.
    """
    name, known = demand_user(attempted), current_caller().known
    if known is not None and known.by == "token":
        raise Forbidden(attempted, "a token may not do this", "Log in on the server's page")
    return name


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


def readable(docid: str, revision: int | None = None) -> Identity:
    """The document, for somebody who may look at it.

    :param revision: the one that alone is to be seen; ``None``: all of it.
    :raises UnknownDocument: there is none, or they may not know that there is one.
    :raises Forbidden: a link shows them another revision.
    """
    identity = current_state().engine.identity(docid)
    return check_right(identity, current_actor(), Action.READ, revision)


def writable(docid: str) -> Identity:
    """The document, for somebody who may change it.

    :raises Forbidden: they may only look at it.
    """
    found = _demand(docid, Action.WRITE)
    expect_changes(docid)
    return found


def owned(docid: str) -> Identity:
    """The document, for somebody who may rename, publish, share and delete it.

    :raises Forbidden: it belongs to somebody else.
    """
    return _demand(docid, Action.OWN)


def _demand(docid: str, action: Action) -> Identity:
    return check_right(current_state().engine.identity(docid), current_actor(), action)


def check_right(
    identity: Identity | None, actor: Actor, action: Action, revision: int | None = None
) -> Identity:
    """The document, if ``actor`` may do ``action`` to it.

    :param revision: the one that alone is to be seen; ``None``: all of it.
    :raises UnknownDocument: there is none, or they may not know that there is one.
    :raises Forbidden: they may only look at it, or at one revision of it.
    """
    if identity is None:
        raise _invisible(actor)
    resource = resource_of(identity)
    decision = decide(actor, action, resource, revision)
    if decision:
        return identity
    if not (_holds_any(actor, identity) or decide(actor, Action.READ, resource)):
        raise _invisible(actor)
    raise Forbidden(f"{action.verb} this document", decision.reason, "Ask its owner")


def _holds_any(actor: Actor, identity: Identity) -> bool:
    """Whether they know already that there is such a document."""
    return any(held.docid == identity.docid for held in actor.passes)


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


def may_read_all(identity: Identity) -> bool:
    """Whether the sender of this request may see more of the document than one revision."""
    return bool(decide(current_actor(), Action.READ, resource_of(identity)))


def pinned_revision(docid: str) -> int | None:
    """The revision to lead to where a page is asked for that its asker may see no other of.

    The last, where they hold several links; ``None``: they named one, or may see all, or none.
    """
    if not wants_page() or "revision" in request.args:
        return None
    held = [each.revision for each in current_actor().passes if each.docid == docid]
    pinned = max((each for each in held if each is not None), default=None)
    identity = current_state().engine.identity(docid) if pinned is not None else None
    if identity is None or may_read_all(identity):
        return None
    may = decide(current_actor(), Action.READ, resource_of(identity), pinned)
    return pinned if may else None


def may_write(identity: Identity) -> bool:
    """Whether the sender of this request may change the document."""
    return bool(decide(current_actor(), Action.WRITE, resource_of(identity)))


def resource_of(identity: Identity) -> Resource:
    """What decisions need to know of a document."""
    return Resource(identity.owner, identity.published, identity.roles, identity.docid)
