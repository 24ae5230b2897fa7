"""What people are known by after they have said who they are: logins of browsers, and tokens.

Only digests are kept, so that who reads the database cannot log in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from bokeh_server.errors import NotFound
from bokeh_server.storage.batches import batched
from bokeh_server.storage.database import Database
from bokeh_server.storage.events import NewEvent, add_event
from bokeh_server.storage.tables import Invitation, Login, Token, User
from bokeh_server.storage.types import utc_now
from bokeh_server.storage.users import UserRecord, unknown_user

__all__ = ["CredentialStore", "LoginRecord", "NewToken", "TokenRecord", "is_due"]

#: how exactly it is known when something was last used, so that not every request writes.
EXACTLY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """A browser that is logged in.

    :param agent: what the browser says it is.
    """

    digest: bytes
    name: str
    agent: str
    created: datetime
    used: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be kept.

    :param id: its public beginning.
    :param scope: the most that it lets its holder do: ``read``, ``write`` or ``own``.
    :param expires: ``None``: never.
    """

    id: str
    digest: bytes
    title: str
    scope: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it is listed; the token itself is nowhere."""

    id: str
    name: str
    title: str
    scope: str
    created: datetime
    used: datetime | None
    expires: datetime | None


class CredentialStore:
    """Logins, tokens and invitations, by their digests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- logins --------------------------------------------------------------------------

    def log_in(
        self,
        user: UserRecord,
        digest: bytes,
        agent: str,
        expires: datetime,
        event: NewEvent | None = None,
    ) -> bool:
        """Keep a login; those of the same user that have ended are dropped.

        :param user: as they were when their password was checked.
        :param event: is kept in the same transaction, here and below.
        :returns: whether they may: not with a password that was changed meanwhile.
        """
        now = utc_now()
        row = {"digest": digest, "user_id": user.id, "agent": agent[:255], "expires": expires}
        # By the name as well: SQLite gives the number of somebody deleted to the next.
        same = select(User.password).where(User.id == user.id, User.name == user.name, _ENABLED)
        with self._database.write("log in") as connection:
            found = connection.execute(same.with_for_update(read=True)).one_or_none()
            if found is None or found[0] != user.password:
                return False
            ended = delete(Login).where(Login.user_id == user.id, Login.expires <= now)
            connection.execute(ended)
            connection.execute(insert(Login).values(**row, created=now, used=now))
            add_event(connection, event)
        return True

    def login(self, digest: bytes) -> LoginRecord | None:
        """The login of this digest, while it is good."""
        query = _logins().where(Login.digest == digest, Login.expires > utc_now(), _ENABLED)
        with self._database.read("look up a login") as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else LoginRecord(*row)

    def logins(self, name: str) -> list[LoginRecord]:
        """The browsers in which somebody is logged in, the last used first."""
        query = _logins().where(User.name == name, Login.expires > utc_now())
        with self._database.read("list logins") as connection:
            rows = connection.execute(query.order_by(Login.used.desc(), Login.digest))
            return [LoginRecord(*row) for row in rows]

    def log_out(self, digest: bytes) -> None:
        """End a login."""
        with self._database.write("log out") as connection:
            connection.execute(delete(Login).where(Login.digest == digest))

    def log_out_everywhere(
        self, name: str, *, keep: bytes | None = None, event: NewEvent | None = None
    ) -> int:
        """End all logins of somebody but one; how many that were."""
        query = delete(Login).where(Login.user_id.in_(_id_of(name)))
        if keep is not None:
            query = query.where(Login.digest != keep)
        with self._database.write("log out everywhere") as connection:
            add_event(connection, event)
            return connection.execute(query).rowcount

    def note_login(self, record: LoginRecord, expires: datetime) -> None:
        """Note that a login is in use, and until when it therefore stays good."""
        query = update(Login).where(Login.digest == record.digest)
        with self._database.write("note a login") as connection:
            connection.execute(query.values(used=utc_now(), expires=expires))

    # --- tokens --------------------------------------------------------------------------

    def add_token(self, user: UserRecord, token: NewToken, event: NewEvent | None = None) -> None:
        """Keep a token.

        :raises NotFound: they were deleted meanwhile.
        """
        row = {name: getattr(token, name) for name in NewToken.__slots__}
        # By the name as well: SQLite gives the number of somebody deleted to the next.
        same = select(User.id).where(User.id == user.id, User.name == user.name)
        with self._database.write("make a token") as connection:
            if connection.scalar(same.with_for_update(read=True)) is None:
                raise unknown_user(user.name)
            connection.execute(insert(Token).values(**row, user_id=user.id, created=utc_now()))
            add_event(connection, event)

    def token(self, digest: bytes) -> TokenRecord | None:
        """The token of this digest, while it is good."""
        good = or_(Token.expires.is_(None), Token.expires > utc_now())
        query = _tokens().where(Token.digest == digest, good, _ENABLED)
        with self._database.read("look up a token") as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else TokenRecord(*row)

    def tokens(self, name: str | None = None) -> list[TokenRecord]:
        """The tokens of somebody, or everybody's, the newest first."""
        query = _tokens().order_by(Token.created.desc(), Token.id)
        if name is not None:
            query = query.where(User.name == name)
        with self._database.read("list tokens") as connection:
            return [TokenRecord(*row) for row in connection.execute(query)]

    def revoke_token(
        self, token_id: str, name: str | None = None, event: NewEvent | None = None
    ) -> TokenRecord:
        """Let a token be no good any more.

        :param name: only if it is this user's.
        :raises NotFound: there is no such token.
        """
        query = _tokens().where(Token.id == token_id)
        if name is not None:
            query = query.where(User.name == name)
        with self._database.write("revoke a token") as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                why = "there is no token of this id"
                raise NotFound(f"revoke the token {token_id[:40]!r}", why, "List the tokens")
            connection.execute(delete(Token).where(Token.id == token_id))
            if event is not None:
                detail = f"{row[0]} {row[2]}"
                add_event(connection, replace(event, owner=row[1], detail=detail))
        return TokenRecord(*row)

    def note_token(self, record: TokenRecord) -> None:
        """Note that a token is in use."""
        query = update(Token).where(Token.id == record.id)
        with self._database.write("note a token") as connection:
            connection.execute(query.values(used=utc_now()))

    # --- both ----------------------------------------------------------------------------

    def good(self, digests: Collection[bytes]) -> set[bytes]:
        """Those of these digests that are of logins and tokens which are good."""
        now = utc_now()
        found: set[bytes] = set()
        ends = or_(Token.expires.is_(None), Token.expires > now)
        login = select(Login.digest).join(User).where(Login.expires > now, _ENABLED)
        token = select(Token.digest).join(User).where(ends, _ENABLED)
        with self._database.read("look up logins and tokens") as connection:
            for some in batched(digests):
                found.update(connection.scalars(login.where(Login.digest.in_(some))))
                found.update(connection.scalars(token.where(Token.digest.in_(some))))
        return found

    # --- invitations ---------------------------------------------------------------------

    def invite(self, digest: bytes, expires: datetime) -> None:
        """Keep an invitation; those that have ended are dropped."""
        now = utc_now()
        with self._database.write("invite somebody") as connection:
            connection.execute(delete(Invitation).where(Invitation.expires <= now))
            row = {"digest": digest, "created": now, "expires": expires}
            connection.execute(insert(Invitation).values(**row))


def is_due(used: datetime | None, within: timedelta = EXACTLY) -> bool:
    """Whether it is to be noted again that something is in use.

    :param within: how exactly that is to be known; never less exactly than :data:`EXACTLY`.
    """
    return used is None or utc_now() - used >= min(within, EXACTLY)


#: SQL: nobody has disabled the user.
_ENABLED = User.disabled.is_(None)


def _id_of(name: str) -> Any:  # the type of a Select differs between SQLAlchemy 2.0 and 2.1
    return select(User.id).where(User.name == name)


def _logins() -> Any:
    columns: Sequence[Any] = (Login.agent, Login.created, Login.used, Login.expires)
    return select(Login.digest, User.name, *columns).join(User, User.id == Login.user_id)


def _tokens() -> Any:
    columns: Sequence[Any] = (Token.title, Token.scope, Token.created, Token.used, Token.expires)
    return select(Token.id, User.name, *columns).join(User, User.id == Token.user_id)
