"""Logins on their way between a script and a browser, each for a few minutes and once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bokeh_server.errors import Conflict
from bokeh_server.storage.database import Database
from bokeh_server.storage.tables import Handover, User
from bokeh_server.storage.types import utc_now

__all__ = ["HandoverRecord", "HandoverStore", "Kind"]

Kind = Literal["browser", "script", "refused"]


@dataclass(frozen=True, slots=True)
class HandoverRecord:
    """A login in the making.

    :param kind: ``browser`` where a script logs a browser in; ``script`` where it is the other
        way; ``refused`` where that was not to be.
    :param name: who agreed, or whom the browser is to be logged in as.
    :param title: what the script calls itself.
    """

    digest: bytes
    kind: str
    code: str | None
    name: str | None
    title: str
    expires: datetime


class HandoverStore:
    """Handovers by the digests of their secrets, and by the codes that people see."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        digest: bytes,
        kind: Kind,
        title: str,
        expires: datetime,
        *,
        code: str | None = None,
        user_id: int | None = None,
    ) -> None:
        """Keep a handover; those that have ended are dropped.

        :raises Conflict: another one has this code.
        """
        now = utc_now()
        row = {"digest": digest, "kind": kind, "title": title, "expires": expires, "code": code}
        with self._database.write("hand a login over") as connection:
            connection.execute(delete(Handover).where(Handover.expires <= now))
            try:
                with connection.begin_nested():
                    new = insert(Handover).values(**row, user_id=user_id, created=now)
                    connection.execute(new)
            except IntegrityError as error:
                raise Conflict("hand a login over", "the code is taken", "Try again") from error

    def by_digest(self, digest: bytes) -> HandoverRecord | None:
        """The handover of a secret, while it is good."""
        return self._one(Handover.digest == digest)

    def by_code(self, code: str) -> HandoverRecord | None:
        """The handover of a code that people see, while nobody has answered."""
        return self._one(Handover.code == code, Handover.kind == "script", _OPEN)

    def _one(self, *which: Any) -> HandoverRecord | None:
        query = _handovers().where(*which, Handover.expires > utc_now())
        with self._database.read("look up a handover") as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else HandoverRecord(*row)

    def agree(self, code: str, user_id: int) -> bool:
        """Let a script be known as somebody; whether it still waited."""
        return self._answer(code, user_id=user_id)

    def refuse(self, code: str) -> bool:
        """Let it not; whether it still waited."""
        return self._answer(code, kind="refused")

    def _answer(self, code: str, **values: object) -> bool:
        waiting = (Handover.code == code, Handover.kind == "script", _OPEN)
        query = update(Handover).where(*waiting, Handover.expires > utc_now())
        with self._database.write("answer a script") as connection:
            return connection.execute(query.values(**values)).rowcount == 1

    def take(self, digest: bytes) -> bool:
        """End a handover; whether it was there: of several who take it one does."""
        query = delete(Handover).where(Handover.digest == digest, Handover.expires > utc_now())
        with self._database.write("take a login over") as connection:
            return connection.execute(query).rowcount == 1


#: SQL: nobody has agreed to it.
_OPEN = Handover.user_id.is_(None)


def _handovers() -> Any:  # the type of a Select differs between SQLAlchemy 2.0 and 2.1
    columns = (Handover.kind, Handover.code, User.name, Handover.title, Handover.expires)
    return select(Handover.digest, *columns).outerjoin(User, User.id == Handover.user_id)
