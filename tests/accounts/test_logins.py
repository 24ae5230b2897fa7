"""What a browser is known by once somebody has logged in."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest

from bokeh_server.accounts import Accounts, Policy
from bokeh_server.errors import (
    BadRequest,
    NotAuthenticated,
    NotFound,
    StorageUnavailable,
    TooMany,
)
from bokeh_server.storage import Store
from support.documents import run_together
from support.people import HERE, OTHER, WORDS, gone_elsewhere, log_in, why_not


@pytest.fixture
def ada(accounts: Accounts) -> str:
    """Somebody who has :data:`WORDS`; the name."""
    return accounts.register("Ada", WORDS, address=HERE).name


def test_cookies_that_nobody_got(accounts: Accounts, ada: str) -> None:
    """Nothing but the secret itself logs anybody in: not its digest, or a part of it."""
    secret = log_in(accounts)
    known = accounts.by_login(secret)
    assert known is not None
    for wrong in ("", secret[:-1], f"{secret} ", secret.swapcase(), known.digest.hex(), "\ud800",
                  "é" * 43, "x" * 1_000_000, "' OR 1=1--"):  # fmt: skip
        assert accounts.by_login(wrong) is None, wrong
    assert accounts.by_token(secret) is None


def test_logging_out(accounts: Accounts, elsewhere: Accounts, ada: str) -> None:
    """It ends one login at once here, and in another process within about a second."""
    here, there = log_in(accounts), log_in(elsewhere)
    known = accounts.by_login(here)
    assert known is not None
    assert elsewhere.by_login(here) == known
    accounts.log_out(known.digest)
    assert accounts.by_login(here) is None
    assert not accounts.is_good(known)
    gone_elsewhere(elsewhere, known)
    assert elsewhere.by_login(here) is None
    assert elsewhere.by_login(there) is not None


def test_a_new_password(accounts: Accounts, elsewhere: Accounts, ada: str) -> None:
    """The old one is wrong from then on, and all browsers but this one are logged out."""
    here, there = log_in(accounts), log_in(elsewhere)
    kept, other = accounts.by_login(here), elsewhere.by_login(there)
    assert kept is not None
    assert other is not None
    assert accounts.by_login(there) is not None
    with pytest.raises(BadRequest):
        accounts.change_password(ada, "short")
    accounts.change_password(" ADA", OTHER, keep=kept.digest)
    assert accounts.by_login(there) is None
    assert accounts.by_login(here) == kept
    gone_elsewhere(elsewhere, other)
    assert elsewhere.by_login(here) == kept
    why_not(accounts, ada, WORDS)
    assert accounts.check(ada, OTHER, address=HERE).name == ada
    with pytest.raises(NotFound):
        accounts.change_password("nobody", OTHER)


def test_a_password_that_is_changed_while_it_is_checked(accounts: Accounts, ada: str) -> None:
    """Whoever came with the old one is not logged in by it afterwards."""
    user = accounts.check(ada, WORDS, address=HERE)
    accounts.change_password(ada, OTHER)
    with pytest.raises(NotAuthenticated, match="changed meanwhile"):
        accounts.log_in(user, "")
    assert accounts.logins(ada) == []


def test_logging_out_everywhere(accounts: Accounts, elsewhere: Accounts, ada: str) -> None:
    """All logins end but one that is kept, and one is told how many."""
    here, _, there = log_in(accounts), log_in(accounts), log_in(elsewhere)
    kept, other = accounts.by_login(here), elsewhere.by_login(there)
    assert kept is not None
    assert other is not None
    assert accounts.log_out_everywhere(ada, keep=kept.digest) == 2
    assert accounts.by_login(here) == kept
    gone_elsewhere(elsewhere, other)
    assert accounts.log_out_everywhere(ada) == 1
    assert accounts.by_login(here) is None


def test_a_login_ends_when_it_is_not_used(store: Store, ada: str) -> None:
    """After the time that the policy says, although it was remembered a moment ago."""
    accounts = Accounts(store, Policy(login_time=timedelta(seconds=0.7)))
    secret = log_in(accounts)
    known = accounts.by_login(secret)
    assert known is not None
    time.sleep(0.75)
    assert accounts.by_login(secret) is None
    assert not accounts.is_good(known)
    assert accounts.logins(ada) == []


def test_a_login_that_is_used_goes_on(
    accounts: Accounts, store: Store, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each use lets it end later; that is written down now and then, and not each time."""
    secret = log_in(accounts)
    (before,) = accounts.logins(ada)
    assert accounts.by_login(secret) is not None
    assert accounts.logins(ada) == [before]
    monkeypatch.setattr("bokeh_server.storage.credentials.EXACTLY", timedelta(seconds=0.01))
    time.sleep(0.02)
    assert accounts.by_login(secret) is not None
    (after,) = accounts.logins(ada)
    assert after.used > before.used
    assert after.expires - before.expires >= timedelta(seconds=0.02)


