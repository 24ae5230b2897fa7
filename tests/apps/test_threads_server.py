"""``bokeh_server.Server`` on threads: who is slow, silent or rude costs nobody else anything."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from bokeh.document import Document
from bokeh.models import Div

from bokeh_server import Server
from support.app_client import app_socket, open_app_page
from support.certificates import make_certificate
from support.rawsocket import RawClient

LIMIT = 0.5
LARGE = 32 * 1024 * 1024
HEAD = b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n"

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl here: apt install openssl"
)


def app(doc: Document) -> None:
    """An application."""
    doc.add_root(Div(text="here", name="d"))


def length() -> str:
    """How long the body was."""
    from flask import request

    return str(len(request.get_data()))


def slow() -> str:
    """An answer that is longer in the making than a client may be silent."""
    time.sleep(3 * LIMIT)
    return "done"


def large() -> bytes:
    """More than the buffers of a connection hold."""
    return b"x" * LARGE


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers with a short limit, which are stopped at the end."""
    with ExitStack() as stack:

        def start(**options: Any) -> Server:
            server = Server({"/app": app}, port=0, **{"request_timeout": LIMIT, **options})
            for view in (length, slow, large):
                path = f"/{view.__name__}"
                server.app.add_url_rule(path, view_func=view, methods=["GET", "POST"])
            return stack.enter_context(server)

        yield start


def connect(server: Server) -> socket.socket:
    """A plain connection to it."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=10 * LIMIT)


def receive_all(sock: socket.socket) -> bytes:
    """Everything until the other side closes; ``TimeoutError`` when it does not."""
    received = b""
    try:
        while piece := sock.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


@needs_openssl
def test_who_does_not_shake_hands_holds_up_nobody(
    serve: Callable[..., Server],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Beside a silent client and one that sends garbage others are served; both are dropped.

    Each of them is a line in the log, not a traceback.
    """
    caplog.set_level(logging.INFO, "bokeh_server")
    certificate, key = make_certificate(tmp_path)
    seconds = 4 * LIMIT
    server = serve(request_timeout=seconds, ssl_certfile=certificate, ssl_keyfile=key)
    with connect(server) as silent, connect(server) as rude:
        rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        started = time.monotonic()
        page = requests.get(f"{server.url}/length", verify=str(certificate), timeout=10 * LIMIT)
        assert time.monotonic() - started < seconds
        assert page.text == "0"
        receive_all(rude)
        receive_all(silent)
    assert caplog.text.count("no TLS with 127.0.0.1") == 2
    assert "Traceback" not in capfd.readouterr().err + caplog.text


@needs_openssl
def test_what_is_under_way_over_tls_has_the_same_limits(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the handshake, half a request is dropped, and a silent WebSocket is not."""
    certificate, key = make_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    context = ssl.create_default_context(cafile=str(certificate))
    server = serve(ssl_certfile=certificate, ssl_keyfile=key)
    with context.wrap_socket(connect(server), server_hostname="localhost") as half:
        half.sendall(HEAD)
        assert receive_all(half) == b""
    url = f"{server.url}/app"
    with app_socket(url, open_app_page(url), ssl=context) as browser:
        time.sleep(3 * LIMIT)
        assert browser.text_of("d") == "here"


@needs_openssl
def test_who_has_gone_before_the_handshake_leaves_nothing_open(tmp_path: Path) -> None:
    """A connection that was reset before it was accepted is closed, without a warning."""
    certificate, key = make_certificate(tmp_path)
    server = Server({"/app": app}, port=0, ssl_certfile=certificate, ssl_keyfile=key)
    for sent in (b"", b"GET /"):
        client = RawClient.on(connect(server))
        client.sock.sendall(sent)
        client.reset()
    with server:
        page = requests.get(f"{server.url}/app", verify=str(certificate), timeout=10)
        assert page.status_code == 200


@pytest.mark.parametrize("half", [b"", b"GET /length HT", HEAD, HEAD + b"\r\nhalf"])
def test_half_sent_requests_are_dropped(serve: Callable[..., Server], half: bytes) -> None:
    """However far it got, a request that goes no further is given up, and so is its thread."""
    server = serve()
    before = threading.active_count()
    with ExitStack() as stack:
        socks = [stack.enter_context(connect(server)) for _ in range(20)]
        for sock in socks:
            sock.sendall(half)
        answers = {receive_all(sock)[:12] for sock in socks}
        assert answers == {b"HTTP/1.1 400" if b"\r\n\r\n" in half else b""}
        deadline = time.monotonic() + 5
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert threading.active_count() <= before


def test_headers_that_dribble_in_are_given_up(serve: Callable[..., Server]) -> None:
    """A client that sends a header line now and then does not hold a thread for ever."""
    with connect(serve()) as sock:
        sock.sendall(b"GET /length HTTP/1.1\r\n")
        started = time.monotonic()
        try:
            while time.monotonic() - started < 10 * LIMIT:
                sock.sendall(b"X-A: b\r\n")
                time.sleep(LIMIT / 10)
        except OSError:
            pass
        assert time.monotonic() - started < 5 * LIMIT


def test_a_silent_websocket_stays_open(serve: Callable[..., Server]) -> None:
    """It left the server, and took none of its limits along."""
    url = f"{serve().url}/app"
    with app_socket(url, open_app_page(url)) as browser:
        time.sleep(3 * LIMIT)
        assert browser.text_of("d") == "here"


def test_a_slow_answer_arrives(serve: Callable[..., Server]) -> None:
    """The limit is on what clients do, not on how long an answer is in the making."""
    assert requests.get(f"{serve().url}/slow", timeout=20 * LIMIT).text == "done"


def test_a_body_that_comes_slowly_arrives(serve: Callable[..., Server]) -> None:
    """Each piece of it has the time anew."""
    with connect(serve()) as sock:
        sock.sendall(HEAD + b"\r\n")
        for _ in range(10):
            time.sleep(LIMIT / 4)
            sock.sendall(b"x" * 10)
        assert receive_all(sock).endswith(b"100")


def test_a_large_answer_to_a_slow_reader_arrives_whole(serve: Callable[..., Server]) -> None:
    """The limit is on standing still, not on the time of the whole answer."""
    with connect(serve()) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        received, started = 0, time.monotonic()
        while piece := sock.recv(1024 * 1024):
            received += len(piece)
            if time.monotonic() - started < 3 * LIMIT:
                time.sleep(LIMIT / 4)
    assert received > LARGE


def test_a_client_that_stops_reading_is_dropped(serve: Callable[..., Server]) -> None:
    """An answer that nobody takes keeps no thread."""
    server = serve()
    before = threading.active_count()
    with connect(server) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(1)
        deadline = time.monotonic() + 20 * LIMIT
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert threading.active_count() <= before
