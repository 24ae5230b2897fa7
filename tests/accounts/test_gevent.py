"""Logging in where gevent has replaced threads by greenlets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("gevent", reason="gevent is not installed: pip install gevent")

PEOPLE = 20
#: twenty log in, half of them with a wrong password or name, while another greenlet
#: measures how long the hub is held up.
PROGRAM = """
import gevent.monkey
gevent.monkey.patch_all()
import json, sys, time
import gevent
from bokeh_server.accounts import Accounts, Policy
from bokeh_server.errors import NotAuthenticated
from bokeh_server.storage import Store

store, people = Store.open(sys.argv[1]), int(sys.argv[2])
accounts = Accounts(store, Policy(tries=1000))
words = "several words make a good one"
hashed = accounts.hash(words, "")
for number in range(people):
    accounts.add(f"user{number}", hashed)

gaps, stop = [], []
def tick():
    last = time.perf_counter()
    while not stop:
        gevent.sleep(0.001)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now

known, refused = [], []
def log_in(number):
    name, password = (f"user{number}", words) if number % 2 else (f"x{number}", "wrong words")
    try:
        user = accounts.check(name, password, address="192.0.2.1")
        known.append(accounts.by_login(accounts.log_in(user, "Firefox")).name)
    except NotAuthenticated:
        refused.append(number)

ticker = gevent.spawn(tick)
began = time.perf_counter()
gevent.joinall([gevent.spawn(log_in, number) for number in range(people)], raise_error=True)
took = time.perf_counter() - began
stop.append(True)
ticker.join()
gaps.sort()
store.close()
print(json.dumps({
    "known": sorted(known), "refused": len(refused), "took": took, "ticks": len(gaps),
    "p99": gaps[len(gaps) * 99 // 100], "longest": gaps[-1],
}))
"""


@pytest.mark.alone
def test_logging_in_does_not_stop_the_hub(ready_url: str) -> None:
    """While twenty people's passwords are checked, one after the other, greenlets run on."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, ready_url, str(PEOPLE)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    seen = json.loads(done.stdout)
    shown = ("took", "ticks", "p99", "longest")
    print(*(f"{name} {seen[name]:.3f}" for name in shown))
    assert seen["known"] == sorted(f"user{number}" for number in range(1, PEOPLE, 2))
    assert seen["refused"] == PEOPLE // 2
    # a hub that checked them itself would tick once for each
    assert seen["ticks"] > 10 * PEOPLE
    assert seen["p99"] < 0.1
