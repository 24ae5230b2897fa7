"""How much of the database everybody's documents take, and how much they may.

``document.bytes`` counts what is stored of a document: the bodies of its changes and blobs, and
:data:`ROW_BYTES` for each change and part. Whatever stores or drops these keeps it, in the same
transaction, so that nobody has to measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, select, update

from bokeh_server.storage.database import Database
from bokeh_server.storage.events import NewEvent, add_event
from bokeh_server.storage.tables import Blob, Change, Document, Part, Thumbnail, User
from bokeh_server.storage.users import unknown_user

__all__ = ["ROW_BYTES", "Usage", "UsageStore", "count_bytes", "lock_document"]

#: what a row takes besides its body, about.
ROW_BYTES = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """What somebody's documents take.

    :param most_documents: that they may have; ``None``: as the settings say; 0: no limit.
    :param most_bytes: the same of bytes.
    """

    name: str
    documents: int
    bytes: int
    most_documents: int | None
    most_bytes: int | None


class UsageStore:
    """Usage by user, and the limits of each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, name: str) -> Usage | None:
        """What somebody's documents take; ``None`` where nobody has this name."""
        with self._database.read("look up how much is stored") as connection:
            row = connection.execute(_usage().where(User.name == name)).one_or_none()
        return None if row is None else _record(row)

    def list(self) -> list[Usage]:
        """What everybody's take, by name."""
        with self._database.read("look up how much is stored") as connection:
            return [_record(row) for row in connection.execute(_usage().order_by(User.name))]

    def limit(
        self,
        name: str,
        most_documents: int | None,
        most_bytes: int | None,
        event: NewEvent | None = None,
    ) -> None:
        """Set the limits of somebody; ``None``: as the settings say.

        :raises NotFound: nobody has this name.
        """
        values = {"most_documents": most_documents, "most_bytes": most_bytes}
        with self._database.write("limit a user") as connection:
            query = update(User).where(User.name == name).values(**values)
            if not connection.execute(query).rowcount:
                raise unknown_user(name)
            add_event(connection, event)

    def measure(self, docid: str) -> int:
        """Measure what :attr:`Document.bytes` counts, row by row: slow, for tests and doubts."""
        bodies = (select(func.sum(func.length(each.body))).where(each.docid == docid)
                  for each in (Change, Blob))  # fmt: skip
        rows = (select(func.count()).where(each.docid == docid) for each in (Change, Part))
        with self._database.read("measure a document") as connection:
            size = sum(connection.scalar(query) or 0 for query in bodies)
            return int(size + ROW_BYTES * sum(connection.scalar(query) or 0 for query in rows))


def lock_document(connection: Connection, docid: str) -> None:
    """Lock a document's row, as whoever is going to count its bytes does first of all.

    Rows that refer to it lock it, too, but not so much; who had them first, and then the row,
    would wait in a ring with a committer, who has the row and waits for them.
    """
    query = select(Document.id).where(Document.id == docid).with_for_update(key_share=True)
    connection.execute(query)


def count_bytes(connection: Connection, docid: str, size: int) -> None:
    """Count what was stored of a document, or, below 0, dropped; see :func:`lock_document`."""
    if size:
        counted = func.coalesce(Document.bytes, 0) + size
        floor = case((counted > 0, counted), else_=0)
        connection.execute(update(Document).where(Document.id == docid).values(bytes=floor))


def _usage() -> Any:
    pictures = (
        select(func.sum(func.length(Thumbnail.body)))
        .join(Document, Document.id == Thumbnail.docid)
        .where(Document.owner_id == User.id)
        .scalar_subquery()
    )
    mine = Document.owner_id == User.id
    count = select(func.count()).where(mine).scalar_subquery()
    size = select(func.sum(Document.bytes)).where(mine).scalar_subquery()
    return select(User.name, count, size, pictures, User.most_documents, User.most_bytes)


def _record(row: Sequence[Any]) -> Usage:
    name, documents, size, pictures, most_documents, most_bytes = row
    return Usage(name, documents, int(size or 0) + int(pictures or 0), most_documents, most_bytes)
