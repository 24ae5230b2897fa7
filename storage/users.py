"""People: who they are, and the hash of their password."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bokeh_server.errors import Conflict, Forbidden, NotFound
from bokeh_server.storage.database import Database
from bokeh_server.storage.events import NewEvent, add_event, disown
from bokeh_server.storage.tables import Invitation, Login, User
from bokeh_server.storage.types import utc_now

__all__ = ["ADMIN", "UserRecord", "UserStore", "unknown_user"]

#: the rank of somebody who looks after the server.
ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class UserRecord:
    """Somebody.

    :param password: the hash; ``None``: nobody can log in as them.
    :param disabled: since when nobody may.
    :param rank: ``admin``, or ``None``.
    """

    id: int
    name: str
    created: datetime
    password: str | None
    disabled: datetime | None
    rank: str | None

    @property
    def is_admin(self) -> bool:
        """Whether they look after the server."""
        return self.rank == ADMIN


class UserStore:
    """People by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        password: str | None,
        rank: str | None = None,
        *,
        invitation: bytes | None = None,
        event: NewEvent | None = None,
    ) -> UserRecord:
        """Add somebody.

        :param password: its hash.
        :param invitation: the digest of one that is used up by it. Of two at once one is let in,
            and whoever is refused for another reason may use it again.
        :param event: is kept in the same transaction, here and below.
        :raises Conflict: there is somebody of this name.
        :raises Forbidden: the invitation is not good.
        """
        values = {"name": name, "password": password, "rank": rank, "created": utc_now()}
        with self._database.write(f"add the user {name!r}") as connection:
            if invitation is not None:
                _use_up(connection, invitation)
            try:
                connection.execute(insert(User).values(**values))
            except IntegrityError as error:
                raise Conflict(
                    f"add the user {name!r}", "the name is taken", "Choose another name"
                ) from error
            add_event(connection, event)
            return _record(connection.execute(_users().where(User.name == name)).one())

    def get(self, name: str) -> UserRecord | None:
        """The user of this name."""
        if not name.isprintable():  # see _check
            return None
        with self._database.read("look up a user") as connection:
            row = connection.execute(_users().where(User.name == name)).one_or_none()
        return None if row is None else _record(row)

    def list(self) -> list[UserRecord]:
        """Everybody, by name."""
        with self._database.read("list the users") as connection:
            return [_record(row) for row in connection.execute(_users().order_by(User.name))]

    def set_password(
        self,
        name: str,
        password: str,
        *,
        keep: bytes | None = None,
        event: NewEvent | None = None,
    ) -> None:
        """Set the hash of a password, and end every login in the same transaction.

        :param keep: the digest of the one login that stays, of whoever changes it.
        :raises NotFound: there is nobody of this name.
        """
        _check(name)
        with self._database.write(f"change the password of {name!r}") as connection:
            changed = update(User).where(User.name == name).values(password=password)
            if not connection.execute(changed).rowcount:
                raise unknown_user(name)
            gone = delete(Login).where(Login.user_id.in_(_id_of(name)))
            connection.execute(gone if keep is None else gone.where(Login.digest != keep))
            add_event(connection, event)

    def rehash(self, name: str, before: str, password: str) -> None:
        """Put a better hash of the same password in the place of one that is still there."""
        query = update(User).where(User.name == name, User.password == before)
        with self._database.write("hash a password anew") as connection:
            connection.execute(query.values(password=password))

    def set_rank(self, name: str, rank: str | None, event: NewEvent | None = None) -> None:
        """Make somebody an admin, or one no longer.

        :raises NotFound: there is nobody of this name.
        """
        _check(name)
        with self._database.write(f"rank the user {name!r}") as connection:
            changed = update(User).where(User.name == name).values(rank=rank)
            if not connection.execute(changed).rowcount:
                raise unknown_user(name)
            add_event(connection, event)

    def disable(self, name: str, disabled: bool, event: NewEvent | None = None) -> None:
        """Let nobody log in as a user, and end their logins; or let them again.

        :raises NotFound: there is nobody of this name.
        """
        _check(name)
        since = utc_now() if disabled else None
        with self._database.write(f"disable the user {name!r}") as connection:
            changed = update(User).where(User.name == name).values(disabled=since)
            if not connection.execute(changed).rowcount:
                raise unknown_user(name)
            if disabled:
                connection.execute(delete(Login).where(Login.user_id.in_(_id_of(name))))
            add_event(connection, event)

    def delete(self, name: str, event: NewEvent | None = None) -> None:
        """Delete somebody with all their documents, logins and tokens.

        :raises NotFound: there is nobody of this name.
        """
        _check(name)
        with self._database.write(f"delete the user {name!r}") as connection:
            if not connection.execute(delete(User).where(User.name == name)).rowcount:
                raise unknown_user(name)
            add_event(connection, event)
            disown(connection, name)
        self._database.cut_log()


def _check(name: str) -> None:
    """Refuse the name of nobody: databases refuse some of them in words of their own."""
    if not name.isprintable():
        raise unknown_user(name)


def unknown_user(name: str) -> NotFound:
    """The error for a name that nobody has."""
    return NotFound(f"find the user {name[:80]!r}", "nobody has this name", "Check the name")


def _use_up(connection: Connection, invitation: bytes) -> None:
    good = delete(Invitation).where(Invitation.digest == invitation, Invitation.expires > utc_now())
    if not connection.execute(good).rowcount:
        why = "the invitation was used, has ended, or is none"
        raise Forbidden("register", why, "Ask for another")


def _id_of(name: str) -> Any:  # the type of a Select differs between SQLAlchemy 2.0 and 2.1
    return select(User.id).where(User.name == name)


def _users() -> Any:
    return select(User.id, User.name, User.created, User.password, User.disabled, User.rank)


def _record(row: Sequence[Any]) -> UserRecord:
    return UserRecord(*row)
