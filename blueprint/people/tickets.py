"""Tickets for the pages of this request, and what they allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import request

from bokeh_server.blueprint.bodies import choice_argument
from bokeh_server.blueprint.people.access import may_write
from bokeh_server.blueprint.people.callers import current_caller
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import Forbidden
from bokeh_server.sockets.tickets import mint_ticket

if TYPE_CHECKING:
    from bokeh_server.documents import Identity
    from bokeh_server.sockets.tickets import Kind, Right

__all__ = ["asked_kind", "asks_for", "is_public", "make_ticket", "writes"]

#: seconds; a page that stays open for longer gets another when it connects again.
LIFETIME = 24 * 3600.0
#: seconds; a frame runs its author's JavaScript and can give its ticket away,
#: so it gets one just before it connects.
FRAME_LIFETIME = 60.0


def is_public() -> bool:
    """Whether the address asks for a page on which everybody only looks."""
    return asks_for("public")


def asks_for(argument: str) -> bool:
    """Whether an argument of the address is there and says yes."""
    return request.args.get(argument, "").lower() in ("true", "1", "yes")


def writes(identity: Identity) -> bool:
    """Whether what is done on the page of this request is stored and shown to others."""
    return not is_public() and may_write(identity)


def asked_kind() -> Kind:
    """The kind of ticket that a page asks for: one for itself, or one for its frame.

    :raises BadRequest: this server gives out no such tickets.
    :raises Forbidden: another page than the document's own asks for its frame.
    """
    kinds = ("page", "frame") if current_state().settings.multi_user else ("page",)
    kind = choice_argument("kind", kinds)
    if kind == "frame" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        why = "only the page around the frame may"
        raise Forbidden("give out a ticket for a frame", why, "Load the page again")
    return cast("Kind", kind)


def make_ticket(identity: Identity, kind: Kind) -> str:
    """A ticket for the document's socket."""
    right: Right = "write" if writes(identity) else "read"
    secret, docid = current_state().secret, identity.docid
    if kind == "frame":
        who = current_caller()
        return mint_ticket(
            secret,
            docid,
            right,
            kind,
            FRAME_LIFETIME,
            who.actor.name,
            login=who.known.digest.hex() if who.known else None,
            links=tuple(each.id for each in who.actor.passes if each.docid == docid),
            by=who.known.by if who.known else "login",
        )
    return mint_ticket(secret, docid, right, kind, LIFETIME)
