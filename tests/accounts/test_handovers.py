"""Logins on their way between scripts and browsers."""

from __future__ import annotations

import pytest

from bokeh_server.accounts import Accounts, Handovers
from bokeh_server.errors import Forbidden, NotAuthenticated, NotFound, TooMany
from bokeh_server.storage import Store
from support.people import HERE


@pytest.fixture
def handovers(store: Store, accounts: Accounts) -> Handovers:
    """Those of a server that knows ada."""
    accounts.add("ada", None)
    return Handovers(store, accounts)


def test_a_script_is_logged_in_once(
    handovers: Handovers, store: Store, accounts: Accounts, elsewhere: Accounts
) -> None:
    """It waits until somebody agrees, whichever process is asked, and gets one token."""
    asked = handovers.ask("a script on lab", address=HERE)
    assert handovers.collect(asked.secret) is None
    other = Handovers(store, elsewhere)
    typed = asked.code.lower().replace("-", " ")
    assert other.asking(typed, name="ada").title == "a script on lab"
    other.agree(typed, name="ada")
    with pytest.raises(NotFound):
        other.agree(asked.code, name="mallory")
    found = handovers.collect(asked.secret)
    assert found is not None
    known = accounts.by_token(found[1])
    assert known is not None
    assert (found[0], known.name) == ("ada", "ada")
    with pytest.raises(NotFound):
        handovers.collect(asked.secret)


def test_a_script_is_refused(handovers: Handovers) -> None:
    """It is told so, its code is good for nothing more, and a code is no secret."""
    asked = handovers.ask("a script", address=HERE)
    handovers.refuse(asked.code)
    with pytest.raises(Forbidden):
        handovers.collect(asked.secret)
    with pytest.raises(NotFound):
        handovers.agree(asked.code, name="ada")
    with pytest.raises(NotFound):
        handovers.collect(asked.code)


def test_somebody_known_to_a_proxy_alone(handovers: Handovers, accounts: Accounts) -> None:
    """They get an account without a password; who is disabled gets nothing."""
    first, second = (handovers.ask("a script", address=HERE) for _ in range(2))
    handovers.agree(first.code, name="grace")
    assert handovers.collect(first.secret) is not None
    handovers.agree(second.code, name="ada")
    accounts.disable("ada", True)
    with pytest.raises(NotAuthenticated):
        handovers.collect(second.secret)


def test_a_browser_is_logged_in_once(handovers: Handovers, accounts: Accounts) -> None:
    """After a look, by the code alone; a script's secret is no such code."""
    code = handovers.offer(accounts.known("ada"), "a script", address=HERE)
    assert handovers.offered(code, address=HERE) == "ada"
    assert handovers.accept(code, address=HERE).name == "ada"
    asked = handovers.ask("a script", address=HERE)
    for wrong in (code, asked.secret, asked.code, "", "x" * 500):
        with pytest.raises(NotFound):
            handovers.accept(wrong, address=HERE)
    with pytest.raises(NotFound):
        handovers.collect(handovers.offer(accounts.known("ada"), "a script", address=HERE))


def test_guesses_are_limited(handovers: Handovers) -> None:
    """Of codes by one person, and of requests from one address."""
    for _ in range(20):
        with pytest.raises(NotFound):
            handovers.asking("BCDFGHJK", name="ada")
    with pytest.raises(TooMany):
        handovers.asking("BCDFGHJK", name="ada")
    for _ in range(60):
        handovers.ask("a script", address=HERE)
    with pytest.raises(TooMany):
        handovers.ask("a script", address=HERE)
