"""People who log in, for tests of accounts."""

from __future__ import annotations

import time

import pytest

from bokeh_server.accounts import Accounts, Known
from bokeh_server.errors import NotAuthenticated

__all__ = ["HERE", "OTHER", "WORDS", "gone_elsewhere", "log_in", "why_not"]

WORDS, OTHER = "several words make a good one", "another row of words"
HERE = "192.0.2.1"
#: another process notices what was changed within a second, on a machine that is busy.
SOON_SECONDS = 2.5


def log_in(accounts: Accounts, name: str = "ada", password: str = WORDS) -> str:
    """Log in as a browser would; what its cookie holds."""
    return accounts.log_in(accounts.check(name, password, address=HERE), "Firefox")


def why_not(accounts: Accounts, name: object, password: object) -> str:
    """What somebody hears who may not log in."""
    with pytest.raises(NotAuthenticated) as caught:
        accounts.check(name, password, address=HERE)
    return str(caught.value)


def gone_elsewhere(elsewhere: Accounts, known: Known) -> None:
    """Wait for another process to notice that a login or token is good no more."""
    deadline = time.monotonic() + SOON_SECONDS
    while elsewhere.is_good(known):
        assert time.monotonic() < deadline, "it is good still"
        time.sleep(0.02)
