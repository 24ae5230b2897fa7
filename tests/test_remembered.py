"""Answers of the database that are remembered for a moment."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from bokeh_server import remembered
from bokeh_server.errors import StorageUnavailable
from bokeh_server.remembered import LIFETIME_SECONDS, Remembered

LOST = StorageUnavailable("ask", "the database does not answer")


class Answers:
    """A database that says what it is told to.

    :ivar asked: the keys it was asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.known: dict[str, str] = {"a": "one", "b": "two"}
        self.is_lost = False

    def read(self, key: str) -> str | None:
        """Answer."""
        self.asked.append(key)
        if self.is_lost:
            raise LOST
        return self.known.get(key)


@pytest.fixture
def answers() -> Answers:
    """A database."""
    return Answers()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows what is in this list."""
    shown = [1000.0]
    monkeypatch.setattr(remembered, "time", SimpleNamespace(monotonic=lambda: shown[0]))
    return shown


def test_the_database_is_asked_once_a_moment(answers: Answers, now: list[float]) -> None:
    """A thousand requests within a second read once for each key; the next second asks again."""
    known = Remembered(answers.read)
    for _ in range(1000):
        assert (known.get("a"), known.get("b")) == ("one", "two")
        now[0] += LIFETIME_SECONDS / 1001
    assert answers.asked == ["a", "b"]
    answers.known["a"] = "three"
    now[0] += LIFETIME_SECONDS
    assert known.get("a") == "three"


def test_real_seconds_pass(answers: Answers) -> None:
    """What another process changed is seen a second later at most."""
    known = Remembered(answers.read)
    known.get("a")
    answers.known["a"] = "three"
    deadline = time.monotonic() + LIFETIME_SECONDS + 1
    while known.get("a") == "one" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert known.get("a") == "three"


def test_what_is_not_there_is_asked_for_each_time(answers: Answers) -> None:
    """Who is made a moment later is not unknown for a second."""
    known = Remembered(answers.read)
    assert known.get("c") is None
    answers.known["c"] = "three"
    assert known.get("c") == "three"


def test_what_is_forgotten_is_asked_for_again(answers: Answers) -> None:
    """One key, or all of them: what this process changed is seen at once."""
    known = Remembered(answers.read)
    for key in "ab":
        known.get(key)
    answers.known = {"a": "three", "b": "four"}
    known.forget("a")
    assert (known.get("a"), known.get("b")) == ("three", "two")
    known.forget_all()
    assert (known.get("a"), known.get("b")) == ("three", "four")


@pytest.mark.parametrize("way", ["this key", "another key", "all"])
def test_an_answer_that_was_overtaken_is_not_kept(way: str) -> None:
    """What was read before a change, and arrives after it, is used once and not remembered."""
    asked: list[str] = []

    def read(key: str) -> str:
        asked.append(key)
        if len(asked) == 1:
            known.forget_all() if way == "all" else known.forget("a" if way == "this key" else "x")
        return f"answer {len(asked)}"

    known: Remembered[str, str] = Remembered(read)
    assert [known.get("a") for _ in range(3)] == ["answer 1", "answer 2", "answer 2"]


def test_while_the_database_is_lost_the_last_answer_is_used(
    answers: Answers, now: list[float]
) -> None:
    """However old it is; what was never asked for is an error, and so is what was forgotten."""
    known = Remembered(answers.read)
    known.get("a")
    answers.is_lost = True
    now[0] += 1000
    assert known.get("a") == "one"
    with pytest.raises(StorageUnavailable):
        known.get("b")
    known.forget("a")
    with pytest.raises(StorageUnavailable):
        known.get("a")


def test_what_is_gone_does_not_come_back_with_an_outage(answers: Answers, now: list[float]) -> None:
    """Whom another process has logged out stays so when the database is lost afterwards."""
    known = Remembered(answers.read)
    known.get("a")
    del answers.known["a"]
    now[0] += LIFETIME_SECONDS
    assert known.get("a") is None
    answers.is_lost = True
    with pytest.raises(StorageUnavailable):
        known.get("a")


def test_what_is_forgotten_amid_an_outage_is_not_used(now: list[float]) -> None:
    """A login that ends while the question about it fails is over."""
    fails: list[bool] = []

    def read(key: str) -> str:
        if not fails:
            return "one"
        known.forget(key)
        raise LOST

    known: Remembered[str, str] = Remembered(read)
    known.get("a")
    fails.append(True)
    now[0] += LIFETIME_SECONDS
    with pytest.raises(StorageUnavailable):
        known.get("a")


def test_memory_does_not_grow(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many keys it begins anew."""
    monkeypatch.setattr(remembered, "MOST", 10)
    answers.known = {str(number): "x" for number in range(100)}
    known = Remembered(answers.read)
    for key in answers.known:
        known.get(key)
        assert len(known._known) <= 10
    known.get("99")
    assert len(answers.asked) == 100
