"""Snapshots: documents written out whole, so that loading needs only the changes after."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from bokeh_server.storage.database import Database
from bokeh_server.storage.records import Snapshot as SnapshotRecord
from bokeh_server.storage.tables import Document, Snapshot

__all__ = ["SnapshotStore"]


class SnapshotStore:
    """The newest snapshot of each document."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, docid: str) -> SnapshotRecord | None:
        """The newest snapshot of a document."""
        query = (
            select(Snapshot.docid, Snapshot.seq, Snapshot.body)
            .where(Snapshot.docid == docid)
            .order_by(Snapshot.seq.desc())
            .limit(1)
        )
        with self._database.read(f"load document {docid}") as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else SnapshotRecord(*row)

    def write(self, docid: str, seq: int, body: bytes) -> bool:
        """Keep a document as it is after change ``seq``, in place of its older snapshots.

        :returns: whether it was written: not for a deleted document, nor over one as new.
        """
        with self._database.write(f"write a snapshot of document {docid}") as connection:
            newer = (
                update(Document)
                .where(Document.id == docid, Document.snapshot_seq < seq, Document.seq >= seq)
                .values(snapshot_seq=seq)
            )
            if not connection.execute(newer).rowcount:
                return False
            connection.execute(delete(Snapshot).where(Snapshot.docid == docid))
            connection.execute(insert(Snapshot).values(docid=docid, seq=seq, body=body))
            return True
