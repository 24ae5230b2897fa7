"""Handlers that wait for commits keep no other connection waiting."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from bokeh_server.crew import Crew
from bokeh_server.sockets import SocketLoop, plain_transport
from bokeh_server.sockets.changes_handler import ChangesHandler
from support.rawsocket import BINARY, RawClient

Append = Callable[[bytes, str], Mapping[str, object]]

MANY = 100


def until(condition: Callable[[], bool]) -> None:
    """Wait for something, for 10 s at most."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def pipes(loop: SocketLoop, append: Append, count: int) -> Iterator[list[RawClient]]:
    """Connections of scripts that store changes."""
    pairs = [socket.socketpair() for _ in range(count)]
    for there, _ in pairs:
        loop.adopt(
            plain_transport(there.detach()), lambda one: ChangesHandler(one, append, origin="o")
        )
    yield [RawClient.on(here) for _, here in pairs]
    for _, here in pairs:
        here.close()


def test_many_changes_wait_for_one_commit(loop: SocketLoop) -> None:
    """A hundred connections can wait for a commit together, and another is read meanwhile."""
    commit, waiting = threading.Event(), itertools.count(1)
    most = [0]

    def slow(_body: bytes, key: str) -> Mapping[str, object]:
        most[0] = next(waiting)
        assert commit.wait(10)
        return {"seq": int(key)}

    with (
        pipes(loop, slow, MANY) as writers,
        pipes(loop, lambda _body, _key: {"seq": 1}, 1) as (other,),
    ):
        for writer in writers:
            for number in range(3):
                writer.send(BINARY, b"%d\n" % number)
        until(lambda: most[0] == MANY)
        other.send(BINARY, b"k\n")
        assert json.loads(other.read().payload)["seq"] == 1
        assert most[0] == MANY
        commit.set()
        for writer in writers:
            assert [json.loads(writer.read().payload)["seq"] for _ in range(3)] == [0, 1, 2]


def test_threads_are_few_where_little_is_done() -> None:
    """One task after the other needs one thread; those of a rush end when it is over."""
    crew, done = Crew(idle=0.2), threading.Semaphore(0)
    for _ in range(50):
        crew.submit(done.release)
        assert done.acquire(timeout=5)
        until(lambda: crew.idle == len(crew))
    assert len(crew) == 1
    gate = threading.Event()
    for _ in range(20):
        crew.submit(gate.wait, 10)
    assert len(crew) == 20
    gate.set()
    until(lambda: len(crew) == 0)
    crew.submit(done.release)
    assert done.acquire(timeout=5)
    crew.stop()


def test_no_more_threads_than_allowed() -> None:
    """What is too much waits for its turn and is done in order; after the end nothing is taken."""
    crew, gate = Crew(most=2), threading.Event()
    done: list[int] = []
    for _ in range(2):
        crew.submit(gate.wait, 10)
    for number in range(10):
        crew.submit(done.append, number)
    assert (len(crew), done) == (2, [])
    gate.set()
    until(lambda: len(done) == 10)
    crew.stop()
    crew.submit(done.append, 10)
    until(lambda: len(crew) == 0)
    assert sorted(done) == list(range(10))


@pytest.mark.parametrize("failing", [True, False])
def test_a_task_that_fails_takes_no_thread_with_it(failing: bool) -> None:
    """The next task is done by the same thread."""
    crew, names = Crew(), []

    def task() -> None:
        names.append(threading.current_thread())
        if failing and len(names) == 1:
            raise ValueError

    for number in range(1, 3):
        crew.submit(task)
        until(lambda number=number: len(names) == number and crew.idle == 1)  # type: ignore[misc]
    assert names[0] is names[1]
    crew.stop()


def test_without_more_threads_those_that_are_there_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system refuses a thread: what waits is done by the next one that is free."""
    crew, gate, done = Crew(), threading.Event(), threading.Event()
    crew.submit(gate.wait, 10)
    with monkeypatch.context() as patched:

        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patched.setattr(threading.Thread, "start", refuse)
        crew.submit(done.set)
    assert len(crew) == 1
    gate.set()
    assert done.wait(5)
    crew.stop()
