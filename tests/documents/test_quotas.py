"""How much users may store, where several processes write."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bokeh_server.documents import Engine, Quotas
from bokeh_server.errors import QuotaReached
from bokeh_server.storage import Store
from support.documents import doc_json, set_value

MOST = 60_000
#: one change of :data:`OTHER`, with what a row takes.
SIZE = 500

#: a process that makes a change every 50 ms until that is refused.
OTHER = """
import sys, time
from bokeh_server.documents import Engine, Quotas
from bokeh_server.errors import QuotaReached
from bokeh_server.storage import Store
from support.documents import set_value

store = Store.open(sys.argv[1])
engine = Engine(store, quotas=Quotas(store.usage.of, most_bytes=int(sys.argv[2])))
stored = 0
try:
    while stored < 400:
        engine.open(sys.argv[3]).apply(set_value(f"{stored}" + "x" * 300, "title"), actor="ada")
        stored += 1
        if stored == 2:
            print("ready", flush=True)
        time.sleep(0.05)
except QuotaReached:
    print(stored, flush=True)
engine.close()
store.close()
"""


@contextmanager
def other(url: str, docid: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes to a document, too; it has begun."""
    tests = Path(__file__).parents[1]
    line = [sys.executable, "-c", OTHER, url, f"{MOST}", docid]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=tests) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def used(store: Store) -> int:
    """What ada's documents take."""
    usage = store.usage.of("ada")
    assert usage is not None
    return usage.bytes


def test_a_snapshot_pushes_nobody_beyond_the_limit(store: Store) -> None:
    """Without room there is none, and all that was stored is read from the log; then there is."""
    quotas = Quotas(store.usage.of, most_bytes=MOST)
    with closing(Engine(store, quotas=quotas)) as engine:
        docid = engine.create("ada", "line").docid
        engine.open(docid).replace(doc_json(), {}, actor="ada")
        with pytest.raises(QuotaReached):
            fill(engine, docid)
        live = engine.open(docid)
        head = live.seq
        assert not live.snapshot()
        assert MOST - SIZE < used(store) <= MOST
        assert used(store) == store.usage.measure(docid)
        assert live.unload()
        value = engine.open(docid).model_json("s")["attributes"]["title"]
        assert (engine.open(docid).seq, len(value) > 300) == (head, True)
        store.usage.limit("ada", None, 2 * MOST)
        quotas.forget("ada")
        assert engine.open(docid).snapshot()
        assert used(store) == store.usage.measure(docid) > MOST


def fill(engine: Engine, docid: str) -> None:
    """Change a document until that is refused."""
    for number in range(1000):
        engine.open(docid).apply(set_value(f"{number}" + "x" * 300, "title"), actor="ada")
    raise AssertionError("nothing was ever refused")


def test_two_processes_keep_one_limit(store: Store, ready_url: str) -> None:
    """What one has filled the other notices within a second, though it had looked before."""
    quotas = Quotas(store.usage.of, most_bytes=MOST)
    with closing(Engine(store, quotas=quotas)) as engine:
        docids = [engine.create("ada", title).docid for title in ("one", "two")]
        for docid in docids:
            engine.open(docid).replace(doc_json(), {}, actor="ada")
        with other(ready_url, docids[1]) as process:
            with pytest.raises(QuotaReached, match=r"take .* of 58\.6 KB"):
                fill(engine, docids[0])
            assert process.stdout is not None
            filled = time.monotonic()
            stored = int(process.stdout.readline())
            waited = time.monotonic() - filled
        assert stored < 100
        assert waited < 5
        # within its second: twenty changes
        assert used(store) <= MOST + 25 * SIZE
