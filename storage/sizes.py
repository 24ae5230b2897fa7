"""How much of the database each document takes."""

from __future__ import annotations

from sqlalchemy import func, select

from bokeh_server.storage.store import Store
from bokeh_server.storage.tables import Blob, Change

__all__ = ["stored_sizes"]


def stored_sizes(store: Store) -> dict[str, int]:
    """Bytes of the changes and the snapshots kept of each document, by docid."""
    sizes: dict[str, int] = {}
    with store.database.read("measure the documents") as connection:
        for table in (Change, Blob):
            query = select(table.docid, func.sum(func.length(table.body))).group_by(table.docid)
            for docid, size in connection.execute(query):
                sizes[docid] = sizes.get(docid, 0) + int(size or 0)
    return sizes
