"""What is kept: users, documents, their changes and snapshots, on SQLite or PostgreSQL.

:class:`Store` is one database. Nothing here knows what is inside a change or a snapshot.
Calls block; under gevent they go through :func:`bokeh_server.blocking.run_blocking`.
"""

from __future__ import annotations

from bokeh_server.storage.changes import ChangeStore
from bokeh_server.storage.credentials import CredentialStore, LoginRecord, NewToken, TokenRecord
from bokeh_server.storage.documents import DocumentStore
from bokeh_server.storage.events import ACTIONS, EventRecord, EventStore, NewEvent
from bokeh_server.storage.gallery import Card, GalleryStore, Listed, Section, Sort, Wish
from bokeh_server.storage.grants import GrantRecord, GrantStore
from bokeh_server.storage.handovers import HandoverRecord, HandoverStore
from bokeh_server.storage.links import LinkRecord, LinkStore, NewLink
from bokeh_server.storage.records import (
    ChangeRecord,
    Clash,
    DocumentRecord,
    Gone,
    NewChange,
    Outcome,
    Repeated,
    Snapshot,
    Stored,
    Taken,
)
from bokeh_server.storage.snapshots import SnapshotStore
from bokeh_server.storage.store import Store
from bokeh_server.storage.thumbnails import ThumbnailRecord, ThumbnailStore
from bokeh_server.storage.usage import Usage, UsageStore
from bokeh_server.storage.users import ADMIN, UserRecord, UserStore

__all__ = [
    "ACTIONS",
    "ADMIN",
    "Card",
    "ChangeRecord",
    "ChangeStore",
    "Clash",
    "CredentialStore",
    "DocumentRecord",
    "DocumentStore",
    "EventRecord",
    "EventStore",
    "GalleryStore",
    "Gone",
    "GrantRecord",
    "GrantStore",
    "HandoverRecord",
    "HandoverStore",
    "LinkRecord",
    "LinkStore",
    "Listed",
    "LoginRecord",
    "NewChange",
    "NewEvent",
    "NewLink",
    "NewToken",
    "Outcome",
    "Repeated",
    "Section",
    "Snapshot",
    "SnapshotStore",
    "Sort",
    "Store",
    "Stored",
    "Taken",
    "ThumbnailRecord",
    "ThumbnailStore",
    "TokenRecord",
    "Usage",
    "UsageStore",
    "UserRecord",
    "UserStore",
    "Wish",
]
