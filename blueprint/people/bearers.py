"""What a request may do that comes with a ticket and without a login.

A document's frame has no origin (``Origin: null``) and runs its author's JavaScript.
Whatever cookies a browser might send along are not its own: the ticket alone says who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bokeh_server.accounts import Known, pass_of
from bokeh_server.blueprint.people.standing import Standing, present_standing
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.usercontent import content_host, is_usercontent
from bokeh_server.errors import NotAuthenticated
from bokeh_server.permissions import Action, Actor
from bokeh_server.sockets.tickets import read_ticket

if TYPE_CHECKING:
    from bokeh_server.sockets.tickets import Ticket

__all__ = ["asker", "ticket_for"]


def ticket_for(docid: str, token: str, attempted: str) -> Ticket:
    """Read a ticket, which must be one for this document and for this kind of server.

    One of a frame is used up by that.

    :raises NotAuthenticated: it is not, or it is no longer valid.
    """
    state = current_state()
    ticket = read_ticket(state.secret, token, state.former_secrets)
    if ticket.docid != docid:
        raise _refused(attempted, "the ticket is for another document")
    if ticket.kind == ("embed" if state.settings.multi_user else "frame"):
        raise _refused(attempted, f"this server gives out no tickets of the kind {ticket.kind}")
    if content_host() is not None and is_usercontent() is not (ticket.kind == "frame"):
        raise _refused(attempted, "the ticket is for another host of this server")
    if ticket.kind == "frame":
        current_state().spent.spend(token, ticket)
    return ticket


def asker(docid: str, ticket: Ticket | None) -> Standing:
    """Who asks; for a frame the one that its ticket names, and no cookie is looked at.

    :raises NotAuthenticated: a frame, at a host for nothing else, has no ticket.
    """
    if ticket is None or ticket.kind != "frame":
        if is_usercontent():
            raise _refused("read this document", "this host is for frames, which have tickets")
        return present_standing(docid)
    links = current_state().links
    found = [record for each in ticket.links if (record := links.get(each)) is not None]
    actor = Actor(ticket.actor, passes=tuple(map(pass_of, found)))
    return Standing(docid, actor, _known(ticket))


def _known(ticket: Ticket) -> Known | None:
    if ticket.actor is None or ticket.login is None:
        return None
    return Known(ticket.actor, Action.OWN, bytes.fromhex(ticket.login), ticket.by)


def _refused(attempted: str, why: str) -> NotAuthenticated:
    return NotAuthenticated(attempted, why, "Load the page again")
