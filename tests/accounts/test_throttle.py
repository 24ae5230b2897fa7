"""How often something may be tried."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bokeh_server.accounts import Throttle, throttle
from bokeh_server.accounts.throttle import place_of
from bokeh_server.errors import TooMany
from support.documents import run_together

SECONDS = 10


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


def attempt(limit: Throttle, key: str = "ada") -> int:
    """Try; 0 when one may, or else after how many seconds."""
    try:
        limit.attempt(key, "log in")
    except TooMany as error:
        return error.seconds or -1
    return 0


#: how long somebody waits, who then tries, and whether they succeed.
STEPS = st.lists(st.tuples(st.integers(0, 24), st.sampled_from("ab"), st.booleans()), max_size=80)


@settings(max_examples=300, deadline=None)
@given(attempts=st.integers(1, 5), steps=STEPS)
def test_never_more_in_any_time_of_that_length(
    attempts: int, steps: list[tuple[int, str, bool]]
) -> None:
    """Exactly that is let through which keeps every window of ten seconds within the limit."""
    clock = Clock()
    limit = Throttle(attempts, SECONDS, clock)
    tried: dict[str, list[float]] = {"a": [], "b": []}
    for quarters, key, succeeds in steps:
        clock.now += quarters / 4
        recent = [moment for moment in tried[key] if moment > clock.now - SECONDS]
        wait = attempt(limit, key)
        assert (wait == 0) == (len(recent) < attempts)
        if wait:
            assert recent[0] + SECONDS <= clock.now + wait < recent[0] + SECONDS + 1
            continue
        tried[key].append(clock.now)
        if succeeds and quarters % 2:
            limit.forget(key)
            tried[key].clear()
    for moments in tried.values():
        for moment in moments:
            assert sum(moment <= other < moment + SECONDS for other in moments) <= attempts


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 30, allow_subnormal=False), min_size=1, max_size=30))
def test_whoever_waits_as_long_as_was_said_may_try(waits: list[float]) -> None:
    """After the seconds that the error names, whatever fractions the clock shows."""
    clock = Clock()
    limit = Throttle(2, SECONDS, clock)
    for wait in waits:
        clock.now += wait
        if seconds := attempt(limit):
            clock.now += seconds + 0.001  # nobody is quicker than floating point can tell
            assert attempt(limit) == 0


def test_what_the_error_says() -> None:
    """How often it was tried and when it may be again, for people and for programs."""
    clock = Clock()
    limit = Throttle(2, 90, clock)
    assert [attempt(limit) for _ in range(2)] == [0, 0]
    clock.now += 30.5
    with pytest.raises(TooMany, match="it was tried 2 times within 90 seconds") as caught:
        limit.attempt("ada", "log in")
    assert caught.value.seconds == 60
    assert str(caught.value).startswith("Could not log in:")
    assert str(caught.value).endswith("Try again in 60 seconds.")


def test_refused_attempts_do_not_lengthen_the_wait() -> None:
    """Whoever goes on trying is let in as soon as whoever waits."""
    clock = Clock()
    limit = Throttle(1, SECONDS, clock)
    attempt(limit)
    for left in range(SECONDS - 1, 0, -1):
        clock.now += 1
        assert attempt(limit) == left
    clock.now += 1
    assert attempt(limit) == 0


def test_threads_are_counted_one_by_one() -> None:
    """Of fifty at once as many are let through as may be."""
    limit = Throttle(7, SECONDS)
    start, waits = threading.Barrier(50), list[int]()

    def work() -> None:
        start.wait(30)
        waits.append(attempt(limit))

    run_together(work for _ in range(50))
    assert waits.count(0) == 7
    assert len(waits) == 50


def test_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names are tried; those that have waited long enough are dropped first."""
    monkeypatch.setattr(throttle, "MOST", 100)
    clock = Clock()
    limit = Throttle(1, SECONDS, clock)
    for number in range(90):
        attempt(limit, f"old {number}")
    clock.now += SECONDS
    attempt(limit, "ada")
    for number in range(1000):
        attempt(limit, f"new {number}")
        assert len(limit._tries) <= 100
        assert number >= 50 or attempt(limit, "ada") == SECONDS


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_places(address: str, place: str) -> None:
    """Whoever has an IPv6 address has its whole network: that counts as one."""
    assert place_of(address) == place
