"""The transport between real sockets, on gevent's hub and on threads."""

from __future__ import annotations

import concurrent.futures
import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.echo import large_message
from support.echo_servers import EchoServer, echo_server
from support.rawsocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    RawClient,
    frame,
    request,
)

PING_SECONDS = 1.0
STALL_SECONDS = 3.0


@pytest.fixture(scope="module", params=["pywsgi", "werkzeug"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EchoServer]:
    """The echo server, with pings often enough to be seen."""
    folder: Path = tmp_path_factory.mktemp("echo")
    limits = {
        "ping_interval": PING_SECONDS,
        "stall_timeout": STALL_SECONDS,
        "close_timeout": 1.0,
        "max_message": 2**20,
        "max_fragments": 100,
    }
    with echo_server(request.param, folder, **limits) as running:
        yield running
        log = running.log.replace("the handler's own mistake", "")
        running.log_path.write_text("\n".join(line for line in log.splitlines() if line))


def read_data(client: RawClient) -> Frame:
    """Read the next frame that is no ping."""
    while (found := client.read()).opcode == PING:
        client.send(PONG, found.payload)
    return found


def ends_with(client: RawClient, code: int) -> bool:
    """Whether the server closes with a code and then hangs up."""
    found = read_data(client)
    return (found.opcode, found.code, client.rest()) == (CLOSE, code, b"")


def test_messages_are_echoed(server: EchoServer) -> None:
    """Text, binary and empty messages arrive as they were sent."""
    with RawClient(server.port) as client:
        for opcode, payload in [(TEXT, "grün".encode()), (BINARY, bytes(range(256))), (TEXT, b"")]:
            client.send(opcode, payload)
            assert read_data(client) == Frame(opcode, payload)


def test_a_pipeline_is_answered_in_order(server: EchoServer) -> None:
    """Hundreds of messages in one go, and some before the 101 was seen."""
    early = b"".join(frame(TEXT, b"%d" % n) for n in range(3))
    with RawClient(server.port, then=early) as client:
        client.sock.sendall(b"".join(frame(TEXT, b"%d" % n) for n in range(3, 500)))
        assert [read_data(client).payload for _ in range(500)] == [b"%d" % n for n in range(500)]


def test_32_megabytes_reach_a_reader_that_pauses(server: EchoServer) -> None:
    """Every byte, although the socket is full most of the time and pings go on."""
    with RawClient(server.port, "/large", receive_buffer=65536) as client:
        time.sleep(2 * PING_SECONDS)
        digest, size = hashlib.sha256(), 32 * 2**20
        while (head := client.take(2)) == b"\x89\x00":
            client.send(PONG)
        assert head + client.take(8) == b"\x82\x7f" + size.to_bytes(8, "big")
        while size:
            part = client.take(min(size, 2**20))
            digest.update(part)
            size -= len(part)
            time.sleep(0.02)
        client.send(TEXT, b"still there")
        assert read_data(client).payload == b"still there"
    assert digest.digest() == hashlib.sha256(large_message()).digest()


def test_many_senders_do_not_mix(server: EchoServer) -> None:
    """20 threads or greenlets send on one connection: frames stay whole and pairs together."""
    with RawClient(server.port, "/crowd") as client:
        client.send(TEXT, b"go")
        seen = []
        for _ in range(20 * 25):
            name, body = client.read(), client.read()
            number, index = map(int, name.payload.split(b"-"))
            assert (name.opcode, body.opcode) == (TEXT, BINARY)
            assert body.payload == bytes([number]) * (1 + 1500 * index)
            seen.append((number, index))
    assert sorted(seen) == [(n, i) for n in range(20) for i in range(25)]
    assert all(order(seen, number) == list(range(25)) for number in range(20))


def order(seen: list[tuple[int, int]], number: int) -> list[int]:
    """The messages of one sender in the order in which they came."""
    return [index for sender, index in seen if sender == number]


def test_a_stalled_viewer_does_not_delay_the_others(server: EchoServer) -> None:
    """One of 100 reads nothing: the others get everything at once, it is closed after a while."""
    stalled = RawClient(server.port, "/view", receive_buffer=4096)
    viewers = [RawClient(server.port, "/view") for _ in range(99)]
    server.wait_for(100, "viewers")
    server.get("/publish/100/60000", "POST")
    started = time.monotonic()
    first = {check_publications(viewer, 100) for viewer in viewers[:5]}
    assert time.monotonic() - started < 5.0
    assert first == {100}
    for viewer in viewers:
        viewer.sock.close()
    server.wait_for(0, "viewers", seconds=STALL_SECONDS + 10)
    stalled.sock.close()


def check_publications(viewer: RawClient, count: int) -> int:
    """Read publications; how many came, in order and whole."""
    numbers = []
    for _ in range(count):
        payload = read_data(viewer).payload
        assert len(payload) == 60000
        numbers.append(int(payload.split()[0]))
    assert numbers == list(range(numbers[0], numbers[0] + count))
    return len(numbers)


def test_a_viewer_that_falls_out_of_the_ring_goes_on_at_the_newest(server: EchoServer) -> None:
    """It gets whole messages before and after the gap."""
    with RawClient(server.port, "/view", receive_buffer=4096) as viewer:
        server.wait_for(1, "viewers")
        server.get("/publish/600/60000", "POST")
        last = int(viewer.read().payload.split()[0]) + 599
        numbers = []
        while not numbers or numbers[-1] < last:
            server.get("/publish/1/100", "POST") if viewer_is_idle(viewer) else None
            numbers.append(int(read_data(viewer).payload.split()[0]))
        assert numbers == sorted(numbers)
        assert len(numbers) < 600
    server.wait_for(0, "viewers")


def viewer_is_idle(viewer: RawClient) -> bool:
    """Whether nothing has arrived for a moment."""
    viewer.sock.settimeout(0.3)
    try:
        viewer.buffer += viewer.sock.recv(1)
    except TimeoutError:
        return True
    finally:
        viewer.sock.settimeout(10)
    return False


def test_compression_is_never_agreed_on(server: EchoServer) -> None:
    """A deflate bomb is offered: the answer names no extension, the frame is refused (1002)."""
    offer: dict[str, str | None] = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    with RawClient(server.port, headers=offer) as client:
        assert b"extensions" not in client.head.lower()
        client.send(BINARY, b"\x00" * 1000, rsv=4)
        assert ends_with(client, 1002)


def test_what_follows_the_close_is_never_answered(server: EchoServer) -> None:
    """Bytes after the close are no HTTP request, whoever closed."""
    smuggled = b"GET /secret HTTP/1.1\r\nHost: a\r\n\r\n"
    with RawClient(server.port) as client:
        client.sock.sendall(frame(CLOSE, b"\x03\xe8") + smuggled)
        assert client.rest() == b"\x88\x02\x03\xe8"
    with RawClient(server.port) as client:
        client.sock.sendall(smuggled)
        assert b"TOP SECRET" not in client.rest()


def test_a_foreign_page_is_refused_before_the_101(server: EchoServer) -> None:
    """403, and the connection serves HTTP as before; our own page gets in."""
    with RawClient(server.port, "/guarded", {"Origin": "http://evil.example"}) as client:
        assert client.status == 403
    own = f"http://127.0.0.1:{server.port}"
    with RawClient(server.port, "/guarded", {"Origin": own}) as client:
        assert client.status == 101


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Version": None}, 426),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Key": "!" * 24}, 400),
        ({"Upgrade": None}, 400),
        ({"Connection": "close"}, 400),
        ({"Content-Length": "5"}, 400),
    ],
)
def test_a_bad_handshake_is_a_plain_answer(
    server: EchoServer, headers: dict[str, str | None], status: int
) -> None:
    """Nothing is upgraded; the version that would be right is named."""
    body = b"hello" if "Content-Length" in headers else b""
    with RawClient(server.port, headers=headers, then=body) as client:
        assert client.status == status
        assert (status == 426) == (b"sec-websocket-version: 13" in client.head.lower())