def test_disabling_somebody(accounts: Accounts, elsewhere: Accounts, ada: str) -> None:
    """Logins end and tokens are no good, at once here and soon elsewhere; tokens come back."""
    secret, token = log_in(accounts), accounts.make_token(accounts.user(ada), "laptop")
    found = [each.by_login(secret) for each in (accounts, elsewhere)]
    held = [each.by_token(token) for each in (accounts, elsewhere)]
    assert found[1] is not None
    assert held[1] is not None
    accounts.disable("Ada ", True)
    assert accounts.by_login(secret) is None
    assert accounts.by_token(token) is None
    gone_elsewhere(elsewhere, found[1])
    gone_elsewhere(elsewhere, held[1])
    with pytest.raises(NotAuthenticated):
        accounts.user(ada)
    assert accounts.known("ADA").disabled is not None
    accounts.disable(ada, False)
    assert accounts.by_login(secret) is None
    assert accounts.by_token(token) == held[0]
    with pytest.raises(NotFound):
        accounts.disable("nobody", True)


def test_deleting_somebody(accounts: Accounts, elsewhere: Accounts, ada: str) -> None:
    """Nothing of theirs is good any more, and the name is free for somebody else."""
    secret, token = log_in(accounts), accounts.make_token(accounts.user(ada), "laptop")
    login, held = elsewhere.by_login(secret), elsewhere.by_token(token)
    assert login is not None
    assert held is not None
    accounts.delete("ADA")
    accounts.register("ada", OTHER, address=HERE)
    assert accounts.by_login(secret) is None
    assert accounts.by_token(token) is None
    gone_elsewhere(elsewhere, login)
    gone_elsewhere(elsewhere, held)
    why_not(accounts, "ada", WORDS)
    for unknown in ("nobody", "\ud800"):
        with pytest.raises(NotFound):
            accounts.known(unknown)
        with pytest.raises(NotFound):
            accounts.delete(unknown)


def test_logging_in_and_changing_at_once(accounts: Accounts, elsewhere: Accounts, ada: str) -> None:
    """However they meet: no login made with the old password is good in the end."""
    secrets, begun = list[str](), threading.Barrier(3)

    def keep_on(where: Accounts) -> None:
        begun.wait(30)
        with suppress(NotAuthenticated, TooMany):
            while True:
                secrets.append(log_in(where))

    def change() -> None:
        begun.wait(30)
        time.sleep(0.4)
        accounts.change_password(ada, OTHER)

    run_together([change, lambda: keep_on(accounts), lambda: keep_on(elsewhere)])
    assert secrets
    assert accounts.logins(ada) == []


def test_a_short_login_is_renewed_while_it_is_used(store: Store, ada: str) -> None:
    """Also where it lasts for less than it takes until the use of longer ones is noted."""
    accounts = Accounts(store, Policy(login_time=timedelta(seconds=1.5)))
    secret = log_in(accounts)
    began = time.monotonic()
    while time.monotonic() < began + 2.2:
        assert accounts.by_login(secret) is not None
        time.sleep(0.1)


def test_an_outage_logs_nobody_out(
    accounts: Accounts, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a login is in use may be noted later: whoever is known stays known meanwhile."""
    secret = log_in(accounts)
    monkeypatch.setattr("bokeh_server.storage.credentials.EXACTLY", timedelta(0))

    def lost(*_: object) -> None:
        raise StorageUnavailable("note a login", "the database is away")

    monkeypatch.setattr(accounts._credentials, "note_login", lost)
    assert accounts.by_login(secret) is not None


def test_a_token_for_somebody_who_was_deleted(accounts: Accounts, ada: str) -> None:
    """It is not made, though somebody else may have their number by then."""
    gone = accounts.check(ada, WORDS, address=HERE)
    accounts.delete(ada)
    other = accounts.register("eve", OTHER, address=HERE)
    with pytest.raises(NotFound):
        accounts.make_token(gone, "late")
    assert accounts.tokens(other.name) == []
