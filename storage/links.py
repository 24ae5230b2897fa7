"""Share links and document keys: what lets whoever has a secret use one document.

Only digests are kept, so that who reads the database cannot use any of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from bokeh_server.errors import NoLongerKept, NotFound, UnknownRevision
from bokeh_server.storage.batches import batched
from bokeh_server.storage.database import Database
from bokeh_server.storage.documents import unknown_document
from bokeh_server.storage.events import NewEvent, add_event
from bokeh_server.storage.tables import Change, Document, Link, Snapshot
from bokeh_server.storage.types import utc_now

__all__ = ["LinkRecord", "LinkStore", "NewLink", "oldest_pinned"]


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link or key to be kept.

    :param kind: ``link`` for people, ``key`` for scripts.
    :param role: ``viewer`` or ``editor``.
    :param revision: the only one that it shows; ``None``: the document as it is.
    :param creator: the name of who made it.
    :param expires: ``None``: never.
    """

    id: str
    digest: bytes
    docid: str
    kind: str
    title: str
    role: str
    creator: str
    revision: int | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A link or key as it is listed; its secret is nowhere."""

    id: str
    digest: bytes
    docid: str
    kind: str
    title: str
    role: str
    revision: int | None
    creator: str
    created: datetime
    used: datetime | None
    expires: datetime | None

    @property
    def is_good(self) -> bool:
        """Whether it has not ended."""
        return self.expires is None or self.expires > utc_now()


class LinkStore:
    """Links and keys of all documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, link: NewLink, event: NewEvent | None = None) -> LinkRecord:
        """Keep a link.

        :param event: is kept in the same transaction, here and below.

        :raises UnknownDocument: there is no such document.
        :raises UnknownRevision: it has no such revision yet.
        :raises NoLongerKept: it had one, which is not kept any more.
        """
        row = {name: getattr(link, name) for name in NewLink.__slots__}
        with self._database.write("make a link") as connection:
            # Locked, so that nothing is compacted between the look and the insertion.
            head = connection.scalar(
                select(Document.seq)
                .where(Document.id == link.docid)
                .with_for_update(key_share=True)
            )
            if head is None:
                raise unknown_document(link.docid)
            if link.revision is not None:
                _check_kept(connection, link.docid, link.revision, head)
            connection.execute(insert(Link).values(**row, created=utc_now()))
            add_event(connection, event)
            return LinkRecord(*connection.execute(_links().where(Link.id == link.id)).one())

    def get(self, link_id: str) -> LinkRecord | None:
        """The link of this id, while it is good."""
        query = _links().where(Link.id == link_id, _good(utc_now()))
        with self._database.read("look up a link") as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else LinkRecord(*row)

    def good(self, ids: Collection[str]) -> set[str]:
        """Those of these links that are good."""
        query = select(Link.id).where(_good(utc_now()))
        with self._database.read("look up links") as connection:
            return {
                found
                for some in batched(ids)
                for found in connection.scalars(query.where(Link.id.in_(some)))
            }

    def of(self, docid: str | None = None) -> list[LinkRecord]:
        """The links of a document, or of all; the newest first. Those that ended are listed too."""
        query = _links().order_by(Link.created.desc(), Link.id)
        if docid is not None:
            query = query.where(Link.docid == docid)
        with self._database.read("list links") as connection:
            return [LinkRecord(*row) for row in connection.execute(query)]

    def revoke(
        self, link_id: str, docid: str | None = None, event: NewEvent | None = None
    ) -> LinkRecord:
        """Let a link be good no more.

        :param docid: only if it is one of this document.
        :raises NotFound: there is no such link.
        """
        query = _links().where(Link.id == link_id)
        if docid is not None:
            query = query.where(Link.docid == docid)
        with self._database.write("revoke a link") as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                why = "there is none of this id"
                raise NotFound(f"revoke the link {link_id[:40]!r}", why, "List the links")
            connection.execute(delete(Link).where(Link.id == link_id))
            add_event(connection, event)
        return LinkRecord(*row)

    def note(self, link_id: str) -> None:
        """Note that a link is in use."""
        query = update(Link).where(Link.id == link_id).values(used=utc_now())
        with self._database.write("note a link") as connection:
            connection.execute(query)


def oldest_pinned(docid: str) -> Any:  # the type of a Select differs between SQLAlchemy versions
    """The query for the oldest revision that a link shows which is good; null where none does."""
    return select(func.min(Link.revision)).where(Link.docid == docid, _good(utc_now()))


def _good(now: datetime) -> Any:
    return or_(Link.expires.is_(None), Link.expires > now)


def _links() -> Any:
    return select(*(getattr(Link, name) for name in LinkRecord.__slots__))


def _check_kept(connection: Connection, docid: str, revision: int, head: int) -> None:
    attempted = f"make a link to revision {revision} of document {docid}"
    if revision > head:
        remedy = f"Its last is {head}"
        raise UnknownRevision(attempted, "it has no such change yet", remedy)
    oldest = _oldest(connection, docid)
    if revision < oldest:
        remedy = f"Revisions {oldest} to {head} can be opened"
        raise NoLongerKept(attempted, "it is older than what is kept", remedy)


def _oldest(connection: Connection, docid: str) -> int:
    """The oldest revision that can be opened: 0 where all changes are kept."""
    if connection.scalar(select(func.min(Change.seq)).where(Change.docid == docid)) == 1:
        return 0
    return connection.scalar(select(func.min(Snapshot.seq)).where(Snapshot.docid == docid)) or 0