def test_the_subprotocol_is_chosen_when_it_is_offered(server: EchoServer) -> None:
    """``bokeh`` is selected, the token beside it is not."""
    offer: dict[str, str | None] = {"Sec-WebSocket-Protocol": "bokeh, abc.def"}
    with RawClient(server.port, headers=offer) as client:
        assert b"sec-websocket-protocol: bokeh\r\n" in client.head.lower() + b"\r\n"
    with RawClient(server.port) as client:
        assert b"sec-websocket-protocol" not in client.head.lower()


def test_control_frames_come_between_fragments(server: EchoServer) -> None:
    """Pings are answered while a message is on its way, with their payload."""
    with RawClient(server.port) as client:
        client.send(TEXT, b"one ", fin=False)
        client.send(PING, b"are you there")
        client.send(CONTINUATION, b"two ", fin=False)
        client.send(PONG, b"nobody asked")
        assert read_data(client) == Frame(PONG, b"are you there")
        client.send(CONTINUATION, b"three")
        assert read_data(client) == Frame(TEXT, b"one two three")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"caf\xc3", fin=False) + frame(CONTINUATION, b"("), 1007),
        (frame(3), 1002),
        (frame(CONTINUATION, b"x"), 1002),
        (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002),
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(TEXT, b"x", rsv=1), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, b"x", fin=False), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, b"\x03\xed"), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(BINARY, bytes(2**20 + 1))[:14], 1009),
        (frame(BINARY, bytes(2**19), fin=False) + frame(CONTINUATION, bytes(2**19 + 1)), 1009),
        (frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 100, 1009),
    ],
)
def test_what_breaks_the_protocol_is_closed_with_its_code(
    server: EchoServer, sent: bytes, code: int
) -> None:
    """The right code, then the end; a size over the limit is refused by its header alone."""
    with RawClient(server.port) as client:
        client.sock.sendall(sent)
        assert ends_with(client, code)


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9bye", b"\x0f\xa1", b"\x0b\xb8"])
def test_a_close_is_answered_with_the_same_code(server: EchoServer, payload: bytes) -> None:
    """And the server hangs up first."""
    with RawClient(server.port) as client:
        client.send(CLOSE, payload)
        assert read_data(client) == Frame(CLOSE, payload[:2])
        assert client.rest() == b""


