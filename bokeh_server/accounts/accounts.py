"""Registering, logging in and out, tokens: what people do to be known."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from bokeh_server.accounts.names import MOST_PASSWORD, check_name, check_password, folded
from bokeh_server.accounts.passwords import Passwords
from bokeh_server.accounts.secrets import (
    TOKEN_PREFIX,
    digest_of,
    make_secret,
    make_token,
    token_id,
)
from bokeh_server.accounts.throttle import Throttle, place_of
from bokeh_server.blocking import run_blocking
from bokeh_server.errors import BadRequest, Conflict, Forbidden, NotAuthenticated, ServerFault
from bokeh_server.permissions import Action
from bokeh_server.remembered import Remembered
from bokeh_server.storage import LoginRecord, NewEvent, NewToken, Store, TokenRecord, UserRecord
from bokeh_server.storage.credentials import is_due
from bokeh_server.storage.types import utc_now
from bokeh_server.storage.users import unknown_user

__all__ = ["Accounts", "Known", "Policy", "Registration"]

Registration = Literal["open", "invitation", "closed"]

_TITLE_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Policy:
    """How people become known.

    :param login_time: a login ends when it was not used for so long.
    :param tries: tries to log in to one name from one address, and ten times as many to one name
        from all of them, or from one address to all names, in ...
    :param seconds: ... so many seconds.
    """

    registration: Registration = "open"
    login_time: timedelta = timedelta(days=14)
    tries: int = 10
    seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody who is known, and by what.

    :param scope: the most that what they are known by lets them do.
    :param digest: of the login or token.
    """

    name: str
    scope: Action
    digest: bytes
    by: Literal["login", "token"]


