"""Pictures of documents, one for each, drawn in the browser of somebody who may change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from bokeh_server.storage.database import Database
from bokeh_server.storage.documents import is_docid, unknown_document
from bokeh_server.storage.tables import Document, Thumbnail
from bokeh_server.storage.types import utc_now

__all__ = ["ThumbnailRecord", "ThumbnailStore"]


@dataclass(frozen=True, slots=True)
class ThumbnailRecord:
    """The picture of a document as it was after change ``seq``."""

    seq: int
    mimetype: str
    body: bytes
    made: datetime


class ThumbnailStore:
    """The picture of each document that has one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, docid: str) -> ThumbnailRecord | None:
        """A document's picture."""
        if not is_docid(docid):
            return None
        columns = (Thumbnail.seq, Thumbnail.mimetype, Thumbnail.body, Thumbnail.made)
        with self._database.read("look at a document's picture") as connection:
            row = connection.execute(select(*columns).where(Thumbnail.docid == docid)).one_or_none()
        return None if row is None else ThumbnailRecord(*row)

    def put(self, docid: str, seq: int, mimetype: str, body: bytes) -> bool:
        """Keep a picture in the place of the one before, unless that is of a later change.

        :returns: whether it was kept.
        :raises UnknownDocument: there is no such document.
        """
        with self._database.write("keep a document's picture") as connection:
            found = select(Document.id).where(Document.id == docid).with_for_update(key_share=True)
            if not is_docid(docid) or connection.scalar(found) is None:
                raise unknown_document(docid)
            present = select(Thumbnail.seq).where(Thumbnail.docid == docid).with_for_update()
            before = connection.scalar(present)
            if before is not None and before > seq:
                return False
            connection.execute(delete(Thumbnail).where(Thumbnail.docid == docid))
            row = {"docid": docid, "seq": seq, "mimetype": mimetype, "body": body}
            connection.execute(insert(Thumbnail).values(**row, made=utc_now()))
            return True
