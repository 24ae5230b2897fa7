"""Bokeh's protocol over a connection, with real documents."""

from __future__ import annotations

import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bokeh_server.channels import Channel, Entry
from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.documents.limits import Limits as EngineLimits
from bokeh_server.errors import Forbidden, StorageFull
from bokeh_server.protocol import Message, Patch, encode_body, text_frame
from bokeh_server.sockets import BokehHandler, Limits, SocketLoop, plain_transport
from bokeh_server.storage import Store
from support.documents import doc_json, set_value, stream
from support.rawsocket import BINARY, CLOSE, TEXT, RawClient, frame

#: ``connect(source, **options)`` gives a client; see conftest.py.
Connect = Callable[..., Any]


def slider_value(doc: dict[str, Any]) -> Any:
    """The slider's value in a document's JSON."""
    (slider,) = [root for root in doc["roots"] if root["id"] == "s"]
    return slider["attributes"]["value"]


def test_a_pull_is_answered_with_the_document_and_then_its_changes(
    connect: Connect, live: LiveDocument
) -> None:
    """Nothing comes before the pull; after the reply every change, once."""
    client = connect()
    live.apply(set_value(7), actor="bob")
    msgtype, content = client.ask("PULL-DOC-REQ")
    assert msgtype == "PULL-DOC-REPLY"
    assert slider_value(content["doc"]) == 7
    live.apply(set_value(8), actor="bob")
    assert client.events()[0]["new"] == 8


def test_pulls_amid_changes_lose_none_and_repeat_none(connect: Connect, live: LiveDocument) -> None:
    """While rows are streamed, clients pull: reply and patches make every row exactly once."""
    stop = threading.Event()

    def write() -> None:
        row = 100
        while not stop.is_set() and row < 1000:
            live.apply(stream(row), actor="bob")
            row += 1
        live.apply(stream(-1), actor="bob")

    writer = threading.Thread(target=write)
    writer.start()
    clients = [connect() for _ in range(20)]
    replies = [client.ask("PULL-DOC-REQ")[1]["doc"] for client in clients]
    stop.set()
    writer.join(30)
    expected = rows_of(json.loads(live.content(inline=True)[1]))
    for client, doc in zip(clients, replies, strict=True):
        rows = rows_of(doc)
        while rows[-1] != -1:
            for event in client.events():
                rows += plain(event["data"])["x"]
        assert rows == expected


def test_a_socket_that_pulls_again_and_again_gets_every_row_once(
    connect: Connect, live: LiveDocument
) -> None:
    """What the earlier following has left does not come after a reply that holds it."""
    client = connect()

    def write() -> None:
        for row in range(100, 700):
            live.apply(stream(row), actor="bob")
        live.apply(stream(-1), actor="bob")

    writer = threading.Thread(target=write)
    writer.start()
    rows: list[Any] = []
    while not rows or rows[-1] != -1:
        asked = client.send("PULL-DOC-REQ")
        while (message := client.receive()).reqid != asked:
            if rows:
                rows += streamed(message)
        rows = rows_of(json.loads(message.content)["doc"])
        for _ in range(3):
            if rows[-1] != -1:
                rows += streamed(client.receive())
        numbers = [row for row in rows if row != -1]
        assert numbers == sorted(set(numbers))
    writer.join(30)
    assert rows == rows_of(json.loads(live.content(inline=True)[1]))


def streamed(message: Message) -> list[Any]:
    """The rows that a patch appends."""
    events = json.loads(message.content)["events"]
    return [row for event in events for row in plain(event["data"])["x"]]


def rows_of(value: Any) -> list[Any]:
    """The column ``x`` of the data source, wherever it is in a document's JSON."""
    if isinstance(value, dict):
        if value.get("id") == "d" and "attributes" in value:
            return list(plain(value["attributes"]["data"])["x"])
        value = list(value.values())
    if isinstance(value, list):
        return next((rows for one in value if (rows := rows_of(one))), [])
    return []


def plain(data: Any) -> dict[str, list[Any]]:
    """Columns as lists, from either of Bokeh's two ways to write a dictionary."""
    if data.get("type") == "map":
        return dict(data["entries"])
    return dict(data)


