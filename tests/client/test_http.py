"""Requests: the server's errors as ours, retries, and servers that are something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from bokeh_server import errors
from bokeh_server.client import Session
from bokeh_server.client._http import Http
from bokeh_server.errors import BokehServerError, ConnectionFailed, ServerFault

Script = list[tuple[int, bytes] | None]


class Answers:
    """A server that answers as it was told; ``None`` breaks the connection.

    :ivar seen: the headers of every request, lower case.
    """

    def __init__(self) -> None:
        self.script: Script = []
        self.seen: list[dict[str, str]] = []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 0.2

            def do_GET(self) -> None:
                answers.seen.append({key.lower(): value for key, value in self.headers.items()})
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = answers.script.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            do_POST = do_PUT = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def answers() -> Iterator[tuple[Answers, Http]]:
    """The server and connections to it."""
    server = Answers()
    http = Http(server.url, {})
    yield server, http
    http.close()
    server.close()


def raised(call: Callable[[], object]) -> BokehServerError:
    """The error that a call ends in."""
    with pytest.raises(BokehServerError) as failure:
        call()
    return failure.value


SENT = [
    errors.UnknownDocument("open document abc", "there is no such document", "Check the address"),
    errors.TitleTaken("name a document 'a: b'", "its owner has another. Really", "Choose another"),
    errors.InvalidPatch("apply the patch", "event 3 is wrong"),
    errors.TooLarge("read the body", "it is over the limit", "Send less at once"),
    errors.StorageFull("store the change", "the disk is full", "Make room"),
    errors.BadRequest("read the body", "it is not JSON"),
    errors.NotAuthenticated("read this", "nobody is logged in", "Log in"),
    errors.Forbidden("write this", "only its owner may"),
]


@pytest.mark.parametrize("sent", SENT, ids=lambda error: error.code)
def test_errors_come_back(answers: tuple[Answers, Http], sent: BokehServerError) -> None:
    """An error of the server is raised here, with its class and its sentence."""
    server, http = answers
    body = orjson.dumps({"error": sent.code, "detail": str(sent)})
    server.script = [(sent.status, body)]
    error = raised(lambda: http.get(http.url("doc")))
    assert type(error) is type(sent)
    assert str(error) in (str(sent), f"Could not {str(sent).removeprefix('Could not ')}")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, errors.NotFound), (502, ServerFault), (500, BokehServerError), (409, errors.Conflict)],
)
def test_pages_instead_of_errors(
    answers: tuple[Answers, Http], status: int, kind: type[BokehServerError]
) -> None:
    """An HTML error page, as of a proxy, becomes an error of that status."""
    server, http = answers
    server.script = [(status, b"<html>no</html>")]
    assert type(raised(lambda: http.get(http.url("doc")))) is kind


def test_other_servers(answers: tuple[Answers, Http], tmp_path: Path) -> None:
    """A web site that is no bokeh-server is called so."""
    server, http = answers
    server.script = [(200, b"<html>hello</html>"), (404, b"<html>no</html>")]
    assert "not a bokeh-server" in str(raised(lambda: http.get(http.url("doc"))))
    with Session(root_url=server.url, configdir=tmp_path) as session:
        assert "not a bokeh-server" in str(raised(lambda: session.use_doc("x")))


def test_titles_that_are_taken_and_not_found(answers: tuple[Answers, Http], tmp_path: Path) -> None:
    """A title that is never found nor free ends in an error after three tries, not in a loop."""
    server, _ = answers
    unknown = (404, b'{"error":"unknown_document","detail":"none"}')
    taken = (409, b'{"error":"title_taken","detail":"taken"}')
    server.script = [unknown, taken] * 5
    with Session(root_url=server.url, configdir=tmp_path) as session:
        assert type(raised(lambda: session.use_doc("contested"))) is errors.Conflict
        assert len(server.seen) == 6
        server.script = [unknown, taken, (200, b'{"docid":"theirs","title":"contested"}')]
        assert session.use_doc("contested") == "theirs"


def test_same_key_again(answers: tuple[Answers, Http]) -> None:
    """A store whose connection breaks is tried again with the same key, a few times."""
    server, http = answers
    server.script = [None, None, (200, b'{"seq":7}')]
    assert http.send("POST", http.url("doc"), b"body", "key", "me") == {"seq": 7}
    assert [each["idempotency-key"] for each in server.seen] == ["key"] * 3
    assert server.seen[0]["bokeh-origin"] == "me"
    server.script = [None] * 9
    assert type(raised(lambda: http.send("POST", http.url("x"), b"", "k", "m"))) is ConnectionFailed
    assert 3 <= 9 - len(server.script) <= 6


def test_making_is_not_repeated(answers: tuple[Answers, Http]) -> None:
    """What has no key is sent once only."""
    server, http = answers
    server.script = [None, (200, b"{}")]
    raised(lambda: http.post(http.url("doc"), {"title": "x"}))
    assert len(server.script) == 1


def test_addresses_are_quoted() -> None:
    """Whatever is in a name, it stays one part of the path."""
    http = Http("http://localhost/plots", {})
    assert http.url("doc", "../a b?", "x", slash=True) == (
        "http://localhost/plots/bokeh/doc/..%2Fa%20b%3F/x/"
    )
    http.close()