class Accounts:
    """The accounts of one server.

    :param store: where they are kept.
    """

    def __init__(self, store: Store, policy: Policy | None = None) -> None:
        self._users = store.users
        self._credentials = store.credentials
        self.policy = policy or Policy()
        self._passwords = Passwords()
        tries, seconds = self.policy.tries, self.policy.seconds
        self._by_both = Throttle(tries, seconds)
        self._by_name = Throttle(10 * tries, seconds)
        self._by_address = Throttle(10 * tries, seconds)
        self._logins: Remembered[bytes, LoginRecord] = Remembered(
            lambda digest: run_blocking(self._credentials.login, digest)
        )
        self._disabled: Remembered[str, bool] = Remembered(self._look_up)
        self._tokens: Remembered[bytes, TokenRecord] = Remembered(
            lambda digest: run_blocking(self._credentials.token, digest)
        )

    # --- becoming known ------------------------------------------------------------------

    def register(
        self,
        name: object,
        password: object,
        *,
        address: str,
        invitation: str = "",
        event: NewEvent | None = None,
    ) -> UserRecord:
        """Make an account.

        :param address: where the request came from.
        :param invitation: the code that lets somebody register where that takes one.
        :param event: what is noted of it in the same transaction, here and below.
        :raises BadRequest: the name or password cannot be one.
        :raises Forbidden: nobody may register here, or not with this invitation.
        :raises Conflict: the name is taken.
        :raises TooMany: too many registrations from this address.
        """
        self._may_register(invitation)
        found = check_name(name)
        checked = check_password(password, found)
        self._by_address.attempt(place_of(address), "register")
        hashed = self._passwords.hash(checked)
        shown, of = self._shown(invitation), _of(event, found)
        return run_blocking(lambda: self._users.create(found, hashed, invitation=shown, event=of))

    def _may_register(self, invitation: str) -> None:
        if self.policy.registration == "closed":
            raise Forbidden(
                "register", "this server takes no new accounts", "Ask whoever looks after it"
            )
        if self.policy.registration == "invitation" and not invitation:
            raise Forbidden("register", "this takes an invitation", "Ask for one")

    def _shown(self, invitation: str) -> bytes | None:
        if self.policy.registration != "invitation":
            return None
        # What cannot be one is not among those that were made, either.
        return digest_of(invitation) or b""

    def invite(self, lifetime: timedelta) -> str:
        """Make an invitation; its code is shown once."""
        code = make_secret()
        digest = digest_of(code)
        run_blocking(self._credentials.invite, digest, utc_now() + lifetime)
        return code

    def add(
        self,
        name: str,
        hashed: str | None,
        rank: str | None = None,
        event: NewEvent | None = None,
    ) -> UserRecord:
        """Add somebody, whatever the policy.

        :param hashed: the hash of their password; ``None``: they log in in another way.
        """
        of = _of(event, name)
        return run_blocking(lambda: self._users.create(name, hashed, rank, event=of))

    def hash(self, password: object, name: str) -> str:
        """The hash of a password that may be set.

        :raises BadRequest: it may not.
        """
        return self._passwords.hash(check_password(password, name))

    # --- logging in ----------------------------------------------------------------------

    def check(self, name: object, password: object, *, address: str) -> UserRecord:
        """The user of a name and password.

        A name that nobody has, and one that is disabled, are answered as a wrong password is,
        in the same time.

        :raises NotAuthenticated: there is none.
        :raises TooMany: that was tried too often.
        """
        found, given = _typed(folded(name)), _typed(password)
        self._by_address.attempt(place_of(address), "log in")
        # An attacker elsewhere shall not keep somebody out so soon.
        self._by_both.attempt(f"{found} {place_of(address)}", "log in")
        self._by_name.attempt(found, "log in")
        user = run_blocking(self._users.get, found)
        hashed = user.password if user is not None and user.disabled is None else None
        if not self._passwords.verify(hashed, given) or user is None or hashed is None:
            why = "the name or the password is wrong"
            raise NotAuthenticated("log in", why, "Check both")
        self._by_both.forget(f"{found} {place_of(address)}")
        return self._rehashed(user, hashed, given)

    def _rehashed(self, user: UserRecord, hashed: str, password: str) -> UserRecord:
        if not self._passwords.needs_rehash(hashed):
            return user
        better = self._passwords.hash(password)
        run_blocking(self._users.rehash, user.name, hashed, better)
        return replace(user, password=better)

    def log_in(self, user: UserRecord, agent: str, event: NewEvent | None = None) -> str:
        """Log a browser in: what its cookie shall hold.

        :param user: as they were when their password was checked.
        :param agent: what the browser says it is.
        :raises NotAuthenticated: their password is another one by now, or they were disabled.
        """
        secret = make_secret()
        ends = self._login_ends()
        of, digest = _of(event, user.name), digest_of(secret)
        if not run_blocking(self._credentials.log_in, user, digest, agent, ends, of):
            why = "the account was changed meanwhile"
            raise NotAuthenticated("log in", why, "Log in again")
        return secret

    def _login_ends(self) -> datetime:
        return utc_now() + self.policy.login_time

    def by_login(self, secret: str) -> Known | None:
        """Who is logged in by what a cookie holds."""
        digest = digest_of(secret)
        record = self._logins.get(digest) if digest is not None else None
        if record is None or record.expires <= utc_now():
            return None
        if is_due(record.used, self.policy.login_time / 10):
            with suppress(ServerFault):  # while the database is away they stay logged in
                run_blocking(self._credentials.note_login, record, self._login_ends())
                self._logins.forget(record.digest)
        return Known(record.name, Action.OWN, record.digest, "login")

    def logins(self, name: str) -> list[LoginRecord]:
        """Where somebody is logged in."""
        return run_blocking(self._credentials.logins, name)

    def log_out(self, digest: bytes) -> None:
        """End one login."""
        run_blocking(self._credentials.log_out, digest)
        self._logins.forget(digest)

    def log_out_everywhere(
        self, name: str, *, keep: bytes | None = None, event: NewEvent | None = None
    ) -> int:
        """End all logins of somebody but one; how many that were."""
        of = _of(event, name)
        count: int = run_blocking(
            lambda: self._credentials.log_out_everywhere(name, keep=keep, event=of)
        )
        self._logins.forget_all()
        return count

    def change_password(
        self,
        name: str,
        password: object,
        *,
        keep: bytes | None = None,
        event: NewEvent | None = None,
    ) -> None:
        """Set a password, and end all logins but the one of whoever does it.

        :raises BadRequest: it may not be set.
        :raises NotFound: nobody has this name.
        """
        found = folded(name)
        hashed = self.hash(password, found)
        of = _of(event, found)
        run_blocking(lambda: self._users.set_password(found, hashed, keep=keep, event=of))
        self._logins.forget_all()

    def disable(self, name: str, disabled: bool, event: NewEvent | None = None) -> None:
        """Let somebody log in no longer, or again; their tokens are good for nothing meanwhile."""
        found = folded(name)
        run_blocking(self._users.disable, found, disabled, _of(event, found))
        self._forget()

    def is_disabled(self, name: str) -> bool:
        """Whether somebody, known elsewhere by this name, was disabled here."""
        return bool(self._disabled.get(name))

    def _look_up(self, name: str) -> bool:
        found = run_blocking(self._users.get, name)
        return found is not None and found.disabled is not None

    def rank(self, name: str, rank: str | None, event: NewEvent | None = None) -> None:
        """Make somebody an admin, or one no longer.

        :raises NotFound: nobody has this name.
        """
        found = folded(name)
        run_blocking(self._users.set_rank, found, rank, _of(event, found))

    def delete(self, name: str, event: NewEvent | None = None) -> None:
        """Delete somebody with everything that is theirs."""
        run_blocking(self._users.delete, folded(name), event)
        self._forget()

    def _forget(self) -> None:
        self._logins.forget_all()
        self._tokens.forget_all()
        self._disabled.forget_all()

    # --- tokens --------------------------------------------------------------------------

    def make_token(
        self,
        user: UserRecord,
        title: str,
        scope: Action = Action.OWN,
        lifetime: timedelta | None = None,
        event: NewEvent | None = None,
    ) -> str:
        """Make a token, which is shown this once.

        :param lifetime: ``None``: it is good until it is revoked.
        """
        if not 0 < len(title) <= _TITLE_LENGTH or not title.isprintable():
            why = f"its title is not text of 1 to {_TITLE_LENGTH} characters"
            raise BadRequest("make a token", why)
        token = make_token()
        digest = digest_of(token)
        assert digest is not None, "tokens are short"
        expires = None if lifetime is None else utc_now() + lifetime
        new = NewToken(token_id(token), digest, title, scope.value, expires)
        run_blocking(self._credentials.add_token, user, new, _of(event, user.name))
        return token

    def by_token(self, token: str) -> Known | None:
        """Who a token belongs to, and what it is good for."""
        digest = digest_of(token) if token.startswith(TOKEN_PREFIX) else None
        record = self._tokens.get(digest) if digest is not None else None
        if record is None or digest is None:
            return None
        if record.expires is not None and record.expires <= utc_now():
            return None
        if is_due(record.used):
            with suppress(ServerFault):
                run_blocking(self._credentials.note_token, record)
                self._tokens.forget(digest)
        return Known(record.name, Action(record.scope), digest, "token")

    def token_of(self, known: Known) -> TokenRecord | None:
        """The token by which somebody is known, where it is one."""
        return self._tokens.get(known.digest) if known.by == "token" else None

    def is_good(self, known: Known) -> bool:
        """Whether what somebody was known by is good still."""
        remembered = self._logins if known.by == "login" else self._tokens
        record = remembered.get(known.digest)
        return record is not None and (record.expires is None or record.expires > utc_now())

    def tokens(self, name: str) -> list[TokenRecord]:
        """Somebody's tokens."""
        return run_blocking(self._credentials.tokens, name)

    def revoke(
        self, token_id: str, name: str | None = None, event: NewEvent | None = None
    ) -> TokenRecord:
        """Let a token be good no more.

        :param name: only if it is this user's.
        :raises NotFound: there is no such token.
        """
        record = run_blocking(self._credentials.revoke_token, token_id, name, event)
        self._tokens.forget_all()
        return record

    def known(self, name: str) -> UserRecord:
        """The user of a name, disabled or not.

        :raises NotFound: nobody has this name.
        """
        found = run_blocking(self._users.get, folded(name))
        if found is None:
            raise unknown_user(name)
        return found

    def made(self, name: str) -> UserRecord:
        """The user of a name, who is made where a proxy or the app says who people are."""
        found = run_blocking(self._users.get, name)
        if found is None:
            try:
                found = self.add(name, None)
            except Conflict:  # another process was faster
                return self.user(name)
        return found

    def user(self, name: str) -> UserRecord:
        """The user of a name.

        :raises NotAuthenticated: there is none any more.
        """
        found = run_blocking(self._users.get, name)
        if found is None or found.disabled is not None:
            raise NotAuthenticated("use this account", "it is not there any more", "Log in again")
        return found


def _of(event: NewEvent | None, name: str) -> NewEvent | None:
    """The event, as one of somebody's account, who may read it."""
    if event is None:
        return None
    named = event.actor or event.via == "command"
    return replace(event, owner=name, actor=event.actor if named else name)


def _typed(text: object) -> str:
    """What somebody typed, where it can be a name or password: nobody's where it is too long."""
    return text if isinstance(text, str) and len(text) <= MOST_PASSWORD else ""
