"""A frame's ticket: who gets one, what it opens, and that nothing else is looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from werkzeug.serving import make_server

from bokeh_server.blueprint import BokehServer
from bokeh_server.blueprint.people import standing, tickets
from bokeh_server.blueprint.people.callers import Caller
from bokeh_server.permissions import Actor
from bokeh_server.sockets import Kind, Right, mint_ticket, read_ticket
from support.bokeh_socket import BokehSocket


@pytest.fixture
def app(tmp_path: Path, database: str) -> Iterator[Flask]:
    """A server for several people."""
    made = Flask("host")
    server = BokehServer(
        made,
        data_dir=tmp_path / "data",
        database=database,
        multi_user=True,
        current_user=lambda: "owner",
    )
    yield made
    server.close()


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    """The app on a port, by threads."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def owner_of(client: FlaskClient, docid: str) -> str:
    """Whose document it is."""
    return str(client.get(f"/bokeh/doc/{docid}/").get_json()["owner"])


def ticket(
    app: Flask, docid: str, right: Right, actor: str | None, kind: Kind = "frame", life: float = 60
) -> str:
    """A ticket as this server writes it."""
    return mint_ticket(app.extensions["bokeh_server"].secret, docid, right, kind, life, actor)


def open_socket(port: int, docid: str, token: str, origin: str | None = "null") -> Any:
    """The socket of a document, as a page of an origin opens it."""
    return connect(
        f"ws://127.0.0.1:{port}/bokeh/doc/{docid}/ws",
        subprotocols=["bokeh", token],  # type: ignore[list-item]
        origin=origin,  # type: ignore[arg-type]
        additional_headers={"Cookie": "session=of-somebody-else"},
    )


def status_of(port: int, docid: str, token: str, origin: str | None = "null") -> int:
    """The answer to a handshake."""
    try:
        with open_socket(port, docid, token, origin):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_a_page_gets_a_ticket_for_its_frame(app: Flask, client: FlaskClient, docid: str) -> None:
    """It lasts a minute, says who looks, and writes only where they may and the page lets them."""
    secret = app.extensions["bokeh_server"].secret
    for query, right in (("", "write"), ("&public=true", "read")):
        path = f"/bokeh/doc/{docid}/ticket?kind=frame{query}"
        found = read_ticket(secret, client.get(path).get_json()["ticket"])
        assert (found.docid, found.kind, found.right) == (docid, "frame", right)
        assert found.actor == owner_of(client, docid)
        assert 0 < found.expiry - time.time() <= tickets.FRAME_LIFETIME == 60


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_no_other_page_gets_one(client: FlaskClient, docid: str, site: str) -> None:
    """Nor the frame itself, whose requests are cross-site."""
    path = f"/bokeh/doc/{docid}/ticket?kind=frame"
    assert client.get(path, headers={"Sec-Fetch-Site": site}).status_code == 403
    answer = client.get(path, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert client.get(f"/bokeh/doc/{docid}/ticket?kind=embed").status_code == 400


def test_a_socket_asks_the_ticket_and_nobody_else(
    client: FlaskClient, app: Flask, docid: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change is signed with the ticket's name; who sent the request is never asked."""
    owner = owner_of(client, docid)
    path = f"/bokeh/doc/{docid}/changes"
    asked = standing.current_caller
    monkeypatch.setattr(standing, "current_caller", lambda: pytest.fail("a cookie was looked at"))
    with open_socket(port, docid, ticket(app, docid, "write", owner)) as plain:
        socket = BokehSocket(plain)
        socket.expect("ACK")
        title = {"kind": "TitleChanged", "title": "by a frame"}
        socket.ask("PATCH-DOC", {"events": [title]}, "OK")
    monkeypatch.setattr(standing, "current_caller", asked)
    last = client.get(path).get_json()["changes"][-1]
    assert (last["actor"], last["events"][0]["title"]) == (owner, "by a frame")


def test_a_read_ticket_never_writes(app: Flask, client: FlaskClient, docid: str, port: int) -> None:
    """Not even in the hands of the owner: patches are dropped, a new document is refused."""
    with open_socket(port, docid, ticket(app, docid, "read", owner_of(client, docid))) as plain:
        socket = BokehSocket(plain)
        socket.expect("ACK")
        socket.ask("PATCH-DOC", {"events": [{"kind": "TitleChanged", "title": "no"}]}, "OK")
        socket.ask("PUSH-DOC", {"doc": {"roots": [], "title": "no"}}, "ERROR")
    assert client.get(f"/bokeh/doc/{docid}/").get_json()["seq"] == 1


def test_what_opens_a_frames_socket(app: Flask, client: FlaskClient, docid: str, port: int) -> None:
    """An origin of null and a ticket for this document, in time, of somebody with the right."""
    owner = owner_of(client, docid)
    good = ticket(app, docid, "write", owner)
    assert status_of(port, docid, good) == 101
    assert status_of(port, docid, good) == 401, "a ticket is for once"
    for origin in (None, f"http://127.0.0.1:{port}", "https://evil.example"):
        other = ticket(app, docid, "write", owner)
        assert status_of(port, docid, other, origin) == 403, origin
    assert status_of(port, docid, ticket(app, "another", "write", owner)) == 401
    assert status_of(port, docid, ticket(app, docid, "write", owner, life=-1)) == 401
    assert status_of(port, docid, ticket(app, docid, "write", owner, "page")) == 403
    assert status_of(port, docid, ticket(app, docid, "write", owner, "embed")) == 401
    for name in ("mallory", None):
        assert status_of(port, docid, ticket(app, docid, "read", name)) == 404, name
    client.post(f"/bokeh/{docid}/publish")
    for name in ("mallory", None):
        assert status_of(port, docid, ticket(app, docid, "read", name)) == 101, name
        assert status_of(port, docid, ticket(app, docid, "write", name)) == 403, name


def test_a_frame_reads_a_revision_by_its_ticket(
    app: Flask, client: FlaskClient, docid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content goes to a page without an origin for a ticket of somebody who may read it."""
    owner, path = owner_of(client, docid), f"/bokeh/doc/{docid}/content?revision=1"
    monkeypatch.setattr(standing, "current_caller", lambda: Caller(Actor(None)))

    def ask(token: str) -> Any:
        return client.get(path, headers={"Origin": "null", "Bokeh-Ticket": token})

    answer = ask(ticket(app, docid, "read", owner))
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert ask(ticket(app, docid, "read", "mallory")).status_code == 404
    assert ask(ticket(app, docid, "read", owner, life=-1)).status_code == 401
    assert ask(ticket(app, "another", "read", owner)).status_code == 401
    assert client.get(path, headers={"Origin": "null"}).status_code == 404


def test_a_server_for_one_gives_out_none(tmp_path: Path) -> None:
    """Its pages have no frames."""
    alone = Flask("alone")
    server = BokehServer(alone, data_dir=tmp_path / "data", database="sqlite://")
    client = alone.test_client()
    made = client.post("/bokeh/doc/", json={"title": "x"}).get_json()["docid"]
    assert client.get(f"/bokeh/doc/{made}/ticket?kind=frame").status_code == 400
    assert client.get(f"/bokeh/doc/{made}/ticket").status_code == 200
    path, token = f"/bokeh/doc/{made}/content", ticket(alone, made, "read", "x")
    assert client.get(path, headers={"Bokeh-Ticket": token}).status_code == 401
    server.close()
