"""Tickets for the pages of this request, and what they allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from bokeh_server.blueprint.access import may_write
from bokeh_server.blueprint.state import current_state
from bokeh_server.sockets.tickets import mint_ticket

if TYPE_CHECKING:
    from bokeh_server.documents import Identity
    from bokeh_server.sockets.tickets import Kind, Right

__all__ = ["is_public", "make_ticket", "writes"]

#: seconds; a page that stays open for longer gets another when it connects again.
LIFETIME = 24 * 3600.0


def is_public() -> bool:
    """Whether the address asks for a page on which everybody only looks."""
    return request.args.get("public", "").lower() in ("true", "1", "yes")


def writes(identity: Identity) -> bool:
    """Whether what is done on the page of this request is stored and shown to others."""
    return not is_public() and may_write(identity)


def make_ticket(identity: Identity, kind: Kind) -> str:
    """A ticket for the document's socket."""
    right: Right = "write" if writes(identity) else "read"
    return mint_ticket(current_state().secret, identity.docid, right, kind, LIFETIME)
