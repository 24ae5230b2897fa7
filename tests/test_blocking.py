"""Blocking calls, with threads and with gevent."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.request import urlopen

import pytest

from bokeh_server import blocking
from bokeh_server.blocking import in_turns, is_gevent, run_blocking
from support.documents import stream
from support.native import IMPORTED, SHARED
from support.server import running_server
from support.writers import client, make_document

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


#: the bokeh-server command, watched.
WATCHED = """
from support.native import watch
watch()
from bokeh_server.cli.main import main
main()
"""

#: something that a native thread may not do.
FORBIDDEN = """
from support.native import watch
watch()
import threading
from bokeh_server.blocking import run_blocking
lock = threading.Lock()
with lock:
    pass
run_blocking(lambda: lock.acquire(timeout=1))
run_blocking(__import__, "colorsys")
"""

#: as many servers start as one: several native threads ask a database for the first time at once.
COLD = """
import gevent.monkey
gevent.monkey.patch_all()
import sys
import gevent
from bokeh_server.blocking import run_blocking
from bokeh_server.storage import Store

for _ in range(150):
    store = Store.open(sys.argv[1])
    first = [gevent.spawn(run_blocking, store.ping) for _ in range(8)]
    done = gevent.joinall(first, timeout=20)
    if len(done) < len(first):
        sys.exit("a native thread waits for ever")
    store.close()
"""


def run_program(program: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a program that may import ``support``."""
    return subprocess.run(
        [sys.executable, "-c", program, *args],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parent), "PATH": ""},
    )


def test_native_threads_share_no_locks(database_url: str) -> None:
    """A server that starts, writes, reads, restores and delivers imports nothing in them, too."""
    program = (sys.executable, "-c", WATCHED)
    env = {"PYTHONPATH": str(Path(__file__).parent)}
    with running_server("--database", database_url, program=program, env=env) as server:
        use_everything(server.url)
        server.stop()
        lines = server.log.splitlines()
    said = [line for line in lines if line.startswith((IMPORTED, SHARED))]
    assert "bokeh-server" in lines[0]
    # psycopg's connections have a lock each, which nobody but their user of the moment takes
    assert [line for line in said if "/psycopg/" not in line] == []


def use_everything(url: str) -> None:
    """Have native threads do whatever they do for a server."""
    rows = [0.5] * 200_000
    columns = {"type": "map", "entries": [["x", rows], ["y", rows]]}
    large = {"kind": "ColumnDataChanged", "model": {"id": "d"}, "attr": "data", "data": columns}
    with client(url) as http:
        docid = make_document(http, "line")
        document = f"/bokeh/doc/{docid}"
        page = urlopen(f"{url}{document}/show").read().decode()
        for path in re.findall(r'src="(/[^"]+\.js)"', page):
            urlopen(url + path).read()
        threads = [
            threading.Thread(target=write_some, args=(url, docid, number)) for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert http.change(docid, [{**large, "cols": None}])[0] == 200
        assert http.ask("POST", f"{document}/restore", {"revision": 3})[0] == 200
        for path in ("changes", "history", "content?revision=4", "content"):
            assert http.ask("GET", f"{document}/{path}")[0] == 200
        assert http.ask("DELETE", f"{document}/")[0] == 204


def write_some(url: str, docid: str, number: int) -> None:
    """Write 60 changes."""
    with client(url) as http:
        for turn in range(60):
            assert http.change(docid, stream(turn).events, key=f"{number}-{turn}")[0] == 200


def test_sharing_would_be_seen() -> None:
    """The watch of the test above reports a lock and an import in a native thread."""
    said = run_program(FORBIDDEN).stderr
    assert SHARED in said
    assert f"{IMPORTED} colorsys" in said


def test_the_first_connections_come_at_once(database_url: str) -> None:
    """However many threads use a database first, none waits for another for ever."""
    done = run_program(COLD, database_url)
    assert done.returncode == 0, done.stderr


def test_many_items_leave_turns_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes through many lets others run after every so many, and misses none."""
    turns: list[float] = []
    monkeypatch.setattr("bokeh_server.blocking.time.sleep", turns.append)
    assert list(in_turns(range(250), 100)) == list(range(250))
    assert turns == [0, 0]
