"""Stores in quick succession go over one WebSocket, and lose nothing that requests would keep."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bokeh.document import Document
from bokeh.models import Slider

from bokeh_server.client import Session, _pipes
from bokeh_server.client._websocket import Closed, WebSocket
from bokeh_server.errors import InvalidPatch, UnknownDocument
from bokeh_server.protocol.packing import pack
from support.server import running_server


@contextmanager
def stored(session: Session, title: str) -> Iterator[tuple[Document, Slider]]:
    """A document of one slider, stored."""
    session.use_doc(title)
    document, slider = Document(), Slider(start=0, end=10_000, value=0)
    document.add_root(slider)
    session.store_document(document)
    yield document, slider


def store(session: Session, slider: Slider, values: range) -> None:
    """Store a slider with one value after the other."""
    for value in values:
        slider.value = value
        session.store_objects(slider)


def values_stored(session: Session) -> list[int]:
    """Every value of the slider that is in the log."""
    log = session.http.get(session.http.url("doc", str(session.docid), "changes"))
    events = [event for change in log["changes"] for event in change["events"]]
    return [event["new"] for event in events if event.get("attr") == "value"]


def requests_seen(session: Session, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that the session makes from now on."""
    seen: list[str] = []
    send = session.http.send

    def note(method: str, url: str, body: bytes, key: str, origin: str) -> object:
        seen.append(key)
        return send(method, url, body, key, origin)

    monkeypatch.setattr(session.http, "send", note)
    return seen


