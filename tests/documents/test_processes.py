"""Several server processes on one PostgreSQL, writing to one document."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bokeh_server.documents import Engine
from bokeh_server.storage import Store
from support.documents import doc_json
from support.postgresql import Postgresql

pytestmark = pytest.mark.postgresql

WRITERS = 8
TURNS = 15

#: one process: eight writers, and a viewer who follows.
WORKER = """
import json, os, sys, threading, time
from bokeh_server.documents import Engine, Limits
from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage import Store, database
from support.documents import TestFollower, stream

database.IDLE_SECONDS = 2
url, docid, number, writers, turns = sys.argv[1:]
store = Store.open(url)
engine = Engine(store, limits=Limits(watch_seconds=0.2, snapshot_changes=50))
viewer = TestFollower("viewer")
start = viewer.join(engine.open(docid))
again = []

def write(writer):
    for turn in range(int(turns)):
        value = (int(number) * 100 + writer) * 1000 + turn
        while True:
            try:
                seq = engine.open(docid).apply(stream(value), actor=number, key=str(value))
                break
            except StorageUnavailable as error:
                again.append(error.why)
                time.sleep(0.05)
        os.write(1, b"%d %d\\n" % (seq, value))

threads = [threading.Thread(target=write, args=(n,)) for n in range(int(writers))]
print("ready", flush=True)
assert sys.stdin.readline() == "go\\n"
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done", flush=True)
head = int(sys.stdin.readline())
deadline = time.monotonic() + 5
while engine.open(docid).seq < head and time.monotonic() < deadline:
    time.sleep(0.01)
viewer.take()
streamed = [event["data"]["x"][0] for event in viewer.got if event != "pull"]
rows = dict(engine.open(docid).model_json("d")["attributes"]["data"]["entries"])["x"]
print(json.dumps({"start": start, "seqs": viewer.seqs, "streamed": streamed, "rows": rows,
                  "pulls": viewer.got.count("pull"), "again": again}), flush=True)
engine.close()
store.close()
"""


@contextmanager
def worker(url: str, docid: str, number: int) -> Iterator[subprocess.Popen[str]]:
    """A process that waits for "go"."""
    arguments = [url, docid, str(number), str(WRITERS), str(TURNS)]
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def tell(process: subprocess.Popen[str], line: object) -> None:
    """Write a line to it."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    """Read a line from it; nothing when it is dead."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def answers(process: subprocess.Popen[str]) -> dict[int, int]:
    """What its writers were answered, until it is done or dead."""
    found = {}
    while (line := hear(process)) not in ("done", ""):
        seq, value = line.split()
        found[int(value)] = int(seq)
    return found


def test_no_change_is_lost_among_processes(postgresql_server: Postgresql) -> None:
    """Eight writers in each of four processes, of which one is killed and one frozen for a while.

    What was answered is in the log, under the number that was answered, once; the log has no gap;
    and within seconds every viewer of the living processes has seen all of it in one order.
    """
    with postgresql_server.ready_database() as url, closing(Store.open(url)) as store:
        docid = make_document(store)
        with worker(url, docid, 1) as a, worker(url, docid, 2) as b, worker(url, docid, 3) as c:
            with worker(url, docid, 4) as d:
                answered = write_and_disturb([a, b, c, d])
            head = check_log(store, docid, answered)
            rows = rows_of(store, docid)
            reports = [report(process, head) for process in (a, b, c)]
        for seen in reports:
            check_viewer(seen, head, rows)


def make_document(store: Store) -> str:
    """The document of ``support.documents``."""
    with closing(Engine(store)) as engine:
        docid = engine.create("ada", "line").docid
        engine.open(docid).replace(doc_json(), {}, actor="ada")
    return docid


def write_and_disturb(processes: list[subprocess.Popen[str]]) -> dict[int, int]:
    """Let all write; kill the last amid that, and freeze the one before for three seconds."""
    for process in processes:
        assert hear(process) == "ready"
    for process in processes:
        tell(process, "go")
    doomed, frozen = processes[-1], processes[-2]
    found = {}
    for _ in range(random.randint(10, 30)):
        seq, value = hear(doomed).split()
        found[int(value)] = int(seq)
    os.kill(frozen.pid, signal.SIGSTOP)
    doomed.kill()
    time.sleep(3)  # longer than PostgreSQL lets a session idle amid a transaction
    os.kill(frozen.pid, signal.SIGCONT)
    for process in processes:
        found |= answers(process)
    return found


def check_log(store: Store, docid: str, answered: dict[int, int]) -> int:
    """The log has every answer; the number of its last change."""
    records = store.changes.after(docid, 1)
    stored = {int(record.key or 0): record.seq for record in records}
    assert [record.seq for record in records] == list(range(2, len(records) + 2))
    assert len(stored) == len(records)
    assert answered.items() <= stored.items()
    assert len(answered) >= 3 * WRITERS * TURNS
    return records[-1].seq


def rows_of(store: Store, docid: str) -> list[float]:
    """The rows as they are stored, read by a process that has just opened them."""
    with closing(Engine(store)) as engine:
        data = engine.open(docid).model_json("d")["attributes"]["data"]
    found: list[float] = dict(data["entries"])["x"]
    return found


def report(process: subprocess.Popen[str], head: int) -> dict[str, Any]:
    """What the viewer of a process has seen when it had five seconds more."""
    tell(process, head)
    found: dict[str, Any] = json.loads(hear(process))
    assert process.wait(30) == 0
    return found


def check_viewer(seen: dict[str, Any], head: int, rows: list[float]) -> None:
    """It has the stored rows, and its viewer heard of each once, in the order of the log."""
    assert seen["rows"] == rows
    assert seen["again"].count("other servers change it all the time") == 0, seen["again"]
    if not seen["pulls"]:
        assert seen["seqs"] == list(range(seen["start"] + 1, head + 1))
        assert seen["streamed"] == rows[2:]
