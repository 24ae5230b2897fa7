"""What a request may do that comes with a ticket and without a login.

A document's frame has no origin (``Origin: null``) and runs its author's JavaScript.
Whatever cookies a browser might send along are not its own: the ticket alone says who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bokeh_server.accounts import Known
from bokeh_server.blueprint.access import check_right, current_actor
from bokeh_server.blueprint.callers import current_caller
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.usercontent import content_host, is_usercontent
from bokeh_server.errors import NotAuthenticated
from bokeh_server.permissions import Action, Actor
from bokeh_server.sockets.tickets import read_ticket

if TYPE_CHECKING:
    from bokeh_server.documents import Identity
    from bokeh_server.sockets.tickets import Ticket

__all__ = ["asker", "demand", "still", "ticket_for"]


def ticket_for(docid: str, token: str, attempted: str) -> Ticket:
    """Read a ticket, which must be one for this document and for this kind of server.

    One of a frame is used up by that.

    :raises NotAuthenticated: it is not, or it is no longer valid.
    """
    ticket = read_ticket(current_state().secret, token)
    if ticket.docid != docid:
        raise _refused(attempted, "the ticket is for another document")
    if ticket.kind == ("embed" if current_state().settings.multi_user else "frame"):
        raise _refused(attempted, f"this server gives out no tickets of the kind {ticket.kind}")
    if content_host() is not None and is_usercontent() is not (ticket.kind == "frame"):
        raise _refused(attempted, "the ticket is for another host of this server")
    if ticket.kind == "frame":
        current_state().spent.spend(token, ticket)
    return ticket


def asker(ticket: Ticket | None) -> Actor:
    """Who asks; for a frame the one that its ticket names, and no cookie is looked at.

    :raises NotAuthenticated: a frame, at a host for nothing else, has no ticket.
    """
    if ticket is not None and ticket.kind == "frame":
        return Actor(ticket.actor)
    if is_usercontent():
        raise _refused("read this document", "this host is for frames, which have tickets")
    return current_actor()


def demand(docid: str, actor: Actor, action: Action) -> Identity:
    """The document, for an actor who may do this to it.

    :raises UnknownDocument: there is none, or they may not know that there is one.
    :raises Forbidden: they may only look at it.
    """
    return check_right(current_state().engine.identity(docid), actor, action)


def still(docid: str, ticket: Ticket | None) -> Callable[[], None]:
    """Make sure, at any time after this request, that who asks may still change the document.

    They may no longer when their right was taken back, or the login or token has ended.
    """
    engine, actor, is_known = current_state().engine, asker(ticket), _still_known(ticket)

    def check() -> None:
        found = actor if is_known() else Actor(None)
        check_right(engine.identity(docid), found, Action.WRITE)

    return check


def _still_known(ticket: Ticket | None) -> Callable[[], bool]:
    if ticket is None or ticket.kind != "frame":
        return current_caller().is_good
    if ticket.actor is None or ticket.login is None:
        return lambda: True
    accounts = current_state().accounts
    known = Known(ticket.actor, Action.OWN, bytes.fromhex(ticket.login), "login")
    return lambda: accounts.is_good(known)


def _refused(attempted: str, why: str) -> NotAuthenticated:
    return NotAuthenticated(attempted, why, "Load the page again")