def test_a_loop_needs_no_requests(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first few, stores go over one connection, each exactly once and in order."""
    with stored(session, "loop") as (_, slider):
        seen = requests_seen(session, monkeypatch)
        store(session, slider, range(1, 101))
        assert len(seen) == _pipes.OFTEN - 1
        assert values_stored(session) == list(range(1, 101))


def test_now_and_then_there_is_no_connection(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that stores seldom holds no connection open."""
    monkeypatch.setattr(_pipes, "OFTEN_SECONDS", 0.0)
    with stored(session, "seldom") as (_, slider):
        seen = requests_seen(session, monkeypatch)
        store(session, slider, range(1, 6))
        assert len(seen) == 5


def test_a_lost_answer_is_asked_for_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that breaks when the change is stored already: it is not stored twice."""
    with stored(session, "lost") as (_, slider):
        store(session, slider, range(1, 6))
        send = WebSocket.send_binary

        def send_and_lose(self: WebSocket, data: bytes) -> None:
            send(self, data)
            next(self.messages())
            raise ConnectionResetError

        monkeypatch.setattr(WebSocket, "send_binary", send_and_lose)
        seen = requests_seen(session, monkeypatch)
        store(session, slider, range(6, 7))
        monkeypatch.undo()
        assert len(seen) == 1
        store(session, slider, range(7, 12))
        assert values_stored(session) == list(range(1, 12))


def test_it_goes_on_after_the_server_was_stopped(tmp_path: Path) -> None:
    """A stopped server closes the connection; the same loop goes on with its successor."""
    with (
        running_server() as server,
        Session(root_url=server.url, configdir=tmp_path) as session,
        stored(session, "restart") as (_, slider),
    ):
        store(session, slider, range(1, 21))
        server.restart()
        store(session, slider, range(21, 41))
        assert values_stored(session) == list(range(1, 41))


def test_what_the_server_refuses_is_raised(session: Session) -> None:
    """A refusal over the connection is the same error as one by HTTP; the loop may go on."""
    with stored(session, "refused") as (_, slider):
        store(session, slider, range(1, 6))
        body = pack(b'{"events":[{"kind":"ModelChanged","model":{"id":"none"}}]}', {})
        with pytest.raises(InvalidPatch, match="'none'"):
            session._pipes.send(str(session.docid), body, "key-1")
        store(session, slider, range(6, 8))
        assert values_stored(session) == [1, 2, 3, 4, 5, 6, 7]


def test_a_deleted_document_is_unknown(session: Session, other: Session) -> None:
    """Somebody deletes the document while it is stored in a loop."""
    with stored(session, "deleted") as (_, slider):
        store(session, slider, range(1, 6))
        url = other.http.url("doc", str(session.docid), slash=True)
        other.http.request("DELETE", url)
        with pytest.raises(UnknownDocument):
            store(session, slider, range(6, 8))


def test_an_idle_connection_is_not_used(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a pause it goes by a request, as the server may have given up the connection."""
    with stored(session, "idle") as (_, slider):
        store(session, slider, range(1, 6))
        assert session._pipes._pipes
        monkeypatch.setattr(_pipes, "IDLE_SECONDS", 0.0)
        monkeypatch.setattr(_pipes, "OFTEN_SECONDS", 0.0)
        seen = requests_seen(session, monkeypatch)
        store(session, slider, range(6, 8))
        assert len(seen) == 2
        assert not session._pipes._pipes


def test_ctrl_c_leaves_no_answer_to_the_next(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted store is sent again with its key; its late answer is taken for no other."""
    with stored(session, "interrupted") as (_, slider):
        store(session, slider, range(1, 6))
        send = WebSocket.send_binary

        def interrupt(self: WebSocket, data: bytes) -> None:
            send(self, data)
            raise KeyboardInterrupt

        monkeypatch.setattr(WebSocket, "send_binary", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store(session, slider, range(6, 7))
        monkeypatch.undo()
        store(session, slider, range(7, 12))
        assert values_stored(session) == list(range(1, 12))


FORKING = """
import os, sys
from bokeh.document import Document
from bokeh_server.client import Session

session = Session(root_url=sys.argv[1], configdir=os.getcwd())
session.use_doc(docid=sys.argv[2])
document = Document()
session.load_document(document)
ours, theirs = document.roots

def store(slider, values):
    for value in values:
        slider.value = value
        session.store_objects(slider)

def local():
    return [pipe._socket._socket.getsockname() for pipe in session._pipes._pipes.values()]

store(ours, range(1, 6))
(before,) = local()
child = os.fork()
if child == 0:
    try:
        store(theirs, range(1, 31))
        (own,) = local()
        os._exit(0 if own != before else 3)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(4)
store(ours, range(6, 36))
_, status = os.waitpid(child, 0)
store(ours, range(36, 41))
assert local() == [before], "the parent lost its connection"
session.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("turn", range(3))
def test_a_forked_process_has_its_own(session: Session, tmp_path: Path, turn: int) -> None:
    """A child goes on while its parent does: each on its own connection, nothing is lost."""
    session.use_doc(f"forked {turn}")
    document, sliders = Document(), [Slider(start=0, end=100, value=0) for _ in range(2)]
    for slider in sliders:
        document.add_root(slider)
    session.store_document(document)
    program = tmp_path / "forking.py"
    program.write_text(FORKING)
    ran = subprocess.run(
        [sys.executable, str(program), session.root_url, str(session.docid)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    log = session.http.get(session.http.url("doc", str(session.docid), "changes"))
    events = [event for change in log["changes"] for event in change["events"]]
    for slider, last in zip(sliders, (40, 30), strict=True):
        mine = [each["new"] for each in events if each.get("model") == {"id": slider.id}]
        assert mine == list(range(1, last + 1))


def test_pings_are_answered_by_a_loop(tmp_path: Path) -> None:
    """The server pings a script that pauses; the script answers with its next store."""
    with (
        running_server("--ping-interval", "0.4") as server,
        Session(root_url=server.url, configdir=tmp_path) as session,
        stored(session, "pings") as (_, slider),
    ):
        store(session, slider, range(1, 6))
        for value in range(6, 12):
            time.sleep(0.3)
            store(session, slider, range(value, value + 1))
        assert values_stored(session) == list(range(1, 12))


@pytest.mark.parametrize(
    ("message", "code"), [("a key\nand text", 1003), (b"\nno key", 1002), (b"\xff\nbody", 1002)]
)
def test_what_is_no_change_closes_it(session: Session, message: str | bytes, code: int) -> None:
    """Nonsense is answered with a close code."""
    with stored(session, "nonsense"):
        socket = session.open_socket(str(session.docid), "changes", "")
        send = socket.send if isinstance(message, str) else socket.send_binary
        send(message)  # type: ignore[operator]
        with pytest.raises(Closed) as closed:
            next(socket.messages())
        assert closed.value.code == code


def test_many_writers_at_once(session: Session, tmp_path: Path) -> None:
    """Eight scripts in loops of their own, on one document: every change is stored once."""
    with stored(session, "many") as (document, _):
        sliders = [Slider(start=0, end=10_000, value=0) for _ in range(8)]
        for each in sliders:
            document.add_root(each)
        session.store_document(document)
        docid = str(session.docid)

        def loop(number: int) -> None:
            with Session(root_url=session.root_url, configdir=tmp_path) as own:
                own.use_doc(docid=docid)
                mine = Document()
                own.load_document(mine)
                slider = mine.roots[1 + number]
                store(own, slider, range(1, 31))

        threads = [threading.Thread(target=loop, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(values_stored(session)) == sorted(list(range(1, 31)) * 8)
