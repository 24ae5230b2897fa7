"""What a server does while its database fails, and that it goes on by itself afterwards."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from bokeh_server.config import DATABASE_FILE_NAME
from support.bokeh_socket import BokehSocket, bokeh_socket
from support.documents import run_together, set_value, stream
from support.outages import frozen, locked, small_disk
from support.postgresql import Postgresql, running_postgresql
from support.scripts import eventually
from support.server import RunningServer, running_server
from support.writers import Client, client, make_document

#: most seconds until somebody is told that the database does not answer; see IMPATIENT.
BOUND = 15.0

#: the server, giving up sooner than it does, so that tests are short.
IMPATIENT = """
import gevent.monkey
gevent.monkey.patch_all()
from bokeh_server.storage import database, silence, urls
database.LOCK_SECONDS = urls.LOCK_SECONDS = 1
database.STATEMENT_SECONDS = 2
urls.CONNECT_SECONDS = 2
silence.PATIENCE_SECONDS = 3.0
from bokeh_server.cli.main import main
main()
"""


@dataclass(slots=True)
class Scene:
    """A server with a document that two look at: a page of a browser, and a script."""

    server: RunningServer
    http: Client
    docid: str
    page: BokehSocket
    script: BokehSocket

    def write(self, value: object, key: str | None = None, attr: str = "value") -> tuple[int, Any]:
        """Set the slider over HTTP."""
        return self.http.change(self.docid, set_value(value, attr).events, key)

    def read(self) -> tuple[int, Any]:
        """The document's number and the slider's value over HTTP."""
        status, answer = self.http.ask("GET", f"/bokeh/doc/{self.docid}/content")
        assert status == 200, answer
        slider = next(root for root in answer["doc"]["roots"] if root["id"] == "s")
        return answer["seq"], slider["attributes"]["value"]

    def log(self) -> list[int]:
        """The numbers of all changes."""
        status, answer = self.http.ask("GET", f"/bokeh/doc/{self.docid}/changes")
        assert status == 200, answer
        return [change["seq"] for change in answer["changes"]]


@contextmanager
def scene(*options: str, **more: Any) -> Iterator[Scene]:
    """Set the scene."""
    program = (sys.executable, "-c", IMPATIENT)
    with ExitStack() as stack:
        server = stack.enter_context(running_server(*options, program=program, **more))
        http = stack.enter_context(client(server.url))
        docid = make_document(http, "line")
        address = f"{server.ws_url}/bokeh/doc/{docid}/ws"
        page = stack.enter_context(bokeh_socket(address))
        script = stack.enter_context(bokeh_socket(f"{address}?script=1"))
        page.pull()
        script.pull()
        yield Scene(server, http, docid, page, script)


def refused(scene: Scene, status: int, code: str) -> None:
    """Writing is refused in bounded time, over HTTP and both kinds of sockets; reading goes on."""
    before = scene.read()
    began = time.monotonic()
    got, answer = scene.write(77, key="again")
    assert (got, answer["error"]) == (status, code), answer
    assert time.monotonic() - began < BOUND
    scene.script.send("PATCH-DOC", {"events": set_value(78).events})
    assert scene.script.receive().msgtype == "ERROR"
    assert scene.read() == before


def goes_on(scene: Scene) -> None:
    """With the database back all is as if nothing had been, and who looks on hears of changes."""
    seq, _ = scene.read()
    eventually(lambda: scene.write(77, key="again")[0] == 200, seconds=30)
    assert scene.write(77, key="again") == (200, {"seq": seq + 1})
    assert scene.read() == (seq + 1, 77)
    assert scene.log() == list(range(1, seq + 2))
    for socket in (scene.page, scene.script):
        assert [event["new"] for event in socket.expect("PATCH-DOC")["events"]] == [77]


def page_is_sent_away(scene: Scene) -> None:
    """A page whose own change failed shows a value that is not stored: it has to pull again."""
    with bokeh_socket(f"{scene.server.ws_url}/bokeh/doc/{scene.docid}/ws") as page:
        page.pull()
        page.send("PATCH-DOC", {"events": set_value(79).events})
        assert page.receive().msgtype == "ERROR"
        with pytest.raises(ConnectionClosed) as closed:
            page.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4001


def test_a_full_disk() -> None:
    """A full disk is 507; nothing of the change is there; with room again the server goes on."""
    with small_disk() as disk, scene(data_dir=disk.path / "data") as the:
        assert the.write(1)[0] == 200
        for socket in (the.page, the.script):
            socket.expect("PATCH-DOC")
        disk.fill()
        large = "x" * 100_000  # more than the log's file has to spare
        eventually(lambda: the.write(large, attr="title")[0] == 507)
        refused_events(the)
        disk.free()
        goes_on(the)


def refused_events(the: Scene) -> None:
    """Let what was stored until the disk was full arrive, then see that all is refused."""
    drain(the.page)
    drain(the.script)
    refused(the, 507, "storage_full")
    page_is_sent_away(the)


def drain(socket: BokehSocket) -> None:
    """Take everything that has come."""
    while True:
        try:
            socket.connection.recv(timeout=0.2)
        except TimeoutError:
            return


def test_a_locked_file() -> None:
    """Another program that holds SQLite's file makes 503, for many writers in the same time."""
    with scene() as the:
        with locked(the.server.data_dir / DATABASE_FILE_NAME):
            refused(the, 503, "unavailable")
            page_is_sent_away(the)
            many_are_refused_at_once(the)
        goes_on(the)


def many_are_refused_at_once(scene: Scene) -> None:
    """Forty writers hear of it in the time of a few, not one after the other."""
    statuses: list[int] = []

    def write(number: int) -> None:
        with client(scene.server.url) as http:
            events = stream(number).events
            statuses.append(http.change(scene.docid, events, key=f"many-{number}")[0])

    began = time.monotonic()
    run_together([lambda n=n: write(n) for n in range(40)])  # type: ignore[misc]
    assert statuses == [503] * 40
    assert time.monotonic() - began < BOUND


@pytest.fixture
def own_postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server that nobody else uses."""
    with running_postgresql() as server:
        yield server


@pytest.mark.postgresql
def test_a_database_server_that_is_stopped(own_postgresql: Postgresql) -> None:
    """Without PostgreSQL writing is 503 and reading goes on; with it, everything, by itself."""
    with own_postgresql.database() as url, scene("--database", url) as the:
        own_postgresql.stop()
        refused(the, 503, "unavailable")
        page_is_sent_away(the)
        own_postgresql.start()
        goes_on(the)


@pytest.mark.postgresql
def test_a_database_server_that_hangs(own_postgresql: Postgresql) -> None:
    """A PostgreSQL that says nothing at all holds nobody for long."""
    with own_postgresql.database() as url, scene("--database", url) as the:
        with frozen(own_postgresql):
            refused(the, 503, "unavailable")
            many_are_refused_at_once(the)
        goes_on(the)
