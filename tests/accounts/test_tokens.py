"""What a script is known by."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from bokeh_server.accounts import Accounts
from bokeh_server.accounts.secrets import TOKEN_PREFIX, digest_of, make_token, token_id
from bokeh_server.errors import BadRequest, NotFound
from bokeh_server.permissions import Action
from bokeh_server.storage import Store, UserRecord
from support.people import gone_elsewhere


@pytest.fixture
def ada(accounts: Accounts) -> UserRecord:
    """Somebody who has no password, as tokens need none."""
    return accounts.add("ada", None)


def test_a_token_tells_whose_it_is(
    accounts: Accounts, elsewhere: Accounts, ada: UserRecord
) -> None:
    """And what it lets its holder do, here and in every other process."""
    for scope in Action:
        token = accounts.make_token(ada, f"to {scope.value}", scope)
        for each in (accounts, elsewhere):
            known = each.by_token(token)
            assert known is not None
            assert (known.name, known.scope, known.by) == ("ada", scope, "token")
            assert each.is_good(known)
    assert [each.title for each in accounts.tokens("ada")] == ["to own", "to write", "to read"]


def test_texts_that_are_no_token(accounts: Accounts, ada: UserRecord) -> None:
    """Nothing but the whole of it is good, and it logs no browser in."""
    token = accounts.make_token(ada, "laptop")
    known = accounts.by_token(token)
    assert known is not None
    wrong = (
        "", TOKEN_PREFIX, token[:-1], f"{token} ", token.removeprefix(TOKEN_PREFIX), token.upper(),
        f"{TOKEN_PREFIX}{token_id(token)}", f"{TOKEN_PREFIX}{known.digest.hex()}", make_token(),
        f"{TOKEN_PREFIX}\ud800", f"{TOKEN_PREFIX}é", TOKEN_PREFIX + "x" * 1_000_000,
    )  # fmt: skip
    assert [text for text in wrong if accounts.by_token(text) is not None] == []
    assert accounts.by_login(token) is None


def test_a_token_ends(accounts: Accounts, ada: UserRecord) -> None:
    """After its time, although it was remembered a moment ago; without one it goes on."""
    short = accounts.make_token(ada, "short", lifetime=timedelta(seconds=0.4))
    ever = accounts.make_token(ada, "for ever")
    known = accounts.by_token(short)
    assert known is not None
    assert accounts.by_token(ever) is not None
    time.sleep(0.45)
    assert accounts.by_token(short) is None
    assert not accounts.is_good(known)
    assert accounts.by_token(ever) is not None


def test_revoking(accounts: Accounts, elsewhere: Accounts, ada: UserRecord) -> None:
    """It is seen at once here and soon elsewhere; nobody revokes that of another."""
    accounts.add("bob", None)
    token, other = (accounts.make_token(ada, title) for title in ("laptop", "other"))
    known, there = accounts.by_token(token), elsewhere.by_token(token)
    assert known is not None
    assert there is not None
    with pytest.raises(NotFound):
        accounts.revoke(token_id(token), "bob")
    assert accounts.by_token(token) == known
    assert accounts.revoke(token_id(token), "ada").title == "laptop"
    assert accounts.by_token(token) is None
    assert not accounts.is_good(known)
    gone_elsewhere(elsewhere, there)
    assert elsewhere.by_token(token) is None
    assert elsewhere.by_token(other) is not None
    with pytest.raises(NotFound):
        accounts.revoke(token_id(token))


def test_use_is_noted(accounts: Accounts, ada: UserRecord) -> None:
    """At the first use, and not at each of those that follow."""
    token = accounts.make_token(ada, "laptop")
    assert [each.used for each in accounts.tokens("ada")] == [None]
    assert accounts.by_token(token) is not None
    (first,) = accounts.tokens("ada")
    assert first.used is not None
    assert accounts.by_token(token) is not None
    assert accounts.tokens("ada") == [first]


@pytest.mark.parametrize("title", ["", "x" * 256, "a\nb", "a\0b", "\ud800", "\x1b[31m"])
def test_titles_that_cannot_be(accounts: Accounts, ada: UserRecord, title: str) -> None:
    """A title that no list could show makes no token."""
    with pytest.raises(BadRequest):
        accounts.make_token(ada, title)
    assert accounts.tokens("ada") == []


def test_the_token_is_nowhere(accounts: Accounts, store: Store, ada: UserRecord) -> None:
    """Whoever reads the table cannot use what stands there."""
    token = accounts.make_token(ada, "laptop")
    with store.database.read("test") as connection:
        (row,) = connection.exec_driver_sql("SELECT * FROM token").all()
    assert not any(token in str(cell) for cell in row)
    assert not any(token.rpartition("_")[2] in str(cell) for cell in row)
    assert digest_of(token) in [
        bytes(cell) if isinstance(cell, memoryview) else cell for cell in row
    ]
    assert token_id(token) in row


def test_tokens_look_like_tokens() -> None:
    """They begin with their id after a prefix that tells what they are, and do not repeat."""
    made = {make_token() for _ in range(2000)}
    assert len(made) == len({token_id(token) for token in made}) == 2000
    assert all(token.startswith("bks_") and token.isascii() for token in made)
    assert all(len(token.partition(token_id(token))[2]) == 44 for token in made)