def test_a_mistake_in_a_handler_closes_with_1011(server: EchoServer) -> None:
    """Only that connection; the server's log has the reason."""
    with RawClient(server.port, "/broken") as client:
        client.send(TEXT, b"x")
        assert ends_with(client, 1011)
    assert "the handler's own mistake" in server.log
    server.log_path.write_text(server.log.replace("Traceback", "(expected)"))


def test_a_peer_that_vanished_is_noticed(server: EchoServer) -> None:
    """It answers no ping: after two periods it is gone, while one that answers stays."""
    silent, lively = RawClient(server.port), RawClient(server.port)
    server.wait_for(2)
    deadline = time.monotonic() + 2 * PING_SECONDS + 3
    while server.stats()["connections"] == 2 and time.monotonic() < deadline:
        lively.sock.settimeout(0.2)
        try:
            lively.send(PONG, lively.read().payload)
        except TimeoutError:
            continue
    assert server.stats()["connections"] == 1
    lively.sock.settimeout(10)
    lively.send(TEXT, b"still here")
    assert read_data(lively).payload == b"still here"
    lively.sock.close()
    silent.sock.close()


def test_a_reset_leaves_nothing_behind(server: EchoServer) -> None:
    """Peers that hang up abruptly, with data on its way in both directions."""
    server.wait_for(0)
    clients = [RawClient(server.port, path) for path in ("/ws", "/large", "/view") * 5]
    server.wait_for(15)
    for client in clients:
        client.sock.sendall(frame(TEXT, b"x" * 1000)[:500])
        client.reset()
    server.wait_for(0)


def test_slow_handshakes_hold_nobody_up(server: EchoServer) -> None:
    """A handshake of one byte at a time is served in the end, others meanwhile."""
    slow = socket.create_connection(("127.0.0.1", server.port))
    slow.settimeout(10)
    for byte in request(server.port, "/ws", {}):
        slow.sendall(bytes([byte]))
        time.sleep(0.002)
    with RawClient(server.port) as client:
        client.send(TEXT, b"quick")
        assert read_data(client).payload == b"quick"
    assert slow.recv(1000).startswith(b"HTTP/1.1 101")
    slow.close()


def test_unfinished_handshakes_hold_nobody_up(server: EchoServer) -> None:
    """Many that never come to an end; a WebSocket opens at once beside them."""
    hanging = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    for one in hanging:
        one.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgr")
    started = time.monotonic()
    with RawClient(server.port) as client:
        client.send(TEXT, b"quick")
        assert read_data(client).payload == b"quick"
    assert time.monotonic() - started < 2.0
    for one in hanging:
        one.close()


def test_connections_opened_at_once_all_work(server: EchoServer) -> None:
    """A storm of 100 in a few threads."""

    def visit(number: int) -> bytes:
        with RawClient(server.port) as client:
            client.send(TEXT, b"%d" % number)
            return read_data(client).payload

    with concurrent.futures.ThreadPoolExecutor(8, thread_name_prefix="ThreadPoolExecutor") as pool:
        assert list(pool.map(visit, range(100))) == [b"%d" % n for n in range(100)]


@pytest.mark.parametrize("kind", ["pywsgi", "werkzeug"])
def test_a_stopping_server_says_1012(kind: str, tmp_path: Path) -> None:
    """Every connection is told, those included that are idle; later ones are refused."""
    with echo_server(kind, tmp_path) as server:
        clients = [RawClient(server.port) for _ in range(20)]
        server.wait_for(20)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            stopping = pool.submit(server.get, "/stop", "POST")
            for client in clients:
                assert read_data(client).code == 1012
                client.send(CLOSE, b"\x03\xf4")
                assert client.rest() == b""
                client.sock.close()
            assert stopping.result(10) == "closed"
        with RawClient(server.port) as late:
            assert late.status == 503
