"""The thread that commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from bokeh_server.documents.committer import Committer, Pending
from bokeh_server.documents.limits import Limits
from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage import Clash, NewChange, Outcome, Stored
from bokeh_server.storage.types import utc_now


class Keeper:
    """A document that notes what it is told."""

    def __init__(self) -> None:
        self.stale = False
        self.settled: list[Pending] = []

    def settle(self, pending: Pending) -> None:
        """Note it."""
        self.settled.append(pending)


def pending(owner: Keeper, seq: int, size: int = 0) -> Pending:
    """A change of a size."""
    return Pending(owner, NewChange("d", seq, "ada", b"x" * size), None)


class Log:
    """An ``append`` that waits at a gate."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.groups: list[list[int]] = []

    def append(self, group: Sequence[NewChange]) -> list[Outcome]:
        """Note the group."""
        assert self.gate.wait(20)
        self.groups.append([change.seq for change in group])
        return [Stored(change.seq, utc_now()) for change in group]


def submitted(committer: Committer, waiting: list[Pending]) -> None:
    """Submit one and, once it is on its way, the others."""
    committer.submit(waiting[0])
    while committer._waiting:
        time.sleep(0.001)
    for one in waiting[1:]:
        committer.submit(one)


def test_what_waits_goes_together_within_bounds() -> None:
    """Groups have at most so many changes and so many bytes, and keep the order."""
    log, owner = Log(), Keeper()
    committer = Committer(log.append, Limits(group_changes=4, group_bytes=1000))
    sizes = [0, 0, 0, 0, 0, 600, 600, 5000, 10]
    waiting = [pending(owner, seq, size) for seq, size in enumerate(sizes, 1)]
    submitted(committer, waiting)
    log.gate.set()
    assert [one.wait() for one in waiting] == [one.outcome for one in waiting]
    assert log.groups == [[1], [2, 3, 4, 5], [6], [7], [8], [9]]
    assert [one.change.seq for one in owner.settled] == list(range(1, 10))
    committer.close()


def test_a_change_on_wrong_memory_is_never_written() -> None:
    """What was applied to memory that proved wrong answers ``Clash`` without being written."""
    log, owner, other = Log(), Keeper(), Keeper()
    log.gate.set()
    owner.stale = True
    committer = Committer(log.append, Limits())
    wrong, right = pending(owner, 5), pending(other, 6)
    committer.submit(wrong)
    committer.submit(right)
    assert isinstance(wrong.wait(), Clash)
    assert isinstance(right.wait(), Stored)
    assert [seq for group in log.groups for seq in group] == [6]
    committer.close()


def test_closing_waits_for_what_was_submitted() -> None:
    """Everything submitted before is written, then nothing more is taken."""
    log, owner = Log(), Keeper()
    committer = Committer(log.append, Limits(group_changes=2))
    waiting = [pending(owner, seq) for seq in range(1, 8)]
    submitted(committer, waiting)
    threading.Timer(0.05, log.gate.set).start()
    committer.close()
    assert sum(map(len, log.groups)) == 7
    with pytest.raises(StorageUnavailable, match="stopping"):
        committer.submit(pending(owner, 8))


def test_followers_that_fail_hold_up_nobody() -> None:
    """A document that fails to take the news is logged, and its writer is answered all the same."""

    class Broken(Keeper):
        def settle(self, pending: Pending) -> None:
            raise ZeroDivisionError

    log = Log()
    log.gate.set()
    committer = Committer(log.append, Limits())
    one = pending(Broken(), 1)
    committer.submit(one)
    assert isinstance(one.wait(), Stored)
    committer.close()


def test_many_may_wait_for_one_change() -> None:
    """Everybody who waits for a change gets its answer."""
    log, owner = Log(), Keeper()
    committer = Committer(log.append, Limits())
    one = pending(owner, 1)
    committer.submit(one)
    answers: list[Outcome] = []
    threads = [threading.Thread(target=lambda: answers.append(one.wait())) for _ in range(8)]
    for thread in threads:
        thread.start()
    log.gate.set()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 8
    committer.close()
