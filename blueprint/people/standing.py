"""Whether who opened a connection may still do what it is for, long after the request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bokeh_server.accounts import Known, Links
from bokeh_server.blueprint.people.access import check_right
from bokeh_server.blueprint.people.callers import current_caller
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import NotAuthenticated
from bokeh_server.permissions import Action, Actor

if TYPE_CHECKING:
    from bokeh_server.documents import Identity

__all__ = ["Standing", "checker", "follow_actor", "present_standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Who uses a document, and by what; equal for all of whom the same can be said.

    :param docid: ``None``: they follow the list of documents, and use none.
    :param actor: with the passes that they held at first.
    :param known: by what they are known, where that is a login or a token of ours.
    """

    docid: str | None
    actor: Actor
    known: Known | None = None

    def now(
        self, is_known: Callable[[Known], bool], is_good: Callable[[str], bool]
    ) -> Actor | None:
        """What is left of the actor; ``None``: they are not who they were.

        :param is_known: whether a login or token is good still.
        :param is_good: whether a link of this id is.
        """
        if self.known is not None and not is_known(self.known):
            return None
        if not self.actor.passes:
            return self.actor
        passes = tuple(held for held in self.actor.passes if is_good(held.id))
        return replace(self.actor, passes=passes)


def present_standing(docid: str | None) -> Standing:
    """The standing of who sent this request."""
    caller = current_caller()
    return Standing(docid, caller.actor, caller.known)


def follow_actor(standing: Standing) -> Callable[[], Actor]:
    """Who they are, at any time after the request; nobody once their login has ended."""
    who_now = _follow(standing)
    return lambda: who_now() or Actor(None)


def checker(
    standing: Standing, action: Action, revision: int | None = None
) -> Callable[[], Identity]:
    """Make sure, at any time after this request, that something may still be done.

    What is known of documents, logins and links is remembered for a second, so it may be asked
    for every message.

    :param revision: the one that alone is to be seen; ``None``: all of the document.
    :returns: what gives the document; it raises as
        :func:`.access.check_right` does, and ``NotAuthenticated`` where the login or token has
        ended.
    """
    engine = current_state().engine
    who_now = _follow(standing)

    def check() -> Identity:
        actor = who_now()
        if actor is None:
            raise NotAuthenticated(f"{action.verb} this document", "the login has ended", "Log in")
        identity = None if standing.docid is None else engine.identity(standing.docid)
        return check_right(identity, actor, action, revision)

    return check


def _follow(standing: Standing) -> Callable[[], Actor | None]:
    """What is left of the actor, at any time after this request."""
    state = current_state()
    is_known = _always if standing.known is None else state.accounts.is_good
    is_good = _holds(state.links) if standing.actor.passes else _always
    return lambda: standing.now(is_known, is_good)


def _always(_what: object) -> bool:
    return True


def _holds(links: Links) -> Callable[[str], bool]:
    return lambda link_id: links.get(link_id) is not None
