"""What lists tell somebody of documents, and in which of the lists each belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bokeh_server.blueprint.documents.summaries import summary
from bokeh_server.permissions import Action, Actor, Resource, decide

if TYPE_CHECKING:
    from bokeh_server.documents import Engine
    from bokeh_server.storage import Card, Section

__all__ = ["card_json", "section_of"]


def section_of(card: Card, actor: Actor) -> Section | None:
    """In which of somebody's lists a document is; ``None``: they may not know of it."""
    record = card.record
    resource = Resource(record.owner, record.published, card.roles)
    if actor.name is None or not decide(actor, Action.READ, resource):
        return None
    if record.owner == actor.name:
        return "mine"
    if actor.single_user:
        return None  # of people whom this database knew when several shared it
    return "shared" if actor.name in card.roles else "published"


def card_json(card: Card, actor: Actor, engine: Engine) -> dict[str, Any]:
    """A document as JSON values, as ``actor`` sees it.

    With how many it is shared is for its owner alone.
    """
    shown = summary(card.record, actor, engine, card.roles)
    owns = Action.OWN.value in shown["rights"]
    return {
        **shown,
        "section": section_of(card, actor),
        "thumbnail": card.thumbnail,
        "shared": len(card.roles) if owns else 0,
    }
