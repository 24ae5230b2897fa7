"""The engine where gevent has replaced threads by greenlets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.postgresql import Postgresql

pytest.importorskip("gevent", reason="gevent is not installed: pip install gevent")

#: writes from 24 greenlets while another one measures how long the hub is held up.
PROGRAM = """
import gevent.monkey
gevent.monkey.patch_all()
import json, os, sys, time
import gevent
from support.documents import doc_json, set_value
from bokeh_server.documents import Engine
from bokeh_server.storage import Store

store = Store.open(sys.argv[1])
engine = Engine(store)
lives = [engine.open(engine.create("ada", f"line {n}").docid) for n in range(3)]
for live in lives:
    live.replace(doc_json(), {}, actor="ada")

append = store.changes.append
def slow(group):  # a disk that takes its time, in a native thread
    gevent.monkey.get_original("time", "sleep")(0.03)
    return append(group)
engine._committer._append = slow

gaps, stop = [], []
def tick():
    last = time.perf_counter()
    while not stop:
        gevent.sleep(0.001)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now

answers = []
def write(worker):
    live = lives[worker % 3]
    for turn in range(20):
        answers.append((live.docid, live.apply(set_value(turn), actor="ada")))
        engine.list("ada"), live.pull()

ticker = gevent.spawn(tick)
started = time.perf_counter()
gevent.joinall([gevent.spawn(write, worker) for worker in range(24)], raise_error=True)
took = time.perf_counter() - started
stop.append(True)
ticker.join()
gaps.sort()
for live in lives:
    seqs = sorted(seq for docid, seq in answers if docid == live.docid)
    assert seqs == list(range(2, 162)), seqs
    assert [r.seq for r in store.changes.after(live.docid, 0)] == list(range(1, 162))
engine.close()
store.close()
print(json.dumps({"ticks": len(gaps), "p90": gaps[len(gaps) * 9 // 10], "took": took}))
"""


@pytest.mark.alone
def test_commits_do_not_stop_the_hub(database_url: str) -> None:
    """While greenlets wait for slow commits others run on, and every change is stored in order."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, database_url],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    # every commit takes 30 ms: a hub that waited for them would tick that rarely
    assert seen["ticks"] > 100
    assert seen["p90"] < 0.025


#: two greenlets ask a slow database at once, while a third one counts how often it gets its turn.
SLEEPERS = """
import gevent.monkey
gevent.monkey.patch_all()
import json, sys, time
import gevent
from bokeh_server.blocking import run_blocking
from bokeh_server.storage import Store

store = Store.open(sys.argv[1])
moments, ticks = [], []

def ask():
    with store.database.read("sleep") as connection:
        connection.exec_driver_sql("SELECT pg_sleep(1)")

def sleeper():
    started = time.perf_counter()
    run_blocking(ask)
    moments.append((started, time.perf_counter()))

def tick():
    while True:
        ticks.append(time.perf_counter())
        gevent.sleep(0.01)

run_blocking(store.ping)
ticker = gevent.spawn(tick)
gevent.joinall([gevent.spawn(sleeper) for _ in range(2)], raise_error=True)
ticker.kill()
overlap = min(end for _, end in moments) - max(start for start, _ in moments)
longest = max(later - earlier for earlier, later in zip(ticks, ticks[1:]))
print(json.dumps({"overlap": overlap, "ticks": len(ticks), "longest": longest}))
store.close()
"""


@pytest.mark.alone
@pytest.mark.postgresql
def test_waiting_for_postgresql_does_not_stop_the_hub(postgresql_server: Postgresql) -> None:
    """Two queries of a second each run side by side in native threads, and greenlets go on."""
    with postgresql_server.ready_database() as url:
        done = subprocess.run(
            [sys.executable, "-c", SLEEPERS, url],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""},
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["overlap"] > 0.7
    assert seen["ticks"] > 30
    assert seen["longest"] < 0.5
