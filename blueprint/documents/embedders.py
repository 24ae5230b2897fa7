"""Which pages of other sites may show a document, as its owner chose."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import request

from bokeh_server.blueprint.foreign import own_names
from bokeh_server.errors import Forbidden
from bokeh_server.sites import permits
from bokeh_server.sockets.origin import check_origin

if TYPE_CHECKING:
    from bokeh_server.documents import Identity

__all__ = ["asking_origin", "demand_embedder", "may_embed"]


def demand_embedder(identity: Identity, origin: str | None) -> None:
    """Make sure that pages of an origin may show the document, as far as one is told.

    :param origin: ``None``: it is not known, or no browser asks.
    :raises Forbidden: they may not.
    """
    if origin is not None and not may_embed(identity, origin):
        why = "its owner lets other sites show it"
        raise Forbidden(f"show this plot on {origin[:200]}", why, "Have its owner add this one")


def may_embed(identity: Identity, origin: str) -> bool:
    """Whether pages of an origin may show the document: ours always, others as its owner says."""
    if identity.sites is None or permits(identity.sites, origin):
        return True
    host = request.headers.get("Host", "")
    return bool(check_origin(origin, host, (), names=own_names().own))


def asking_origin() -> str | None:
    """The origin of the page that asks, if its browser tells: for a script it need not."""
    origin = request.headers.get("Origin")
    if origin is not None:
        return origin
    referrer = request.headers.get("Referer", "")
    try:
        parts = urlsplit(referrer)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else None
