"""WebSockets under each WSGI server that we support: sockets leave it without a trace."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from support.certificates import make_certificate
from support.echo import large_message
from support.echo_servers import SERVERS, EchoServer, echo_server
from support.rawsocket import BINARY, CLOSE, TEXT, Frame, RawClient, frame, request

#: how many more threads, greenlets or descriptors may be there than at first: the loop's own.
LOOP_THREADS = 1 + 8
LOOP_FDS = 5


@pytest.fixture(params=sorted(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EchoServer]:
    """The echo app under one of the servers."""
    with echo_server(request.param, tmp_path, close_timeout=1.0) as running:
        yield running


def browse(port: int, path: str = "/ws") -> ClientConnection:
    """Connect as an independent WebSocket client does."""
    return connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None, close_timeout=2)


def test_hundreds_come_and_go_and_nothing_stays(server: EchoServer) -> None:
    """Threads, greenlets and descriptors return to where they were; HTTP works all along.

    There are more connections than gunicorn's ``--worker-connections`` admits:
    a WebSocket gives its slot back.
    """
    exchange(server.port)
    server.wait_for(0)
    before = server.stats()
    for _ in range(3):
        clients = [RawClient(server.port) for _ in range(100)]
        for number, client in enumerate(clients):
            client.send(TEXT, b"%d" % number)
            assert client.read().payload == b"%d" % number
        assert server.get("/") == "ordinary HTTP"
        assert server.stats()["connections"] == 100
        for number, client in enumerate(clients):
            end(client, number)
        server.wait_for(0)
    after = settled(server, before)
    assert after["greenlets"] <= before["greenlets"]
    assert after["threads"] <= before["threads"] + LOOP_THREADS
    assert after["fds"] <= before["fds"] + LOOP_FDS
    assert server.log.count("/ws HTTP/1.1") + server.log.count("/ws\x1b") >= 300


def end(client: RawClient, number: int) -> None:
    """End a connection in one of three ways."""
    if number % 3 == 0:
        client.send(CLOSE, b"\x03\xe8")
        assert client.read().opcode == CLOSE
        assert client.rest() == b""
    if number % 3 == 1:
        client.reset()
    client.sock.close()


def settled(server: EchoServer, before: dict[str, int]) -> dict[str, int]:
    """The counts, once they no longer fall."""
    for _ in range(150):
        found = server.stats()
        if all(found[name] <= before[name] for name in ("greenlets", "fds")):
            break
        time.sleep(0.1)
    return found


def exchange(port: int) -> None:
    """Send and receive small and large, and close in good order."""
    with browse(port) as client:
        for message in ("hello", b"x" * 3_000_000, "grün"):
            client.send(message)
            assert client.recv(timeout=10) == message
        assert client.ping().wait(5)


def test_an_independent_client_is_content(server: EchoServer) -> None:
    """The ``websockets`` library: messages, ping, and a close that is clean on both sides."""
    with browse(server.port) as client:
        client.send("hello")
        assert client.recv(timeout=5) == "hello"
    assert client.protocol.close_code == 1000
    assert client.protocol.close_rcvd is not None


def test_what_the_server_had_read_ahead_is_not_lost(server: EchoServer) -> None:
    """Frames that came in one packet with the handshake are messages like any other."""
    with RawClient(server.port, then=frame(TEXT, b"early") + frame(BINARY, b"bird")) as client:
        assert [client.read(), client.read()] == [Frame(TEXT, b"early"), Frame(BINARY, b"bird")]


def test_bytes_after_the_close_are_no_request(server: EchoServer) -> None:
    """Whether the WebSocket was closed or garbage came: the server's parser never sees it."""
    smuggled = b"GET /secret HTTP/1.1\r\nHost: a\r\n\r\n"
    for first in (frame(CLOSE, b"\x03\xe8"), frame(TEXT, b"x", masked=False), b""):
        with RawClient(server.port) as client:
            client.sock.sendall(first + smuggled)
            assert b"SECRET" not in client.rest()
    assert "/secret" not in server.log


def test_the_sockets_of_the_host_app_work_beside_ours(server: EchoServer) -> None:
    """flask-sock's own route and ours in one app, open at the same time."""
    with browse(server.port, "/host") as theirs, browse(server.port) as ours:
        for _ in range(3):
            theirs.send("theirs")
            ours.send("ours")
            assert (theirs.recv(timeout=5), ours.recv(timeout=5)) == ("theirs", "ours")


def test_a_kept_alive_connection_can_be_upgraded(server: EchoServer) -> None:
    """Browsers open the WebSocket on a fresh connection; proxies may use one that served HTTP."""
    if "werkzeug" in server.log_path.name:
        pytest.skip("werkzeug closes every connection after one answer")
    with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"ordinary" in read_until(sock, b"ordinary HTTP")
        sock.sendall(request(server.port, "/ws", {}) + frame(TEXT, b"hello"))
        assert read_until(sock, b"\x81\x05hello").startswith(b"HTTP/1.1 101")


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """Read until something has come."""
    data = b""
    while not data.endswith(end):
        more = sock.recv(65536)
        assert more, data
        data += more
    return data


@contextmanager
def secure_server(kind: str, folder: Path) -> Iterator[tuple[EchoServer, ssl.SSLContext]]:
    """The echo app with TLS."""
    certificate, key = map(str, make_certificate(folder))
    gunicorn = ["--certfile", certificate, "--keyfile", key]
    arguments = gunicorn if "gunicorn" in kind else [certificate, key]
    with echo_server(kind, folder, *arguments, close_timeout=1.0) as running:
        yield running, ssl.create_default_context(cafile=certificate)


@pytest.mark.parametrize("kind", sorted(SERVERS))
def test_tls(kind: str, tmp_path: Path) -> None:
    """Large and small messages both ways, in many connections; nothing stays behind."""
    with secure_server(kind, tmp_path) as (server, context):
        for number in range(15):
            client = RawClient(server.port, context=context, timeout=20)
            for payload in (b"hello", b"x" * 2_000_000):
                client.send(BINARY, payload)
                assert client.read() == Frame(BINARY, payload)
            end_secure(client, number)
        with RawClient(server.port, "/large", context=context, timeout=20) as client:
            time.sleep(0.5)
            assert client.read().payload == large_message()
        early = RawClient(server.port, context=context, then=frame(TEXT, b"early"))
        assert early.read().payload == b"early"
        early.reset()
        assert secure_get(server.port, context).endswith(b"ordinary HTTP")
        wait_until_idle(server, context)


def end_secure(client: RawClient, number: int) -> None:
    """End in good order, or without a word."""
    if number % 2:
        client.send(CLOSE, b"\x03\xe8")
        assert client.read() == Frame(CLOSE, b"\x03\xe8")
        assert client.rest() == b""
    client.sock.close()


def open_secure(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A TLS connection."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    return context.wrap_socket(plain, server_hostname="localhost")


def secure_get(port: int, context: ssl.SSLContext, path: str = "/") -> bytes:
    """An ordinary request."""
    with open_secure(port, context) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while more := sock.recv(65536):
            data += more
        return data


def wait_until_idle(server: EchoServer, context: ssl.SSLContext) -> None:
    """Wait until no connection is left."""
    deadline = time.monotonic() + 10
    while b'"connections":0' not in secure_get(server.port, context, "/stats").replace(b" ", b""):
        assert time.monotonic() < deadline
        time.sleep(0.1)
