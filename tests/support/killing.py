"""A real server under load, killed again and again, and what its clients were told meanwhile."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from websockets.exceptions import WebSocketException

from bokeh_server.documents import Engine
from bokeh_server.documents.loading import apply_record
from bokeh_server.protocol import WireDocument
from bokeh_server.storage import Store
from support.bokeh_socket import BokehSocket, bokeh_socket
from support.documents import set_value, stream
from support.server import RunningServer, running_server
from support.writers import Client, client, make_document

__all__ = ["LYING", "Killed", "kill_again_and_again"]

DOCUMENTS = 2
HTTP_WRITERS, SOCKET_WRITERS = 6, 3
#: numbers of one writer's changes are below this, times its own number.
SPACE = 10_000_000
#: answers of all writers between two kills, and the changes of one document that are kept:
#: more than come between two looks at the log.
MOST_BETWEEN_KILLS = 160
KEEP_CHANGES = 150

#: the server, writing snapshots and compacting all the time.
BUSY = f"""
import gevent.monkey
gevent.monkey.patch_all()
from datetime import timedelta
import bokeh_server.documents as documents
Limits = documents.Limits
busy = dict(snapshot_changes=20, snapshot_bytes=20_000, snapshot_least=5, snapshot_seconds=0.05,
    compact_seconds=0.1, housekeeping_seconds=0.2, keep_changes={KEEP_CHANGES},
    keep_time=timedelta())
documents.Limits = lambda **given: Limits(**given | busy)
from bokeh_server.cli.main import main
main()
"""


#: the same, answering now and then what it has not stored.
LYING = BUSY.replace(
    "from bokeh_server.cli.main",
    """
from bokeh_server.storage import Stored, changes
from bokeh_server.storage.types import utc_now
append, turns = changes.ChangeStore.append, []
def lie(self, group):
    turns.append(group)
    if len(turns) % 20:
        return append(self, group)
    return [Stored(change.seq, utc_now()) for change in group]
changes.ChangeStore.append = lie
from bokeh_server.cli.main""",
)


class Log:
    """What clients were told, in a file that no server can touch; a line is on disk when noted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._more = threading.Condition()
        self._count = 0

    def note(self, *words: object) -> None:
        """Add a line."""
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())
        os.fdatasync(self._file)
        with self._more:
            self._count += words[0] != "seen"
            self._more.notify()

    def wait_for(self, count: int) -> None:
        """Wait until so many more changes were answered."""
        with self._more:
            wanted = self._count + count
            assert self._more.wait_for(lambda: self._count >= wanted, 60), "nothing is answered"

    def lines(self) -> list[list[str]]:
        """Everything noted so far."""
        return [line.split() for line in self._path.read_text().splitlines()]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


@dataclass(slots=True)
class Killed:
    """What came of it.

    :param answered: changes that clients were told are stored.
    :param seen: of those, ones that another client was sent.
    :param stored: changes in the logs.
    :param compacted: of those, ones that are only in snapshots any more.
    :param snapshots: times that a newer snapshot was found after a kill.
    """

    kills: int = 0
    answered: int = 0
    seen: int = 0
    stored: int = 0
    compacted: int = 0
    snapshots: int = 0
    slowest_start: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills: {self.answered:,} changes answered, {self.seen:,} of them seen by"
            f" others, {self.stored:,} stored, {self.compacted:,} compacted, {self.snapshots}"
            f" snapshots in between, slowest start {self.slowest_start:.1f} s"
        )


