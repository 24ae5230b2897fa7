"""Documents and their owners."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bokeh_server.errors import BadRequest, Conflict, QuotaReached, TitleTaken, UnknownDocument
from bokeh_server.storage.database import Database
from bokeh_server.storage.events import NewEvent, add_event
from bokeh_server.storage.records import DocumentRecord
from bokeh_server.storage.tables import Document, Grant, User
from bokeh_server.storage.types import utc_now
from bokeh_server.storage.users import unknown_user

__all__ = [
    "MOST_SEQ",
    "TITLE_LENGTH",
    "DocumentStore",
    "check_title",
    "id_of_user",
    "is_docid",
    "make_docid",
    "records",
    "unknown_document",
]

TITLE_LENGTH = 255
#: the greatest number that a change can have.
MOST_SEQ = 2**63 - 1
_DOCID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_BYTES = 18
#: control characters, surrogates, separators of lines and of paragraphs.
_REFUSED = frozenset(("Cc", "Cs", "Zl", "Zp"))


def make_docid() -> str:
    """A new id of 24 URL-safe characters, over 128 of its bits random.

    It starts with a letter or digit, so that it is never taken for an option of a command.
    """
    while True:
        docid = secrets.token_urlsafe(_BYTES)
        if docid[0] not in "-_":
            return docid


def is_docid(text: str) -> bool:
    """Whether ``text`` could be a document's id."""
    return _DOCID.fullmatch(text) is not None


def check_title(title: object) -> str:
    """Give back a title that may be stored.

    :raises BadRequest: not text, empty, longer than 255 characters, or with characters that
        control something or separate lines.
    """
    if not isinstance(title, str) or not title.strip():
        raise BadRequest("name a document", "a title is text that is not empty")
    if len(title) > TITLE_LENGTH:
        raise BadRequest(
            "name a document",
            f"the title has {len(title)} characters",
            f"Use at most {TITLE_LENGTH}",
        )
    if not _is_one_line(title):
        raise BadRequest(
            "name a document",
            "the title has control characters or separators of lines",
            "Leave them out",
        )
    return title


def _is_one_line(title: str) -> bool:
    return all(unicodedata.category(character) not in _REFUSED for character in title)


#: a query may have only so many parameters.
HEADS_AT_ONCE = 1000


class DocumentStore:
    """Documents by id, by owner and title; not what is in them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        owner: str,
        title: str,
        docid: str | None = None,
        event: NewEvent | None = None,
        most: int = 0,
    ) -> DocumentRecord:
        """Make an empty document; the owner is made when new.

        :param docid: the id it shall have, as when a document is imported; ``None`` for a new one.
        :param event: is kept in the same transaction, here and below.
        :param most: so many the owner may have; 0: any number.
        :raises QuotaReached: they have as many.
        :raises TitleTaken: the owner has a document of this title.
        :raises Conflict: there is a document of this id.
        :raises BadRequest: the title or id cannot be used.
        """
        check_title(title)
        if docid is not None and not is_docid(docid):
            raise BadRequest("create a document", f"{docid[:80]!r} cannot be a document's id")
        docid = docid or make_docid()
        with self._database.write(f"create the document {title!r}") as connection:
            owner_id = id_of_user(connection, owner)
            if most:
                _check_number(connection, owner_id, title, most)
            try:
                _insert(connection, docid, owner_id, title)
            except IntegrityError as error:
                raise _why_not(error, docid, title) from error
            if event is not None:
                add_event(connection, replace(event, docid=docid, owner=owner, title=title))
            return _require(connection, docid)

    def find(self, owner: str, title: str) -> DocumentRecord | None:
        """The owner's document of this title."""
        if not _is_one_line(title):  # the title of no document; databases refuse some of them
            return None
        with self._database.read(f"find the document {title!r}") as connection:
            query = records().where(User.name == owner, Document.title == title)
            row = connection.execute(query).one_or_none()
        return None if row is None else _record(row)

    def get(self, docid: str) -> DocumentRecord | None:
        """The document of this id."""
        if not is_docid(docid):
            return None
        with self._database.read(f"look up document {docid}") as connection:
            return _get(connection, docid)

    def after(self, docid: str) -> DocumentRecord | None:
        """The next document in the order of ids, ``""`` being before the first."""
        query = records().where(Document.id > docid).order_by(Document.id).limit(1)
        with self._database.read("look for documents") as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _record(row)

    def list(self, owner: str | None = None) -> list[DocumentRecord]:
        """The owner's documents, or everybody's; the last changed first."""
        query = records().order_by(Document.changed.desc(), Document.id)
        if owner is not None:
            query = query.where(User.name == owner)
        with self._database.read("list the documents") as connection:
            return [_record(row) for row in connection.execute(query)]

    def heads(self, docids: Sequence[str]) -> dict[str, tuple[int, datetime]]:
        """Of each of these documents that is there the number of the last change.

        :returns: that, and when the document was made: one that was made again is another.
        """
        found: dict[str, tuple[int, datetime]] = {}
        with self._database.read("look at documents") as connection:
            for start in range(0, len(docids), HEADS_AT_ONCE):
                some = docids[start : start + HEADS_AT_ONCE]
                columns = select(Document.id, Document.seq, Document.created)
                rows = connection.execute(columns.where(Document.id.in_(some)))
                found.update((row[0], (row[1], row[2])) for row in rows)
        return found

    def delete(self, docid: str, event: NewEvent | None = None) -> None:
        """Delete a document, its changes and its snapshots for good.

        :raises UnknownDocument: there is no such document.
        """
        if not is_docid(docid):
            raise unknown_document(docid)
        with self._database.write(f"delete document {docid}") as connection:
            if not connection.execute(delete(Document).where(Document.id == docid)).rowcount:
                raise unknown_document(docid)
            add_event(connection, event)
        self._database.cut_log()

    def give(self, docid: str, owner: str, event: NewEvent | None = None) -> DocumentRecord:
        """Make somebody else the owner; the rights of others stay as they are.

        :raises UnknownDocument: there is no such document.
        :raises NotFound: there is nobody of this name.
        :raises TitleTaken: they have a document of this title.
        """
        with self._database.write(f"give document {docid} to {owner!r}") as connection:
            owner_id = connection.scalar(select(User.id).where(User.name == owner))
            if owner_id is None:
                raise unknown_user(owner)
            title = _require(connection, docid).title
            try:
                with connection.begin_nested():
                    record = _set(connection, docid, owner_id=owner_id)
            except IntegrityError as error:
                raise _why_not(error, docid, title) from error
            gone = delete(Grant).where(Grant.docid == docid, Grant.user_id == owner_id)
            connection.execute(gone)
            add_event(connection, event)
            return record

    def publish(self, docid: str, published: bool, event: NewEvent | None = None) -> DocumentRecord:
        """Let everybody read a document, or no longer.

        :raises UnknownDocument: there is no such document.
        """
        with self._database.write(f"publish document {docid}") as connection:
            record = _set(connection, docid, published=published)
            add_event(connection, event)
            return record

    def embed(self, docid: str, sites: str | None, event: NewEvent | None = None) -> DocumentRecord:
        """Let pages of these sites alone embed a document; ``None``: of every site.

        :raises UnknownDocument: there is no such document.
        """
        with self._database.write(f"choose the sites of document {docid}") as connection:
            record = _set(connection, docid, sites=sites)
            add_event(connection, event)
            return record


