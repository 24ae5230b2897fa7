"""Registering, logging in and out: what people do to be known."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from functools import partial
from statistics import median

import pytest
from argon2 import PasswordHasher

from bokeh_server.accounts import Accounts, Policy
from bokeh_server.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotAuthenticated,
    TooMany,
)
from bokeh_server.permissions import Action
from bokeh_server.storage import Store
from support.documents import run_together
from support.people import HERE, OTHER, WORDS, log_in, why_not


@pytest.fixture
def ada(accounts: Accounts) -> str:
    """Somebody who has :data:`WORDS`; the name."""
    return accounts.register("Ada", WORDS, address=HERE).name


def test_whoever_registers_may_log_in(accounts: Accounts, elsewhere: Accounts) -> None:
    """With the name in any capitals, here and in every other process."""
    made = accounts.register(" Ada ", WORDS, address=HERE)
    assert (made.name, made.is_admin, made.disabled) == ("ada", False, None)
    assert accounts.check("ada", WORDS, address=HERE) == made
    secret = log_in(accounts, "ADA")
    for each in (accounts, elsewhere):
        known = each.by_login(secret)
        assert known is not None
        assert (known.name, known.scope, known.by) == ("ada", Action.OWN, "login")
        assert each.is_good(known)
    assert [login.agent for login in accounts.logins("ada")] == ["Firefox"]


def test_who_cannot_register(accounts: Accounts, store: Store, ada: str) -> None:
    """A name that is taken, or cannot be one, and a password that cannot be: no account."""
    store.documents.create("bob", "line")
    for name in ("ada", "ADA ", "bob"):
        with pytest.raises(Conflict):
            accounts.register(name, OTHER, address=HERE)
    for wrong, password in (("", OTHER), ("a b", OTHER), (None, OTHER), ("eve", "short")):
        with pytest.raises(BadRequest):
            accounts.register(wrong, password, address=HERE)
    assert [user.name for user in store.users.list()] == ["ada", "bob"]
    assert accounts.check("ada", WORDS, address=HERE).name == ada


def test_one_of_many_registers(accounts: Accounts, elsewhere: Accounts) -> None:
    """Ten who choose one name at once: one has it, with their own password."""
    results: dict[int, str] = {}

    def register(which: int) -> None:
        try:
            (accounts, elsewhere)[which % 2].register("ada", f"{WORDS} {which}", address=HERE)
            results[which] = "made"
        except Conflict:
            results[which] = "taken"

    run_together(partial(register, which) for which in range(10))
    assert Counter(results.values()) == {"made": 1, "taken": 9}
    winner = next(which for which, result in results.items() if result == "made")
    assert accounts.check("ada", f"{WORDS} {winner}", address=HERE).name == "ada"


def test_where_nobody_may_register(store: Store) -> None:
    """Only whoever looks after the server adds people."""
    accounts = Accounts(store, Policy("closed"))
    code = accounts.invite(timedelta(days=1))
    with pytest.raises(Forbidden, match="takes no new accounts"):
        accounts.register("ada", WORDS, address=HERE, invitation=code)
    accounts.add("ada", accounts.hash(WORDS, "ada"))
    assert accounts.check("ada", WORDS, address=HERE).name == "ada"


def test_where_one_is_invited(store: Store) -> None:
    """An invitation makes one account; without one, or with another text, nobody registers."""
    accounts = Accounts(store, Policy("invitation"))
    code, ended = (accounts.invite(timedelta(days=days)) for days in (1, -1))
    for wrong in ("", "x", code[:-1], code.swapcase(), ended, "\ud800", "é", "x" * 100_000):
        with pytest.raises(Forbidden, match="invitation"):
            accounts.register("ada", WORDS, address=HERE, invitation=wrong)
    with pytest.raises(BadRequest):
        accounts.register("ada", "short", address=HERE, invitation=code)
    accounts.add("eve", None)
    with pytest.raises(Conflict):
        accounts.register("eve", WORDS, address=HERE, invitation=code)
    assert accounts.register("ada", WORDS, address=HERE, invitation=code).name == "ada"
    with pytest.raises(Forbidden, match="was used"):
        accounts.register("bob", WORDS, address=HERE, invitation=code)
    assert [user.name for user in store.users.list()] == ["ada", "eve"]


def test_an_invitation_that_is_given_needlessly_stays(store: Store) -> None:
    """Where anybody may register no invitation is used up."""
    code = Accounts(store).invite(timedelta(days=1))
    Accounts(store).register("ada", WORDS, address=HERE, invitation=code)
    Accounts(store).register("eve", WORDS, address=HERE, invitation="none")
    invited = Accounts(store, Policy("invitation"))
    assert invited.register("bob", WORDS, address=HERE, invitation=code).name == "bob"


def test_nobody_hears_what_was_wrong(store: Store, ada: str) -> None:
    """Unknown, disabled, without a password, a wrong one, nonsense: one and the same answer."""
    accounts = Accounts(store, Policy(tries=1000))
    accounts.add("header", None)
    accounts.add("gone", accounts.hash(WORDS, "gone"))
    accounts.disable("gone", True)
    answers = {
        why_not(accounts, name, password)
        for name, password in (
            (ada, OTHER), (ada, ""), (ada, None), (ada, 7), (ada, "\ud800" * 8),
            (ada, "x" * 2_000_000), ("nobody", WORDS), ("gone", WORDS), ("gone", OTHER),
            ("header", WORDS), ("header", ""), ("", WORDS), (None, WORDS), (["ada"], WORDS),
            ("a\0b", WORDS), ("\ud800", WORDS), ("x" * 2_000_000, WORDS), ("%", WORDS),
        )
    }  # fmt: skip
    assert len(answers) == 1
    assert "the name or the password is wrong" in answers.pop()
    accounts.disable("gone", False)
    assert accounts.check("gone", WORDS, address=HERE).name == "gone"


@pytest.mark.alone
@pytest.mark.usefixtures("true_passwords")
def test_nobody_sees_what_was_wrong_by_the_time(
    store: Store, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that nobody has, or that is disabled, takes one check of a hash as any other does."""
    accounts = Accounts(store, Policy(tries=1000))
    accounts.add("gone", accounts.hash(WORDS, "gone"))
    accounts.disable("gone", True)
    verify, verified = PasswordHasher.verify, list[str | bytes]()

    def counted(self: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
        verified.append(hashed)
        return bool(verify(self, hashed, password))

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    why_not(accounts, "nobody", OTHER)
    times: dict[str, list[float]] = {"ada": [], "nobody": [], "gone": []}
    for _ in range(7):
        for name, taken in times.items():
            verified.clear()
            began = time.perf_counter()
            why_not(accounts, name, OTHER)
            taken.append(time.perf_counter() - began)
            assert len(verified) == 1
    known = median(times["ada"])
    for name in ("nobody", "gone"):
        assert 0.5 < median(times[name]) / known < 2, times


def test_trying_too_often(store: Store, ada: str) -> None:
    """The right password is not looked at, either, and one hears how long to wait."""
    accounts = Accounts(store, Policy(tries=2, seconds=60))
    for _ in range(2):
        why_not(accounts, ada, OTHER)
    with pytest.raises(TooMany) as caught:
        accounts.check(" ADA", WORDS, address=HERE)
    assert 1 <= caught.value.seconds <= 60
    assert f"Try again in {caught.value.seconds} seconds" in str(caught.value)
    assert accounts.check(ada, WORDS, address="192.0.2.2").name == ada


def test_waiting_as_long_as_was_said(store: Store, ada: str) -> None:
    """Then one may log in, which begins the count anew."""
    accounts = Accounts(store, Policy(tries=2, seconds=2))
    for _ in range(2):
        why_not(accounts, ada, OTHER)
    with pytest.raises(TooMany) as caught:
        accounts.check(ada, OTHER, address=HERE)
    time.sleep(caught.value.seconds + 0.01)
    for _ in range(3):
        assert accounts.check(ada, WORDS, address=HERE).name == ada


@pytest.mark.parametrize("same", ["name", "address"])
def test_trying_too_often_from_everywhere(store: Store, ada: str, same: str) -> None:
    """One name from many addresses, or many names from one, after ten times as many tries."""
    accounts = Accounts(store, Policy(tries=1, seconds=600))
    for number in range(10):
        name, address = (ada, f"192.0.2.{number}") if same == "name" else (f"x{number}", HERE)
        with pytest.raises(NotAuthenticated):
            accounts.check(name, OTHER, address=address)
    with pytest.raises(TooMany):
        accounts.check(ada, WORDS, address="192.0.2.99" if same == "name" else HERE)


def test_registering_too_often(store: Store) -> None:
    """One address makes so many accounts, and no more in that time."""
    accounts = Accounts(store, Policy(tries=1, seconds=600))
    accounts._passwords._hasher = PasswordHasher(1, 8, 1)  # weak, so that it is quick
    for number in range(10):
        accounts.register(f"user{number}", WORDS, address=HERE)
    with pytest.raises(TooMany):
        accounts.register("more", WORDS, address=HERE)
    assert accounts.register("more", WORDS, address="192.0.2.2").name == "more"


@pytest.mark.usefixtures("true_passwords")
def test_weak_hashes_are_made_anew(accounts: Accounts, store: Store) -> None:
    """At the next login, which is kept though the hash is another one; and once only."""
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(WORDS)
    accounts.add("ada", weak)
    why_not(accounts, "ada", OTHER)
    assert accounts.known("ada").password == weak
    assert accounts.by_login(log_in(accounts)) is not None
    strong = accounts.known("ada").password
    assert strong is not None
    assert strong != weak
    assert "m=65536" in strong
    assert accounts.by_login(log_in(accounts)) is not None
    assert accounts.known("ada").password == strong


def test_the_same_words_on_another_keyboard(accounts: Accounts) -> None:
    """A password is the characters that are seen."""
    accounts.register("ada", "caf\u00e9 caf\u00e9", address=HERE)
    assert accounts.check("ada", "cafe\u0301 cafe\u0301", address=HERE).name == "ada"
    why_not(accounts, "ada", "cafe cafe")
