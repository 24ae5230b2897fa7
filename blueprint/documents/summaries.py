"""What lists say about a document: everything that is known without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bokeh_server.permissions import Actor, Resource, rights_in

if TYPE_CHECKING:
    from bokeh_server.documents import Engine
    from bokeh_server.storage import DocumentRecord

__all__ = ["summary"]

NO_ROLES: Mapping[str, str] = {}


def summary(
    record: DocumentRecord, actor: Actor, engine: Engine, roles: Mapping[str, str] = NO_ROLES
) -> dict[str, Any]:
    """A document as JSON values, as ``actor`` sees it."""
    resource = Resource(record.owner, record.published, roles, record.docid)
    return {
        "docid": record.docid,
        "title": record.title,
        "owner": record.owner,
        "seq": record.seq,
        "published": record.published,
        "created": record.created.isoformat(),
        "changed": record.changed.isoformat(),
        "plots": record.plots,
        "viewers": engine.viewers(record.docid),
        "rights": rights_in(resource, actor),
    }
