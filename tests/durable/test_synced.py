"""An answer means that the change is on disk: shown by the system calls of a real server.

What the disk would have kept, had the power failed at any moment, follows from the same trace.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from bokeh_server.config import DATABASE_FILE_NAME
from bokeh_server.documents import Engine
from bokeh_server.errors import BokehServerError
from bokeh_server.storage import Store
from support.bokeh_socket import BokehSocket, bokeh_socket
from support.documents import set_value
from support.power import cut_power
from support.server import running_server
from support.tracing import Call, read_trace, traced
from support.writers import Client, client, make_document

WRITES = 40
PADDING = "." * 40_000
MARK = re.compile(rb"(?:http|sock)-mark-[0-9]{4}")

#: the server as it must not be: it writes, and never waits for the disk.
CARELESS = """
import gevent.monkey
gevent.monkey.patch_all()
from bokeh_server.storage import database
careful = database._prepare_sqlite
def careless(raw):
    careful(raw)
    raw.execute("PRAGMA synchronous = OFF")
database._prepare_sqlite = careless
from bokeh_server.cli.main import main
main()
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What the server told of one change.

    :param stored: the call that wrote it into SQLite's write-ahead log.
    :param answer: the call that answered its sender.
    :param others: the calls that handed it to everybody else.
    """

    mark: bytes
    stored: Call
    answer: Call
    others: list[Call]


def marked(mark: str) -> list[dict[str, object]]:
    """A change that is known by its mark, and long enough that the log is moved back once."""
    return set_value(mark + PADDING, "title").events


def write_all_ways(http: Client, script: BokehSocket, viewer: BokehSocket, docid: str) -> list[str]:
    """Write over HTTP and over the WebSocket, one after the other; every change has its mark."""
    viewer.pull()
    marks = []
    for number in range(WRITES):
        mark = f"http-mark-{number:04}"
        assert http.change(docid, marked(mark), key=mark)[0] == 200
        assert viewer.expect("PATCH-DOC")["events"] == marked(mark)
        marks.append(mark)
        mark = f"sock-mark-{number:04}"
        script.send("PATCH-DOC", {"events": marked(mark)}, msgid=mark)
        assert script.receive().msgtype == "OK"
        assert viewer.expect("PATCH-DOC")["events"] == marked(mark)
        marks.append(mark)
    return marks


@dataclass(frozen=True, slots=True)
class Run:
    """One life of a server.

    :param docid: the document that was written to.
    :param data: its data directory, which is gone.
    :param told: every change, and how it was told.
    """

    docid: str
    data: Path
    calls: list[Call]
    told: list[Told]


def run_traced(directory: Path, *program: str) -> Run:
    """Run a server under strace and write to it."""
    trace = directory / "trace"
    command = traced(trace, *([program] if program else []))
    with running_server(program=command) as server, client(server.url) as http:
        docid = make_document(http, "line")
        address = f"{server.ws_url}/bokeh/doc/{docid}/ws"
        with bokeh_socket(f"{address}?script=1") as script, bokeh_socket(address) as viewer:
            marks = write_all_ways(http, script, viewer, docid)
    calls = read_trace(trace)
    return Run(docid, server.data_dir, calls, list(what_was_told(marks, calls)))


@pytest.fixture(scope="module")
def careful(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The server as it is."""
    return run_traced(tmp_path_factory.mktemp("careful"))


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The server without syncs."""
    return run_traced(tmp_path_factory.mktemp("careless"), sys.executable, "-c", CARELESS)


def what_was_told(marks: list[str], calls: list[Call]) -> Iterator[Told]:
    """Find in a trace, for every mark, where it was stored, answered and handed on."""
    for mark in (text.encode() for text in marks):
        stored = next(c for c in calls if c.path.endswith("-wal") and mark in c.data)
        sent = [c for c in calls if c.name in ("sendto", "sendmsg") and mark in c.data]
        if mark.startswith(b"http"):  # its answer does not repeat it
            asked = next(c for c in calls if c.name == "recvfrom" and mark in c.data)
            answers = (c for c in calls if c.name in ("sendto", "sendmsg") and c.file == asked.file)
            answer = next(c for c in answers if c.began > asked.ended)
            assert b"200 OK" in answer.data
        else:
            answer = next(c for c in sent if b'"OK"' in c.data)
        yield Told(mark, stored, answer, [c for c in sent if c is not answer])


def told_too_early(told: Told, calls: list[Call]) -> list[Call]:
    """The calls that told of a change before a sync of the log, begun after it, had ended."""
    syncs = [c for c in calls if c.synced and c.path == told.stored.path]
    synced = next((c.ended for c in syncs if c.began > told.stored.ended), sys.maxsize)
    return [c for c in (told.answer, *told.others) if c.began < synced]


def lost_by_power_cuts(run: Run, directory: Path, cuts: int, seed: int) -> list[bytes]:
    """Cut the power at random moments; the marks of what was told before and is not there."""
    dice = random.Random(seed)
    first, last = run.told[0].answer.began, run.calls[-1].ended
    lost = []
    for number in range(cuts):
        at, target = dice.randint(first, last), directory / f"cut-{number}"
        cut_power(run.calls, at, run.data, target, dice if number % 2 else None)
        heard = [one.mark for one in run.told for c in (one.answer, *one.others) if c.began < at]
        stored = marks_in(target, run.docid)
        lost += [mark for mark in heard if mark not in stored]
    return lost


def marks_in(directory: Path, docid: str) -> set[bytes]:
    """The marks of all changes of a document; none where the database or its log is not whole."""
    try:
        with closing(Store.open(f"sqlite:///{directory / DATABASE_FILE_NAME}", create=False)) as it:
            return marks_in_store(it, docid)
    except (BokehServerError, SQLAlchemyError):
        return set()


def marks_in_store(store: Store, docid: str) -> set[bytes]:
    """The marks of all changes of a document, which is opened, too."""
    with store.database.read("test") as connection:
        checked = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
    engine, records = Engine(store), store.changes.after(docid, 0)
    head = engine.open(docid).seq
    engine.close()
    if checked != "ok" or [record.seq for record in records] != list(range(1, head + 1)):
        return set()
    return {mark for record in records for mark in MARK.findall(record.body)}


def test_a_change_is_synced_before_anybody_hears_of_it(careful: Run) -> None:
    """Answers and broadcasts begin after ``fdatasync`` of the log, over HTTP and WebSocket."""
    assert len(careful.told) == 2 * WRITES
    assert all(one.others for one in careful.told), "the viewer's part is not in the trace"
    assert [one.mark for one in careful.told if told_too_early(one, careful.calls)] == []


def test_a_server_that_does_not_sync_is_found_out(careless: Run) -> None:
    """With ``synchronous=OFF`` every change is told too early: the test above can fail."""
    early = [one for one in careless.told if told_too_early(one, careless.calls)]
    assert early == careless.told


def test_nothing_that_was_told_is_lost_with_the_power(careful: Run, tmp_path: Path) -> None:
    """After power cuts at sixty moments the database is whole and has all that was told before."""
    assert lost_by_power_cuts(careful, tmp_path, 60, seed=5006) == []


def test_the_power_does_take_what_is_not_synced(careless: Run, tmp_path: Path) -> None:
    """Without syncs power cuts lose what was told: the test above can fail."""
    assert lost_by_power_cuts(careless, tmp_path, 10, seed=5006)