def _check_number(connection: Connection, owner_id: int, title: str, most: int) -> None:
    # Locked, so that of many at once no one more is made than there is room for.
    connection.execute(select(User.id).where(User.id == owner_id).with_for_update(key_share=True))
    query = select(func.count()).where(Document.owner_id == owner_id)
    count = connection.execute(query).scalar_one()
    if count >= most:
        raise QuotaReached(
            f"create the document {title!r}",
            f"you have {count} documents and may have {most}",
            "Delete one, or ask whoever looks after this server for more",
        )


def _insert(connection: Connection, docid: str, owner_id: int, title: str) -> None:
    now = utc_now()
    connection.execute(
        insert(Document).values(
            id=docid,
            owner_id=owner_id,
            title=title,
            seq=0,
            snapshot_seq=0,
            published=False,
            plots=0,
            bytes=0,
            created=now,
            changed=now,
        )
    )


def id_of_user(connection: Connection, name: str) -> int:
    """The number of a user, who is made where there is none of this name."""
    query = select(User.id).where(User.name == name)
    found = connection.scalar(query)
    if found is not None:
        return found
    try:
        with connection.begin_nested():
            connection.execute(insert(User).values(name=name, created=utc_now()))
    except IntegrityError:  # another process made the same user meanwhile
        pass
    return connection.execute(query).scalar_one()


def records() -> Any:  # the type of a Select differs between SQLAlchemy 2.0 and 2.1
    """The query for records of documents, for the tables ``document`` and ``user``."""
    columns = (
        Document.id,
        Document.title,
        User.name,
        Document.seq,
        Document.published,
        Document.created,
        Document.changed,
        Document.plots,
        Document.sites,
    )
    return select(*columns).join(User, User.id == Document.owner_id)


def _record(row: Sequence[Any]) -> DocumentRecord:
    return DocumentRecord(*row)


def _get(connection: Connection, docid: str) -> DocumentRecord | None:
    row = connection.execute(records().where(Document.id == docid)).one_or_none()
    return None if row is None else _record(row)


def _require(connection: Connection, docid: str) -> DocumentRecord:
    record = _get(connection, docid)
    if record is None:
        raise unknown_document(docid)
    return record


def _set(connection: Connection, docid: str, **values: object) -> DocumentRecord:
    if not is_docid(docid):
        raise unknown_document(docid)
    connection.execute(update(Document).where(Document.id == docid).values(**values))
    return _require(connection, docid)


def unknown_document(docid: str) -> UnknownDocument:
    """The error for a docid that no document has."""
    return UnknownDocument(
        f"find document {docid[:80]!r}", "there is no document of this id", "Check the address"
    )


def _why_not(error: IntegrityError, docid: str, title: str) -> Conflict:
    if "title" in str(error.orig):
        return TitleTaken(
            f"name a document {title!r}",
            "its owner has another document of this title",
            "Choose another title, or delete that document",
        )
    return Conflict(f"create document {docid}", "there is a document of this id")