def kill_again_and_again(
    kills: int,
    database: str,
    directory: Path,
    *,
    seed: int | None = None,
    program: str = BUSY,
    say: Callable[[str], object] = lambda _text: None,
) -> Killed:
    """Kill a server under load by SIGKILL, and check everything after each time.

    :param database: URL of an empty database.
    :param directory: where the log of what clients were told goes.
    :param program: runs the server.
    :param say: is told of the progress.
    :raises AssertionError: something that was answered is lost, or there twice.
    """
    dice = random.Random(seed)
    command = (sys.executable, "-c", program)
    data = directory / "data"
    with running_server("--database", database, program=command, data_dir=data) as server:
        with client(server.url) as http:
            docids = [make_document(http, f"line {number}") for number in range(DOCUMENTS)]
        log = Log(directory / "told")
        with closing(log), closing(Store.open(database)) as store:
            checker = Checker(store, docids, log)
            with load(server, docids, log):
                for number in range(kills):
                    log.wait_for(dice.randint(1, MOST_BETWEEN_KILLS))
                    time.sleep(dice.uniform(0, 0.02))
                    server.kill()
                    checker.check()
                    began = time.monotonic()
                    server.start()
                    checker.result.slowest_start = max(
                        checker.result.slowest_start, time.monotonic() - began
                    )
                    if number % 10 == 9:
                        say(str(checker.result))
                log.wait_for(MOST_BETWEEN_KILLS)
            server.stop()
            checker.check(kill=False)
    return checker.result


# --- clients ---------------------------------------------------------------------------------


@contextmanager
def load(server: RunningServer, docids: list[str], log: Log) -> Iterator[None]:
    """Writers and viewers that go on through every kill; at the end each has its last answer."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    def of(number: int) -> str:
        return docids[number % len(docids)]

    works: list[Callable[[], None]] = []
    for n in range(HTTP_WRITERS):
        works.append(lambda n=n: write_over_http(server, of(n), n, log, stop))  # type: ignore[misc]
    for n in range(HTTP_WRITERS, HTTP_WRITERS + SOCKET_WRITERS):
        works.append(lambda n=n: write_over_socket(server, of(n), n, log, stop))  # type: ignore[misc]
    for docid in docids:
        works.append(lambda docid=docid: look_on(server, docid, log, stop))  # type: ignore[misc]
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a client hangs"
    if failures:
        raise failures[0]


def write_over_http(
    server: RunningServer, docid: str, writer: int, log: Log, stop: threading.Event
) -> None:
    """Append rows; each is sent with its key until it is answered."""
    with client(server.url, seconds=10) as http:
        turn = 0
        while not stop.is_set():
            turn += 1
            number = writer * SPACE + turn
            seq = send_until_answered(http, docid, number, stop)
            if seq is not None:
                log.note("http", docid, number, seq)


def send_until_answered(http: Client, docid: str, number: int, stop: threading.Event) -> int | None:
    """Append a row, however often that has to be asked; ``None``: there is no server any more."""
    events = [*stream(number).events, *set_value(str(number), "title").events]
    deadline = time.monotonic() + 60
    while True:
        try:
            status, answer = http.change(docid, events, key=f"k{number}")
        except OSError:
            if stop.is_set():
                return None
            time.sleep(0.02)
        else:
            if status == 200:
                return int(answer["seq"])
            assert status in (500, 503), answer
        assert time.monotonic() < deadline, "the server does not come back"


def write_over_socket(
    server: RunningServer, docid: str, writer: int, log: Log, stop: threading.Event
) -> None:
    """Append rows over a WebSocket; what is not answered is not sent again."""
    turn = 0
    while not stop.is_set():
        with lost_connections(), document_socket(server, docid) as socket:
            while not stop.is_set():
                turn += 1
                number = writer * SPACE + turn
                socket.send("PATCH-DOC", {"events": stream(number).events})
                message = socket.receive()
                assert message.msgtype == "OK", message
                log.note("sock", docid, number, 0)


def look_on(server: RunningServer, docid: str, log: Log, stop: threading.Event) -> None:
    """Follow a document, and note every row that comes."""
    while not stop.is_set():
        with lost_connections(), document_socket(server, docid) as socket:
            socket.pull()
            while not stop.is_set():
                with suppress(TimeoutError):
                    for event in socket.expect("PATCH-DOC")["events"]:
                        if event["kind"] == "ColumnsStreamed":
                            data = event["data"]
                            for number in dict(data.get("entries", data))["x"]:
                                log.note("seen", docid, int(number), 0)


def document_socket(server: RunningServer, docid: str) -> AbstractContextManager[BokehSocket]:
    """A script's connection that sees its server's end at once."""
    url = f"{server.ws_url}/bokeh/doc/{docid}/ws?script=1"
    return bokeh_socket(url, open_timeout=5, close_timeout=1)


@contextmanager
def lost_connections() -> Iterator[None]:
    """Go on when the server went away."""
    try:
        yield
    except (OSError, WebSocketException):
        time.sleep(0.02)


# --- checking --------------------------------------------------------------------------------


@dataclass(slots=True)
class Copy:
    """A document as the log makes it, kept beside the server's own snapshots."""

    wire: WireDocument = field(default_factory=WireDocument.empty)
    seq: int = 0
    snapshot_seq: int = 0
    keys: dict[str, int] = field(default_factory=dict)


