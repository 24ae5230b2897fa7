"""What is kept: users, documents, their changes and snapshots, on SQLite or PostgreSQL.

:class:`Store` is one database. Nothing here knows what is inside a change or a snapshot.
Calls block; under gevent they go through :func:`bokeh_server.blocking.run_blocking`.
"""

from __future__ import annotations

from bokeh_server.storage.changes import ChangeStore
from bokeh_server.storage.documents import DocumentStore
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

__all__ = [
    "ChangeRecord",
    "ChangeStore",
    "Clash",
    "DocumentRecord",
    "DocumentStore",
    "Gone",
    "NewChange",
    "Outcome",
    "Repeated",
    "Snapshot",
    "SnapshotStore",
    "Store",
    "Stored",
    "Taken",
]
