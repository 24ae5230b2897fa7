"""What people did: rows that outlive the documents and people that they tell of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from bokeh_server.storage.database import Database
from bokeh_server.storage.tables import Event, User
from bokeh_server.storage.types import utc_now

__all__ = ["ACTIONS", "EventRecord", "EventStore", "NewEvent", "add_event", "disown"]

#: every action there is, and what it says of whom; pages have words of their own.
ACTIONS = (
    # of documents
    "create",
    "rename",
    "delete",
    "publish",
    "unpublish",
    "share",
    "unshare",
    "give",
    "link",
    "unlink",
    "follow",
    "sites",
    "replace",
    "restore",
    "change",
    "open",
    # of accounts
    "register",
    "login",
    "refused",
    "logout",
    "password",
    "token",
    "revoke",
    "add-user",
    "disable",
    "enable",
    "delete-user",
    "promote",
    "demote",
    "limit",
)

#: rows that are kept, whatever their age, so that nobody fills the disk with them.
MOST_EVENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that is being done.

    :param action: one of :data:`ACTIONS`.
    :param actor: who does it; empty where nobody is known.
    :param via: what they are known by.
    :param address: where the request came from.
    :param docid: of the document that it is done to.
    :param owner: who owns that document, or has the account that it is about, and may read it.
    :param title: of the document, as it was before.
    """

    action: str
    actor: str = ""
    via: str = ""
    address: str = ""
    docid: str | None = None
    owner: str | None = None
    title: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that was done."""

    id: int
    at: datetime
    actor: str
    via: str
    address: str
    action: str
    docid: str | None
    owner: str | None
    title: str | None
    detail: str | None


class EventStore:
    """Adds events, finds them, and drops the oldest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, events: Sequence[NewEvent]) -> None:
        """Keep events of what is committed already; see :func:`add_event` for the others."""
        with self._database.write("note what was done") as connection:
            for event in events:
                add_event(connection, event)

    def add_known(self, event: NewEvent) -> None:
        """Keep an event of an account, if there is one: for nobody's it has no owner.

        Whoever takes a name later shall not see what happened to it before.
        """
        with self._database.write("note what was done") as connection:
            known = select(User.id).where(User.name == event.owner)
            found = connection.execute(known).one_or_none() is not None
            add_event(connection, event if found else replace(event, owner=None))

    def find(
        self,
        *,
        owner: str | None = None,
        docid: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> list[EventRecord]:
        """Events, the newest first.

        :param owner: only those that this user may read.
        :param before: only those of lower numbers.
        :param after: only those of higher numbers, the oldest of them; still the newest first.
        """
        given = {Event.owner: owner, Event.docid: docid, Event.actor: actor, Event.action: action}
        query = select(*_COLUMNS)
        for column, value in given.items():
            if value is not None:
                query = query.where(column == _printable(value))  # as it was kept
        if since is not None:
            query = query.where(Event.at >= since)
        if before is not None:
            query = query.where(Event.id < before)
        if after is not None:
            query = query.where(Event.id > after)
        order = Event.id.desc() if after is None else Event.id
        with self._database.read("look up what was done") as connection:
            rows: Sequence[Any] = connection.execute(query.order_by(order).limit(limit)).all()
        found = [EventRecord(*row) for row in rows]
        return found if after is None else found[::-1]

    def forget(self, before: datetime, limit: int = 1000, most: int = MOST_EVENTS) -> int:
        """Delete the oldest events: those from before a time, and what is more than ``most``.

        At most ``limit`` go in one transaction.

        :returns: how many were deleted; fewer than ``limit`` when none is left.
        """
        newest = select(func.max(Event.id))
        with self._database.read("look up what was done") as connection:
            last = connection.execute(newest).scalar_one() or 0
            old = (Event.at < before) | (Event.id <= last - most)
            query = select(Event.id).where(old).order_by(Event.id).limit(limit)
            ids = list(connection.execute(query).scalars())
        if ids:
            with self._database.write("forget what was done") as connection:
                connection.execute(delete(Event).where(Event.id.in_(ids)))
        return len(ids)


def add_event(connection: Connection, event: NewEvent | None) -> None:
    """Keep an event in the transaction of what it tells of."""
    if event is not None:
        connection.execute(insert(Event).values(**_row(event)))


def disown(connection: Connection, name: str) -> None:
    """Let nobody who takes a user's name later read what they could."""
    connection.execute(update(Event).where(Event.owner == name).values(owner=None))


def _row(event: NewEvent) -> dict[str, Any]:
    assert event.action in ACTIONS, event.action
    row: dict[str, Any] = {"at": utc_now(), "action": event.action}
    for name, most in _MOST.items():
        text: str | None = getattr(event, name)
        row[name] = None if text is None else _printable(text)[:most]
    return row


def _printable(text: str) -> str:
    """Text without what PostgreSQL cannot keep, or what a terminal would obey."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


#: characters of each text that are kept.
_MOST = {
    "actor": 255,
    "via": 64,
    "address": 64,
    "docid": 64,
    "owner": 255,
    "title": 255,
    "detail": 1024,
}
_COLUMNS = (
    Event.id,
    Event.at,
    Event.actor,
    Event.via,
    Event.address,
    Event.action,
    Event.docid,
    Event.owner,
    Event.title,
    Event.detail,
)