def test_a_patch_is_answered_and_reaches_the_others(connect: Connect) -> None:
    """The sender gets OK and not its own change; the other gets the patch and no OK."""
    sender, other = connect(), connect()
    for client in (sender, other):
        client.ask("PULL-DOC-REQ")
    assert sender.patch(5) == ("OK", {})
    assert other.events()[0]["new"] == 5
    title = {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "title", "new": "speed"}
    assert other.ask("PATCH-DOC", {"events": [title]}) == ("OK", {})
    assert sender.events()[0]["new"] == "speed"


def test_every_viewer_gets_the_same_bytes(connect: Connect, live: LiveDocument) -> None:
    """One encoding serves all."""
    clients = [connect() for _ in range(3)]
    for client in clients:
        client.ask("PULL-DOC-REQ")
    live.apply(set_value(5), actor="bob")
    assert len({client.raw.take(40) for client in clients}) == 1


@pytest.mark.parametrize(
    "content",
    [
        {"events": "none"},
        {"events": [{"kind": "Nonsense"}]},
        {"events": [{"kind": "ModelChanged", "model": {"id": "zzz"}, "attr": "a", "new": 1}]},
        {"nothing": 1},
        [],
    ],
)
def test_a_bad_patch_is_an_error_and_the_socket_stays_open(
    connect: Connect, content: object
) -> None:
    """The error says what is wrong; nothing is stored, nothing broadcast, changes go on."""
    client, other = connect(), connect()
    other.ask("PULL-DOC-REQ")
    msgtype, answer = client.ask("PATCH-DOC", content)
    assert msgtype == "ERROR"
    assert answer["text"].startswith("Could not")
    assert client.patch(5) == ("OK", {})
    assert other.events()[0]["new"] == 5


def test_content_that_is_no_json_is_an_error_too(connect: Connect) -> None:
    """The message is whole, so the socket stays open."""
    client = connect()
    for part in (b'{"msgid": "a", "msgtype": "PATCH-DOC"}', b"{}", b"{not json"):
        client.raw.send(TEXT, part)
    assert client.receive().msgtype == "ERROR"
    assert client.patch(5) == ("OK", {})


def test_a_viewer_is_answered_and_nothing_is_kept(connect: Connect, live: LiveDocument) -> None:
    """BokehJS sends patches by itself: OK; replacing the document is refused; it still follows."""
    viewer = connect(right="read")
    viewer.ask("PULL-DOC-REQ")
    before = live.content()
    assert viewer.patch(99) == ("OK", {})
    assert viewer.ask("PATCH-DOC", {"events": "nonsense"})[0] == "OK"
    msgtype, answer = viewer.ask("PUSH-DOC", {"doc": doc_json()})
    assert (msgtype, "only read" in answer["text"]) == ("ERROR", True)
    assert live.content() == before
    live.apply(set_value(5), actor="bob")
    assert viewer.events()[0]["new"] == 5


def test_a_push_replaces_the_document_and_then_changes_come(
    connect: Connect, live: LiveDocument
) -> None:
    """As ``push_session`` does: it never pulls, and hears what others change afterwards."""
    client, doc = connect(script=True), doc_json()
    doc["title"] = "pushed"
    assert client.ask("PUSH-DOC", {"doc": doc}) == ("OK", {})
    assert json.loads(live.content()[1])["title"] == "pushed"
    live.apply(set_value(5), actor="bob")
    assert client.events()[0]["new"] == 5


@pytest.mark.parametrize("content", [{}, {"doc": 1}, [], {"doc": {"roots": 5}}])
def test_a_bad_push_changes_nothing(connect: Connect, live: LiveDocument, content: object) -> None:
    """ERROR, and the document is as it was."""
    before = live.content()
    assert connect().ask("PUSH-DOC", content)[0] == "ERROR"
    assert live.content() == before


class Full:
    """A document on a full disk."""

    def apply(self, *_: object, **__: object) -> int:
        """Fail."""
        raise StorageFull("store the change", "the disk is full", "Free some space")


