"""The engine: documents in memory, their changes committed in groups and fed to followers."""

from __future__ import annotations

from bokeh_server.documents.describing import Group, describe, join
from bokeh_server.documents.engine import Engine
from bokeh_server.documents.identities import Identity
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.live import LiveDocument, Pulled
from bokeh_server.documents.quotas import Quotas
from bokeh_server.documents.reading import Still
from bokeh_server.documents.revisions import Revision, Span

__all__ = [
    "Engine",
    "Group",
    "Identity",
    "Limits",
    "LiveDocument",
    "Pulled",
    "Quotas",
    "Revision",
    "Span",
    "Still",
    "describe",
    "join",
]
