"""Who asks, and the documents that they may read, write or own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import Forbidden, UnknownDocument
from bokeh_server.permissions import SINGLE_USER, Action, Actor, Resource, decide

if TYPE_CHECKING:
    from bokeh_server.documents import Identity

__all__ = [
    "current_actor",
    "may_write",
    "owned",
    "readable",
    "still_writable",
    "user_name",
    "writable",
]


def current_actor() -> Actor:
    """Who sent this request."""
    return Actor(SINGLE_USER, single_user=True)


def user_name() -> str:
    """The name under which changes of this request are stored."""
    return current_actor().name or ""


def readable(docid: str) -> Identity:
    """The document, for somebody who may look at it.

    :raises UnknownDocument: there is none, or they may not know that there is one.
    """
    return _visible(current_state().engine.identity(docid), current_actor())


def writable(docid: str) -> Identity:
    """The document, for somebody who may change it.

    :raises Forbidden: they may only look at it.
    """
    return _demand(docid, Action.WRITE)


def still_writable(docid: str) -> Callable[[], None]:
    """Makes sure, at any time after this request, that its sender may still change the document.

    What is known of a document is remembered for a second, so it may be asked for every message.
    The function that is given raises as :func:`writable` does.
    """
    engine, actor = current_state().engine, current_actor()

    def check() -> None:
        _check(engine.identity(docid), actor, Action.WRITE)

    return check


def owned(docid: str) -> Identity:
    """The document, for somebody who may rename, publish and delete it.

    :raises Forbidden: it belongs to somebody else.
    """
    return _demand(docid, Action.OWN)


def _demand(docid: str, action: Action) -> Identity:
    return _check(current_state().engine.identity(docid), current_actor(), action)


def _check(identity: Identity | None, actor: Actor, action: Action) -> Identity:
    found = _visible(identity, actor)
    decision = decide(actor, action, _resource(found))
    if not decision:
        raise Forbidden(f"{action.value} this document", decision.reason, "Ask its owner")
    return found


def _visible(identity: Identity | None, actor: Actor) -> Identity:
    if identity is None or not decide(actor, Action.READ, _resource(identity)):
        raise UnknownDocument(
            "open this document", "there is none of this docid", "It may have been deleted"
        )
    return identity


def may_write(identity: Identity) -> bool:
    """Whether the sender of this request may change the document."""
    return bool(decide(current_actor(), Action.WRITE, _resource(identity)))


def _resource(identity: Identity) -> Resource:
    return Resource(owner=identity.owner, published=identity.published)
