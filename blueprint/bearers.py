"""What a request may do that comes with a ticket and without a login.

A document's frame has no origin (``Origin: null``) and runs its author's JavaScript.
Whatever cookies a browser might send along are not its own: the ticket alone says who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bokeh_server.blueprint import access
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import NotAuthenticated
from bokeh_server.permissions import Action, Actor
from bokeh_server.sockets.tickets import read_ticket

if TYPE_CHECKING:
    from bokeh_server.documents import Identity
    from bokeh_server.sockets.tickets import Ticket

__all__ = ["asker", "demand", "still", "ticket_for"]


def ticket_for(docid: str, token: str, attempted: str) -> Ticket:
    """Read a ticket, which must be one for this document and for this kind of server.

    :raises NotAuthenticated: it is not, or it is no longer valid.
    """
    ticket = read_ticket(current_state().secret, token)
    if ticket.docid != docid:
        raise _refused(attempted, "the ticket is for another document")
    if ticket.kind == ("embed" if current_state().settings.multi_user else "frame"):
        raise _refused(attempted, f"this server gives out no tickets of the kind {ticket.kind}")
    return ticket


def asker(ticket: Ticket | None) -> Actor:
    """Who asks; for a frame the one that its ticket names, and no cookie is looked at."""
    if ticket is not None and ticket.kind == "frame":
        return Actor(ticket.actor)
    return access.current_actor()


def demand(docid: str, actor: Actor, action: Action) -> Identity:
    """The document, for an actor who may do this to it.

    :raises UnknownDocument: there is none, or they may not know that there is one.
    :raises Forbidden: they may only look at it.
    """
    return access._check(current_state().engine.identity(docid), actor, action)


def still(docid: str, actor: Actor) -> Callable[[], None]:
    """Make sure, at any time after this request, that an actor may still change the document."""
    engine = current_state().engine

    def check() -> None:
        access._check(engine.identity(docid), actor, Action.WRITE)

    return check


def _refused(attempted: str, why: str) -> NotAuthenticated:
    return NotAuthenticated(attempted, why, "Load the page again")