class Checker:
    """Compares what clients were told, the log and the documents that are loaded."""

    def __init__(self, store: Store, docids: list[str], log: Log) -> None:
        self._store = store
        self._log = log
        self._copies = {docid: Copy() for docid in docids}
        self.result = Killed()

    def check(self, *, kill: bool = True) -> None:
        """Check everything; no server runs."""
        self.result.kills += kill
        if self._store.database.is_sqlite:
            with self._store.database.read("test") as connection:
                assert connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
        told = self._log.lines()
        self.result.answered = sum(line[0] != "seen" for line in told)
        self.result.seen = sum(line[0] == "seen" for line in told)
        self.result.stored = self.result.compacted = 0
        engine = Engine(self._store)
        try:
            for docid in self._copies:
                self._check(engine, docid, [line for line in told if line[1] == docid])
        finally:
            # not closed: that would write snapshots, and those shall be the server's
            engine._follower.close()
            engine._housekeeper.close()

    def _check(self, engine: Engine, docid: str, told: list[list[str]]) -> None:
        copy, live = self._copies[docid], engine.open(docid)
        self._follow(docid, copy)
        assert live.seq == copy.seq, "what is loaded is not the end of the log"
        assert live.content()[1:] == copy.wire.content(), "what is loaded is not what the log makes"
        rows = [int(number) for number in rows_of(copy.wire)]
        assert len(set(rows)) == len(rows), "a change was applied twice"
        assert {int(line[2]) for line in told} <= set(rows), "an answered change is lost"
        for way, _, number, seq in told:
            if way == "http":
                assert copy.keys[f"k{number}"] == int(seq), "a retry got another answer"

    def _follow(self, docid: str, copy: Copy) -> None:
        records = self._store.changes.after(docid, 0)
        record = self._store.documents.get(docid)
        assert record is not None
        seqs = [each.seq for each in records]
        assert seqs == list(range(seqs[0], record.seq + 1)), "there is a gap in the log"
        assert seqs[0] <= copy.seq + 1, "the test looks too seldom: what it needs was compacted"
        for each in records[copy.seq + 1 - seqs[0] :]:
            apply_record(copy.wire, each)
            copy.seq = each.seq
            if each.key is not None:
                assert each.key not in copy.keys, "a key was stored twice"
                copy.keys[each.key] = each.seq
        self.result.stored += copy.seq
        self.result.compacted += seqs[0] - 1
        self._look_at_snapshot(docid, copy)

    def _look_at_snapshot(self, docid: str, copy: Copy) -> None:
        snapshot = self._store.snapshots.latest(docid)
        seq = snapshot.seq if snapshot is not None else 0
        self.result.snapshots += seq > copy.snapshot_seq
        copy.snapshot_seq = seq


def rows_of(wire: WireDocument) -> list[float]:
    """The rows of the data source that clients have appended."""
    entries = wire.model_json("d")["attributes"]["data"]["entries"]
    rows: list[float] = dict(entries)["x"]
    return rows[2:]
