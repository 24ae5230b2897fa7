"""The rights that owners gave to others, document by document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from bokeh_server.storage.database import Database
from bokeh_server.storage.documents import id_of_user, records, unknown_document
from bokeh_server.storage.events import NewEvent, add_event
from bokeh_server.storage.records import DocumentRecord
from bokeh_server.storage.tables import Document, Grant, User
from bokeh_server.storage.types import utc_now
from bokeh_server.storage.users import unknown_user

__all__ = ["GrantRecord", "GrantStore"]


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """The right of somebody.

    :param role: ``editor`` or ``viewer``.
    """

    name: str
    role: str
    created: datetime


class GrantStore:
    """Who may do what to which document, besides its owner."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(
        self,
        docid: str,
        name: str,
        role: str,
        event: NewEvent | None = None,
        *,
        make: bool = False,
    ) -> None:
        """Give somebody a right, in the place of what they had.

        :param event: is kept in the same transaction.
        :param make: make the user, where there is none of this name.
        :raises NotFound: there is nobody of this name.
        :raises UnknownDocument: there is no such document.
        """
        with self._database.write("share a document") as connection:
            user_id = connection.scalar(select(User.id).where(User.name == name))
            if user_id is None and not make:
                raise unknown_user(name)
            found = select(Document.id).where(Document.id == docid).with_for_update(key_share=True)
            if connection.scalar(found) is None:
                raise unknown_document(docid)
            if user_id is None:
                user_id = id_of_user(connection, name)
            of_both = (Grant.docid == docid, Grant.user_id == user_id)
            changed = connection.execute(update(Grant).where(*of_both).values(role=role))
            if not changed.rowcount:
                row = {"docid": docid, "user_id": user_id, "role": role, "created": utc_now()}
                connection.execute(insert(Grant).values(**row))
            add_event(connection, event)

    def take(self, docid: str, name: str, event: NewEvent | None = None) -> bool:
        """Take a right back; whether there was one."""
        ids = select(User.id).where(User.name == name)
        query = delete(Grant).where(Grant.docid == docid, Grant.user_id.in_(ids))
        with self._database.write("share a document") as connection:
            had = connection.execute(query).rowcount == 1
            add_event(connection, event if had else None)
        return had

    def of(self, docid: str) -> list[GrantRecord]:
        """The rights in a document, by name."""
        query = _grants().where(Grant.docid == docid).order_by(User.name)
        with self._database.read("list who may use a document") as connection:
            return [GrantRecord(*row) for row in connection.execute(query)]

    def roles(self, docid: str) -> dict[str, str]:
        """The role of everybody who has one in a document, by name."""
        return {record.name: record.role for record in self.of(docid)}

    def shared_with(self, name: str) -> list[DocumentRecord]:
        """The documents in which somebody has a right, the last changed first."""
        docids = select(Grant.docid).join(User, User.id == Grant.user_id).where(User.name == name)
        newest = (Document.changed.desc(), Document.id)
        query = records().where(Document.id.in_(docids)).order_by(*newest)
        with self._database.read("list shared documents") as connection:
            return [DocumentRecord(*row) for row in connection.execute(query)]


def _grants() -> Any:  # the type of a Select differs between SQLAlchemy 2.0 and 2.1
    return select(User.name, Grant.role, Grant.created).join(User, User.id == Grant.user_id)
