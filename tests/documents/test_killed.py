"""What is answered is there after the process was killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from bokeh_server.documents import Engine
from bokeh_server.storage import Store
from support.documents import doc_json

KILLS = 10

#: writes from eight threads to two documents, and notes every answer in a file.
WRITER = """
import os, sys, threading
from datetime import timedelta
from bokeh_server.documents import Engine, Limits
from bokeh_server.protocol import Patch
from bokeh_server.storage import Store

url, acks, *docids = sys.argv[1:]
limits = Limits(snapshot_changes=40, keep_changes=2000, keep_time=timedelta(0))
engine = Engine(Store.open(url), limits=limits)
answers = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def write(worker):
    docid = docids[worker % len(docids)]
    for turn in range(10 ** 9):
        key = f"{os.getpid()}-{worker}-{turn}"
        event = {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "title", "new": key}
        seq = engine.open(docid).apply(Patch([event], {}), actor="ada", key=key)
        os.write(answers, f"{docid} {seq} {key}\\n".encode())

threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(8)]
for thread in threads:
    thread.start()
print("ready", flush=True)
for thread in threads:
    thread.join()
"""


def test_nothing_answered_is_lost(tmp_path: Path) -> None:
    """After ten SIGKILLs amid writing every answered change is in the log, once, without gaps."""
    url, acks = f"sqlite:///{tmp_path / 'bokeh.sqlite'}", tmp_path / "acks"
    store = Store.open(url)
    engine = Engine(store)
    docids = [engine.create("ada", f"line {n}").docid for n in range(2)]
    for docid in docids:
        engine.open(docid).replace(doc_json(), {}, actor="ada")
    engine.close()
    for _ in range(KILLS):
        run_and_kill(url, acks, docids)
        check(store, acks, docids)
    assert len(acks.read_text().splitlines()) > 100
    store.close()


def run_and_kill(url: str, acks: Path, docids: list[str]) -> None:
    """Let the writer write for a moment, then kill it."""
    command = [sys.executable, "-c", WRITER, url, str(acks), *docids]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(random.uniform(0.05, 0.4))
        os.kill(writer.pid, signal.SIGKILL)


def check(store: Store, acks: Path, docids: list[str]) -> None:
    """Compare the answers with the log, and the log with what is loaded."""
    with store.database.read("test") as connection:
        assert connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
    answered = [line.split() for line in acks.read_text().splitlines() if line.count(" ") == 2]
    engine = Engine(store)
    for docid in docids:
        records = store.changes.after(docid, 0)
        live = engine.open(docid)
        stored = {record.seq: record.key for record in records}
        oldest = records[0].seq  # older ones were compacted away
        wanted = {
            int(seq): key for doc, seq, key in answered if doc == docid and int(seq) >= oldest
        }
        assert [record.seq for record in records] == list(range(oldest, live.seq + 1))
        assert max(wanted, default=0) <= live.seq
        assert wanted.items() <= stored.items()
        assert live.model_json("s")["attributes"].get("title") == records[-1].key
    engine.close()