def test_a_change_that_cannot_be_stored_makes_a_browser_pull_again(connect: Connect) -> None:
    """It shows a value that nobody else will see: ERROR, then 4001; a script only gets ERROR."""
    browser, script = connect(Full()), connect(Full(), script=True)
    for client in (browser, script):
        msgtype, answer = client.patch(5)
        assert (msgtype, "disk is full" in answer["text"]) == ("ERROR", True)
    assert browser.closed_with() == 4001
    assert script.ask("SERVER-INFO-REQ")[0] == "SERVER-INFO-REPLY"


def test_a_mistake_of_ours_is_an_error_that_is_logged(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """A source without the method: ERROR without internals, the socket stays open."""
    client = connect(object())
    msgtype, answer = client.patch(5)
    assert (msgtype, "object" in answer["text"]) == ("ERROR", False)
    assert "A PATCH-DOC failed" in caplog.text
    assert client.ask("SERVER-INFO-REQ")[0] == "SERVER-INFO-REPLY"


def test_the_server_tells_its_version(connect: Connect) -> None:
    """``SERVER-INFO-REQ`` is answered."""
    msgtype, content = connect().ask("SERVER-INFO-REQ")
    assert msgtype == "SERVER-INFO-REPLY"
    assert content["version_info"]["bokeh"].startswith("3.")


@pytest.mark.parametrize("msgtype", ["OK", "ACK", "PULL-DOC-REPLY", "Nonsense", ""])
def test_what_is_no_request_closes_with_1002(connect: Connect, msgtype: str) -> None:
    """A client that sends it speaks another protocol."""
    client = connect()
    client.send(msgtype)
    assert client.closed_with() == 1002


def test_a_header_that_is_none_closes_with_1002(connect: Connect) -> None:
    """There is no telling where the next message begins."""
    client = connect()
    client.raw.send(TEXT, b"hello")
    assert client.closed_with() == 1002


def test_binary_where_text_belongs_closes_with_1003(connect: Connect) -> None:
    """The wrong kind of data."""
    client = connect()
    client.raw.send(BINARY, b"{}")
    assert client.closed_with() == 1003


def test_a_message_of_too_many_bytes_closes_with_1009(connect: Connect) -> None:
    """All its buffers together count, though each WebSocket message is within the limit."""
    client = connect()
    header = {"msgid": "a", "msgtype": "PATCH-DOC", "num_buffers": 3}
    for part in (header, {}, {"events": []}):
        client.raw.send(TEXT, json.dumps(part).encode())
    for name in ("a", "b", "c"):
        client.raw.send(TEXT, json.dumps({"id": name}).encode())
        client.raw.send(BINARY, bytes(2**20 - 100))
    assert client.closed_with() == 1009


def test_a_pipeline_is_handled_in_order(connect: Connect, live: LiveDocument) -> None:
    """200 patches sent without waiting: as many answers in their order, and the last value."""
    client = connect()
    sent = [client.send("PATCH-DOC", {"events": [event(n)]}) for n in range(200)]
    answers = [client.receive() for _ in sent]
    assert [answer.reqid for answer in answers] == sent
    assert {answer.msgtype for answer in answers} == {"OK"}
    assert slider_value(json.loads(live.content()[1])) == 199


def event(value: object) -> dict[str, Any]:
    """The event that sets the slider."""
    return {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "value", "new": value}


def test_a_page_that_lost_its_connection_gets_arrays_inline(
    connect: Connect, live: LiveDocument
) -> None:
    """BokehJS drops the buffers of a document that it pulls again."""
    array = {"type": "ndarray", "array": {"type": "bytes", "data": {"id": "b1"}}}
    shape = {"shape": [2], "dtype": "float64", "order": "little"}
    doc = doc_json()
    client = connect(script=True)
    client.ask("PUSH-DOC", {"doc": doc})
    header = {"msgid": "x", "msgtype": "PATCH-DOC", "num_buffers": 1}
    data = {"x": {**array, **shape}, "y": [1, 2]}
    change = {"kind": "ModelChanged", "model": {"id": "d"}, "attr": "data", "new": data}
    for part in (header, {}, {"events": [change]}, {"id": "b1"}):
        client.raw.send(TEXT, json.dumps(part).encode())
    client.raw.send(BINARY, bytes(16))
    assert client.receive().msgtype == "OK"
    counts = []
    for inline in (False, True):
        other = connect(inline=inline)
        other.send("PULL-DOC-REQ")
        counts.append(len(other.receive().buffers))
    assert counts == [1, 0]


def test_a_second_pull_goes_on_from_there(connect: Connect, live: LiveDocument) -> None:
    """The document is followed once, however often it is pulled."""
    client = connect()
    for value in (5, 6, 7):
        assert client.ask("PULL-DOC-REQ")[0] == "PULL-DOC-REPLY"
        live.apply(set_value(value), actor="bob")
        assert client.events()[0]["new"] == value
    assert live.channel.viewers == 1


def test_a_deleted_document_closes_with_4004(
    connect: Connect, engine: Engine, live: LiveDocument
) -> None:
    """Whoever follows is told at once; whoever does not, when it asks."""
    follower, idle = connect(), connect()
    follower.ask("PULL-DOC-REQ")
    engine.delete(live.docid)
    assert follower.closed_with() == 4004
    idle.send("PULL-DOC-REQ")
    assert idle.closed_with() == 4004


def test_who_leaves_is_no_longer_a_viewer(connect: Connect, live: LiveDocument) -> None:
    """Whether it closes or vanishes."""
    polite, rude = connect(), connect()
    for client in (polite, rude):
        client.ask("PULL-DOC-REQ")
    assert live.channel.viewers == 2
    polite.raw.send(CLOSE, b"\x03\xe8")
    assert polite.raw.rest().endswith(b"\x88\x02\x03\xe8")
    rude.raw.sock.close()
    wait_until(lambda: live.channel.viewers == 0)


def wait_until(done: Callable[[], bool]) -> None:
    """Wait until something is so; fail after ten seconds."""
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def short(tmp_path: Path) -> Iterator[LiveDocument]:
    """A document whose channel keeps five changes."""
    store = Store.open(f"sqlite:///{tmp_path / 'short.sqlite'}")
    engine = Engine(store, limits=EngineLimits(ring_entries=5))
    document = engine.open(engine.create("ada", "line").docid)
    document.replace(doc_json(), {}, actor="ada")
    yield document
    engine.close()
    store.close()


def long_title(number: int) -> Any:
    """A change of 100 KB, of which a socket takes a few before it is full."""
    return set_value(f"{number} ".ljust(100_000, "."), "title")


def test_who_fell_out_of_the_ring_gets_the_newest_values(
    connect: Connect, short: LiveDocument
) -> None:
    """A viewer that did not read for 100 changes ends with the document's value, and follows."""
    slow = connect(short)
    slow.ask("PULL-DOC-REQ")
    for number in range(100):
        short.apply(long_title(number), actor="bob")
    short.apply(set_value(42), actor="bob")
    numbers, value = list[int](), None
    while value != 42:
        for one in slow.events():
            if one["attr"] == "title":
                numbers.append(int(one["new"].split()[0]))
            else:
                value = one["new"]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 99
    assert len(numbers) < 100
    short.apply(set_value(43), actor="bob")
    assert slow.events()[0]["new"] == 43
    assert short.channel.viewers == 1


def test_who_fell_out_while_the_structure_changed_has_to_pull_again(
    connect: Connect, short: LiveDocument
) -> None:
    """4001, which tells the page to connect again at once."""
    slow = connect(short)
    slow.ask("PULL-DOC-REQ")
    for number in range(30):
        short.apply(long_title(number), actor="bob")
    short.replace(doc_json(), {}, actor="bob")
    for number in range(30):
        short.apply(long_title(number), actor="bob")
    code = None
    while code is None:
        found = slow.frame()
        code = found.code if found.opcode == CLOSE else None
    assert code == 4001


def test_a_client_that_does_not_read_is_not_read_from(connect: Connect, loop: SocketLoop) -> None:
    """Its requests wait in its own buffers; when it reads, all are answered, in order."""
    client = connect()
    parts = [{"msgid": "x", "msgtype": "SERVER-INFO-REQ"}, {}, {}]
    request = b"".join(frame(TEXT, json.dumps(part).encode()) for part in parts)
    count = 20_000
    sender = threading.Thread(target=client.raw.sock.sendall, args=(request * count,))
    sender.start()
    sender.join(1.0)
    assert client.connection._backlog < loop.limits.max_replies + 65536
    for _ in range(count):
        assert client.receive().msgtype == "SERVER-INFO-REPLY"
    sender.join(5)


def test_slow_viewers_share_the_document_they_pull(connect: Connect, live: LiveDocument) -> None:
    """100 viewers that pull 4 MB and do not read it do not cost 100 times 4 MB."""
    large = {"x": list(range(500_000)), "y": list(range(500_000))}
    change = {"kind": "ModelChanged", "model": {"id": "d"}, "attr": "data", "new": large}
    live.apply(Patch([change], {}), actor="bob")
    clients = [connect() for _ in range(100)]
    live.pull()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for client in clients:
        client.send("PULL-DOC-REQ")
    wait_until(lambda: live.channel.viewers == 100)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 10 * 2**20


def test_an_idle_viewer_costs_little() -> None:
    """At most 5 KB of Python's memory each, for 2,000 that have pulled and follow."""
    count, loop, source = 2000, SocketLoop(Limits(ping_interval=1000)), Source()
    pairs = [socket.socketpair() for _ in range(count)]
    asked = b"".join(
        frame(TEXT, part) for part in (b'{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', b"{}", b"{}")
    )
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for there, here in pairs:
        loop.adopt(plain_transport(there.detach()), handler_for(source))
        here.sendall(asked)
    wait_until(lambda: source.channel.viewers == count)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    for _there, here in pairs:
        here.close()
    loop.close()
    assert grown / count < 5 * 1024


def handler_for(source: Any) -> Any:
    """Make handlers for a source."""
    return lambda connection: BokehHandler(connection, source, right="read", actor="")


class Source:
    """The least that a connection follows."""

    def __init__(self) -> None:
        self.channel = Channel()
        self.snapshot = Snapshot()

    def join(self, follower: Any, *, inline: bool = False) -> Any:
        """Give the same to all."""
        return self.snapshot, self.channel.follow(follower)


class Snapshot:
    """An empty document."""

    seq = 0

    def __init__(self) -> None:
        self.body = encode_body(b'{"doc": {}}', {})


def test_hundreds_of_viewers_get_every_change(loop: SocketLoop) -> None:
    """Each of 200 viewers on real sockets gets 100 changes, in order and whole."""
    source = Source()
    clients = []
    for _ in range(200):
        there, here = socket.socketpair()
        loop.adopt(plain_transport(there.detach()), handler_for(source))
        clients.append(RawClient.on(here))
        clients[-1].read(), clients[-1].read(), clients[-1].read()
    for client in clients:
        for part in (b'{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', b"{}", b"{}"):
            client.send(TEXT, part)
        client.read(), client.read(), client.read()
    for seq in range(1, 101):
        source.channel.publish(Entry(seq, text_frame(b"%d" % seq)))
    for client in clients:
        assert [int(client.read().payload) for _ in range(100)] == list(range(1, 101))
        client.sock.close()


def test_whoever_may_write_no_more(connect: Connect, live: LiveDocument) -> None:
    """The right is asked for at every change; one that is refused changes nothing."""
    allowed = [True]

    def check() -> None:
        if not allowed[0]:
            raise Forbidden("write this document", "it is not yours any more")

    client = connect(check=check)
    assert client.patch(5)[0] == "OK"
    allowed[0] = False
    before = live.seq
    assert client.patch(6)[0] == "ERROR"
    assert client.ask("PUSH-DOC", {"doc": doc_json()})[0] == "ERROR"
    assert live.seq == before
    allowed[0] = True
    assert client.patch(7)[0] == "OK"
