"""Blocking calls, with threads and with gevent."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bokeh_server import blocking
from bokeh_server.blocking import is_gevent, run_blocking

UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import threading, time
from bokeh_server import blocking
from bokeh_server.blocking import is_gevent, run_blocking
assert is_gevent()
ticks = []
threading.Thread(target=lambda: [ticks.append(time.sleep(0.01)) for _ in range(10)]).start()
blocked = monkey.get_original("time", "sleep")
run_blocking(blocked, 0.3)
assert len(ticks) == 10, ticks
try:
    run_blocking(int, "x")
except ValueError as error:
    print(error)
"""


def test_without_gevent_it_is_a_plain_call() -> None:
    """With real threads the function runs where it is, and raises there."""
    assert not is_gevent()
    assert run_blocking(max, 1, 2) == 2
    with pytest.raises(ValueError, match="invalid literal"):
        run_blocking(int, "x")


def test_under_gevent_others_run_meanwhile_and_nothing_is_printed() -> None:
    """A call that blocks its native thread stops no greenlet; what it raises is only raised."""
    command = [sys.executable, "-c", UNDER_GEVENT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("invalid literal")
    assert done.stderr == ""


def test_only_much_work_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that works on little is called where it is, without another thread."""
    handed: list[object] = []
    monkeypatch.setattr(blocking, "run_blocking", lambda _function, *args: handed.append(args))
    assert blocking.run_sized(blocking.HEAVY_BYTES, max, 1, 2) == 2
    assert handed == []
    blocking.run_sized(blocking.HEAVY_BYTES + 1, max, 1, 2)
    assert handed == [(1, 2)]
