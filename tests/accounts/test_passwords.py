"""Hashes of passwords."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
from argon2 import PasswordHasher

from bokeh_server.accounts import passwords
from bokeh_server.accounts.passwords import Passwords
from bokeh_server.errors import ServerFault
from support.documents import run_together

WORDS = "several words make a good one"


@pytest.fixture(scope="module")
def made(true_passwords: None) -> Passwords:
    """Real hashes."""
    return Passwords()


@pytest.fixture(scope="module")
def hashed(made: Passwords) -> str:
    """The hash of :data:`WORDS`."""
    return made.hash(WORDS)


def test_a_hash_is_argon2id_with_salt(made: Passwords, hashed: str) -> None:
    """Of 64 MB, other each time, without the password; it fits into its column."""
    assert hashed.startswith("$argon2id$v=19$m=65536,")
    assert made.hash(WORDS) != hashed
    assert WORDS not in hashed
    assert len(hashed) < 255


def test_only_the_password_is_right(made: Passwords, hashed: str) -> None:
    """Another one, one that is longer or cut off, and half a character are not."""
    assert made.verify(hashed, WORDS)
    for wrong in ("", WORDS[:-1], f"{WORDS} ", WORDS.upper(), f"{WORDS}\0", "\ud800", WORDS * 100):
        assert not made.verify(hashed, wrong), wrong


@pytest.mark.parametrize("broken", ["", "x", "$argon2id$", "$2b$12$abc", "$argon2id$v=19$m=x"])
def test_what_is_no_hash_is_nobodys(made: Passwords, broken: str) -> None:
    """Whatever stands in the column, nothing is right."""
    assert not made.verify(broken, WORDS)
    assert not made.verify(broken, "")


def test_without_a_hash_nothing_is_right(made: Passwords) -> None:
    """Nor the hash that is compared with instead."""
    for password in (WORDS, "", made._nobodys):
        assert not made.verify(None, password)


def test_characters_are_those_that_are_seen(made: Passwords) -> None:
    """One keyboard puts an accent on its letter, another sends both."""
    one, other = "caf\u00e9 \ufb01ve \u212b words", "cafe\u0301 five A\u030a words"
    assert one != other
    assert made.verify(made.hash(one), other)
    assert made.verify(made.hash(other), one)


def test_hashes_that_were_made_formerly_are_told(made: Passwords, hashed: str) -> None:
    """With less memory or in other lanes they are right, and to be made anew."""
    assert not made.needs_rehash(hashed)
    for former in (
        PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1),
        PasswordHasher(parallelism=4),
    ):
        weak = former.hash(WORDS)
        assert made.verify(weak, WORDS)
        assert made.needs_rehash(weak)


class Slow:
    """Counts how many hash at once, and lets them wait for each other."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.busy = self.most = 0
        self.go_on = threading.Event()

    def hash(self, password: str) -> str:
        """Hash nothing."""
        with self.lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        self.go_on.wait(0.02)
        with self.lock:
            self.busy -= 1
        return password


@pytest.mark.parametrize("at_once", [1, 3])
def test_only_a_few_are_made_at_once(at_once: int) -> None:
    """However many threads want one: each takes 64 MB and a core."""
    made, slow = Passwords(at_once), Slow()
    made._hasher = slow  # type: ignore[assignment]
    run_together(partial(made.hash, str(number)) for number in range(20))
    assert slow.most == at_once


def test_whoever_waits_too_long_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the server's fault, which says so; a failure gives its turn to the next."""
    monkeypatch.setattr(passwords, "PATIENCE_SECONDS", 0.05)
    made = Passwords(1)

    def while_busy(function: Callable[[], object]) -> None:
        assert made._turns.acquire(timeout=5)
        try:
            function()
        finally:
            made._turns.release()

    def refused() -> None:
        with pytest.raises(ServerFault, match="too many people log in at once"):
            made.hash(WORDS)

    while_busy(refused)
    for _ in range(3):
        with pytest.raises(UnicodeEncodeError):
            made.hash("\ud800")
    assert made.hash(WORDS).startswith("$argon2id$")
