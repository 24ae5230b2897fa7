"""The thread that runs while somebody follows."""

from __future__ import annotations

import threading

import pytest

from bokeh_server.blueprint.followed import Followed


class Followers(Followed):
    """Counts its turns, and those at which nobody followed."""

    def __init__(self) -> None:
        super().__init__("followers")
        self.names: set[str] = set()
        self.turns: list[threading.Thread] = []
        self.rests = 0
        self.fails = False

    def follow(self, name: str) -> None:
        """Follow from now on."""
        with self._changed:
            self.names.add(name)
            self._start()

    def leave(self, name: str) -> threading.Thread | None:
        """Follow no more; the thread that served it."""
        with self._changed:
            self.names.discard(name)
            self._changed.notify_all()
            return self._thread

    def wait_for_turns(self, count: int) -> bool:
        """Whether there were so many turns within 10 s."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.turns) >= count, 10)

    def _is_followed(self) -> bool:
        return bool(self.names)

    def _forget(self) -> None:
        self.names.clear()

    def _rest(self) -> None:
        self.rests += 1

    def _turn(self) -> None:
        with self._changed:
            self.turns.append(threading.current_thread())
            self._changed.notify_all()
        if self.fails:
            raise SystemExit
        self._pause(0.01)


def test_whoever_follows_next_starts_it_again() -> None:
    """One thread serves all who follow at a time; it ends with the last, and another begins."""
    followers = Followers()
    for round_ in range(1, 4):
        followers.follow("ada")
        followers.follow("bob")
        assert followers.wait_for_turns(len(followers.turns) + 2)
        assert followers.leave("ada") is not None
        thread = followers.leave("bob")
        assert thread is not None
        thread.join(10)
        assert not thread.is_alive()
        assert followers.rests == round_
    assert len(set(followers.turns)) == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_followed_by_another() -> None:
    """What ends the thread out of turn leaves nobody without one who comes later."""
    followers = Followers()
    followers.fails = True
    followers.follow("ada")
    assert followers.wait_for_turns(1)
    followers.turns[0].join(10)
    followers.fails = False
    followers.follow("bob")
    assert followers.wait_for_turns(2)
    followers.close()
    followers.turns[1].join(10)
    assert not followers.turns[1].is_alive()


@pytest.mark.parametrize("before", [True, False])
def test_nothing_runs_once_it_is_closed(before: bool) -> None:
    """Closing ends the thread though somebody follows, and who comes later starts none."""
    followers = Followers()
    if before:
        followers.follow("ada")
        assert followers.wait_for_turns(1)
    followers.close()
    for thread in set(followers.turns):
        thread.join(10)
        assert not thread.is_alive()
    followers.follow("bob")
    assert followers._thread is None
