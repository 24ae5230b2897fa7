"""Handing a login over: from a script to a browser, and from a browser to a script.

Whatever has to be remembered is in the database, so that any process may answer the next request.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from bokeh_server.accounts.accounts import Accounts
from bokeh_server.accounts.secrets import digest_of, make_secret
from bokeh_server.accounts.throttle import Throttle, place_of
from bokeh_server.blocking import run_blocking
from bokeh_server.errors import Forbidden, NotFound
from bokeh_server.storage import HandoverRecord, NewEvent, Store, UserRecord
from bokeh_server.storage.handovers import Kind
from bokeh_server.storage.types import utc_now

__all__ = ["SECONDS", "Asked", "Handovers", "shown_code"]

#: for so long a handover may be taken.
SECONDS = 300
#: letters that are told from one another, and make up no words.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_CODE_LENGTH = 8
_TITLE_LENGTH = 255
#: handovers begun from one address, and codes mistyped by one, in so many seconds.
_BEGUN, _MISTYPED, _WITHIN = 60, 20, 300.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a script gets that asks to be known.

    :param secret: for the script alone, to fetch its token with.
    :param code: to be shown, as the page does that somebody agrees on.
    """

    secret: str
    code: str


class Handovers:
    """The logins that are handed over at this moment."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._kept = store.handovers
        self._accounts = accounts
        self._begun = Throttle(_BEGUN, _WITHIN)
        self._mistyped = Throttle(_MISTYPED, _WITHIN)

    # --- from a script to a browser ------------------------------------------------------

    def offer(self, user: UserRecord, title: str, *, address: str) -> str:
        """Let a browser be logged in as somebody, once, by the code that this gives.

        :param title: what the script calls itself.
        :raises TooMany: that was done too often.
        """
        self._begun.attempt(place_of(address), "hand a login over")
        code = make_secret()
        self._begin(code, "browser", title, user_id=user.id)
        return code

    def offered(self, code: str, *, address: str) -> str:
        """The name as which a browser would be logged in.

        :raises NotFound: the code is no good, or no more.
        :raises TooMany: there were too many of those.
        """
        record = self._by_secret(code, "browser")
        if record is None or record.name is None:
            self._mistyped.attempt(place_of(address), "log in by a script")
            why = "what the script gave was used already, or is over five minutes old"
            raise NotFound("log in by a script", why, "Call session.browser_login() again")
        return record.name

    def accept(self, code: str, *, address: str) -> UserRecord:
        """Take an offer up; nobody can do so again.

        :raises NotFound: the code is no good, or no more.
        """
        name = self.offered(code, address=address)
        user = self._accounts.user(name)
        self._take(code)
        return user

    # --- from a browser to a script ------------------------------------------------------

    def ask(self, title: str, *, address: str) -> Asked:
        """Have a script ask to be known.

        :param title: what it calls itself.
        :raises TooMany: that was done too often.
        """
        self._begun.attempt(place_of(address), "log a script in")
        asked = Asked(make_secret(), "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH)))
        self._begin(asked.secret, "script", title, code=asked.code)
        return Asked(asked.secret, shown_code(asked.code))

    def asking(self, code: str, *, name: str) -> HandoverRecord:
        """The script of a code that somebody has typed or followed.

        :param name: who that is.
        :raises NotFound: none waits with this code.
        :raises TooMany: they mistyped too often.
        """
        record = run_blocking(self._kept.by_code, _read_code(code))
        if record is None:
            self._mistyped.attempt(name, "log a script in")
            raise _nobody_waits()
        return record

    def agree(self, code: str, *, name: str) -> None:
        """Let the script be known as somebody from now on.

        :raises NotFound: it waits no more.
        """
        user = self._accounts.made(name)
        if not run_blocking(self._kept.agree, _read_code(code), user.id):
            raise _nobody_waits()

    def refuse(self, code: str) -> None:
        """Let it not.

        :raises NotFound: it waits no more.
        """
        if not run_blocking(self._kept.refuse, _read_code(code)):
            raise _nobody_waits()

    def collect(self, secret: str, event: NewEvent | None = None) -> tuple[str, str] | None:
        """The name and the token of a script that asked; ``None``: nobody has answered yet.

        :param event: what is noted when it gets a token.
        :raises Forbidden: somebody refused.
        :raises NotFound: it was collected already, or nobody answered in time.
        """
        record = self._by_secret(secret, "script", "refused")
        if record is None:
            why = "nobody agreed in time"
            raise NotFound("log this script in", why, "Call session.browser_login() again")
        if record.kind == "refused":
            raise Forbidden("log this script in", "that was refused on the server's page")
        if record.name is None:
            return None
        user = self._accounts.user(record.name)
        self._take(secret)
        noted = None if event is None else replace(event, detail=record.title)
        return user.name, self._accounts.make_token(user, record.title, event=noted)

    # --- both ----------------------------------------------------------------------------

    def _begin(
        self,
        secret: str,
        kind: Kind,
        title: str,
        code: str | None = None,
        user_id: int | None = None,
    ) -> None:
        expires = utc_now() + timedelta(seconds=SECONDS)
        digest = digest_of(secret)
        assert digest is not None, "secrets are short"
        shown = "".join(each for each in title if each.isprintable())[:_TITLE_LENGTH] or "a script"
        run_blocking(
            lambda: self._kept.begin(digest, kind, shown, expires, code=code, user_id=user_id)
        )

    def _by_secret(self, secret: str, *kinds: str) -> HandoverRecord | None:
        digest = digest_of(secret)
        record = run_blocking(self._kept.by_digest, digest) if digest is not None else None
        return record if record is not None and record.kind in kinds else None

    def _take(self, secret: str) -> None:
        if not run_blocking(self._kept.take, digest_of(secret)):
            raise NotFound("take the login over", "somebody else did", "Ask for another")


def shown_code(code: str) -> str:
    """A code as people read it best."""
    half = _CODE_LENGTH // 2
    return f"{code[:half]}-{code[half:]}"


def _read_code(text: str) -> str:
    """A code however somebody has typed it; no code at all where it cannot be one."""
    found = "".join(each for each in text[:40].upper() if each.isalpha())
    return found if len(found) == _CODE_LENGTH else ""


def _nobody_waits() -> NotFound:
    why = "no script waits with this code: it was answered, or is over five minutes old"
    return NotFound("log a script in", why, "Compare the code, or start the script again")
