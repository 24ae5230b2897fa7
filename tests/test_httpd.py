"""The HTTP server: clients that are slow, rude or gone cost nobody else anything."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from support.certificates import make_certificate

LIMIT = 0.5
SCRIPT = Path(__file__).parent / "support/httpd_app.py"


class Served:
    """A running :mod:`support.httpd_app`."""

    def __init__(self, process: subprocess.Popen[str], port: int, log: Path) -> None:
        self.process, self.port, self._log = process, port, log

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text("utf-8")

    def connect(self) -> socket.socket:
        """A plain connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=6)


@contextmanager
def served(tmp_path: Path, *args: str) -> Iterator[Served]:
    """Run the script until the block ends."""
    log = tmp_path / "log"
    command = [sys.executable, str(SCRIPT), str(LIMIT), *args]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield Served(process, int(process.stdout.readline()), log)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the tests that do not stop it."""
    with served(tmp_path_factory.mktemp("httpd")) as running:
        yield running


def receive_all(sock: socket.socket) -> bytes:
    """Everything until the other side closes."""
    received = b""
    try:
        while piece := sock.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def seconds_until_closed(sock: socket.socket) -> float:
    """How long the server keeps a connection that sends nothing more."""
    started = time.monotonic()
    receive_all(sock)
    return time.monotonic() - started


def test_a_request_is_answered_and_the_connection_kept(server: Served) -> None:
    """Several requests go over one connection, each answer in one piece."""
    with server.connect() as sock:
        for _ in range(3):
            sock.sendall(b"GET /length HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(65536).endswith(b"\r\n\r\n0")


def test_headers_that_dribble_in_are_given_up(server: Served) -> None:
    """A client that sends a header line now and then does not hold a connection for ever."""
    with server.connect() as sock:
        sock.sendall(b"GET /length HTTP/1.1\r\n")
        started = time.monotonic()
        try:
            while time.monotonic() - started < 5:
                sock.sendall(b"X-A: b\r\n")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - started < 5


def test_a_body_that_stops_coming_is_a_client_error(server: Served) -> None:
    """A body that stalls ends the request with a 4xx or a close, never a traceback."""
    with server.connect() as sock:
        sock.sendall(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        answer = receive_all(sock)
    assert answer[:12] == b"HTTP/1.1 400"
    assert "/length failed" not in server.log


def test_a_body_that_is_cut_off_is_a_client_error(server: Served) -> None:
    """A client that goes away in the middle of a body leaves no traceback."""
    for half in (
        b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf",
        b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha",
    ):
        with server.connect() as sock:
            sock.sendall(half)
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock)[:12] == b"HTTP/1.1 400"
    assert "/length failed" not in server.log


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET /length HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET /length HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"GET /length HTTP/1.1\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
        b"GET /length HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
        b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    ],
)
def test_a_malformed_request_is_refused_quietly(server: Served, request_bytes: bytes) -> None:
    """Bytes that are no request get a 4xx and a line in the log, no traceback."""
    with server.connect() as sock:
        sock.sendall(request_bytes)
        answer = receive_all(sock)
    assert answer[:10] == b"HTTP/1.1 4"
    assert "/length failed" not in server.log


def test_a_client_that_stops_reading_is_dropped(server: Served) -> None:
    """A response that nobody takes does not occupy the server."""
    with server.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        deadline = time.monotonic() + 10
        while _busy(server) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _busy(server)


def _busy(server: Served) -> int:
    """Requests in work, apart from the one that asks."""
    return int(requests.get(f"http://127.0.0.1:{server.port}/busy", timeout=5).text) - 1


def test_a_large_response_to_a_slow_reader_arrives_whole(server: Served) -> None:
    """The limit is on standing still, not on the time of the whole transfer."""
    with server.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received, started, pause = 0, time.monotonic(), LIMIT / 4
        while piece := sock.recv(8 * 1024 * 1024):
            received += len(piece)
            if time.monotonic() - started < 3 * LIMIT:
                time.sleep(pause)
    assert received > 64 * 1024 * 1024


def test_a_fault_of_the_app_is_logged_once_and_answered_with_500(server: Served) -> None:
    """The log has the traceback, the client a bare 500."""
    before = server.log.count("RuntimeError: a fault of the app")
    assert requests.get(f"http://127.0.0.1:{server.port}/fault", timeout=5).status_code == 500
    time.sleep(0.1)
    assert server.log.count("RuntimeError: a fault of the app") == before + 1


def test_the_access_log_has_no_query(server: Served) -> None:
    """Tickets in a query never reach the log."""
    requests.get(f"http://127.0.0.1:{server.port}/length?ticket=secret", timeout=5)
    requests.get(f"http://127.0.0.1:{server.port}/none?ticket=secret", timeout=5)
    requests.post(f"http://127.0.0.1:{server.port}/busy?ticket=secret", timeout=5)
    time.sleep(0.1)  # the line is written after the answer
    assert "DEBUG bokeh_server.access 127.0.0.1 GET /length 200" in server.log
    assert "DEBUG bokeh_server.access 127.0.0.1 GET /none 404" in server.log
    assert "INFO bokeh_server.access 127.0.0.1 POST /busy 405" in server.log
    assert "secret" not in server.log


def test_finishing_answers_what_is_in_work_and_takes_nothing_new(tmp_path: Path) -> None:
    """What was asked before the stop is answered; what comes on an open connection gets 503."""
    with served(tmp_path) as running, running.connect() as sock, running.connect() as idle:
        idle.sendall(b"GET /length HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(65536)
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
        assert running.process.stdin is not None
        running.process.stdin.write("\n")
        running.process.stdin.flush()
        time.sleep(0.2)
        idle.sendall(b"GET /length HTTP/1.1\r\nHost: a\r\n\r\n")
        assert receive_all(idle).startswith(b"HTTP/1.1 503 ")
        assert receive_all(sock).endswith(b"done")
        assert running.process.stdout is not None
        assert running.process.stdout.readline() == "finished\n"
        with pytest.raises(OSError, match="refused"):
            running.connect()


def test_tls_and_those_who_do_not_speak_it(tmp_path: Path) -> None:
    """HTTPS works; a silent client and one that speaks HTTP are dropped with a line in the log."""
    certificate, key = make_certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    with served(tmp_path, str(both)) as running:
        with running.connect() as silent, running.connect() as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert seconds_until_closed(plain) < 5
            assert seconds_until_closed(silent) < 5
        answer = requests.get(
            f"https://localhost:{running.port}/length", verify=str(certificate), timeout=5
        )
        assert answer.text == "0"
        assert "Traceback" not in running.log
        assert running.log.count("no TLS with 127.0.0.1") == 2


def test_a_wrong_certificate_is_noticed_by_the_client(tmp_path: Path) -> None:
    """Nobody is served who does not trust the certificate; the refusal leaves no traceback."""
    certificate, key = make_certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    with served(tmp_path, str(both)) as running:
        context = ssl.create_default_context()
        with running.connect() as sock, pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(sock, server_hostname="localhost")
        time.sleep(0.1)
        assert "Traceback" not in running.log


def test_a_connection_that_will_be_closed_is_announced(server: Served) -> None:
    """Who asks for the connection to be closed after the answer is told that it is; others not."""
    heads = {}
    for wish in ("close", "keep-alive"):
        with server.connect() as sock:
            sock.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: {wish}\r\n\r\n".encode())
            heads[wish] = sock.recv(65536).partition(b"\r\n\r\n")[0].lower()
    assert b"connection: close" in heads["close"]
    assert b"connection:" not in heads["keep-alive"]
