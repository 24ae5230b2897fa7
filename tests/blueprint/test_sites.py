"""The sites that may embed a document: how they are chosen, and where they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from werkzeug.serving import make_server

from bokeh_server.blueprint import BokehServer
from bokeh_server.sockets.tickets import mint_ticket

SITE = "https://example.org"
OTHER = "https://evil.example"
LISTED = {"sites": [SITE, "https://*.example.net:8443"]}


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[FlaskClient]:
    """The owner of documents on a server for several people."""
    app = Flask("shared")
    more: dict[str, Any] = {"multi_user": True, "current_user": lambda: "owner"}
    server = BokehServer(app, data_dir=tmp_path, database="sqlite://", **more)
    yield app.test_client()
    server.close()


def choose(client: FlaskClient, docid: str, body: Any) -> Any:
    """Send sites."""
    return client.put(f"/bokeh/doc/{docid}/sites", json=body)


def ancestors(client: FlaskClient, path: str) -> str:
    """Who may frame a page."""
    policy = client.get(path).headers["Content-Security-Policy"]
    return policy.partition("frame-ancestors ")[2].partition(";")[0]


def test_choosing(client: FlaskClient, docid: str) -> None:
    """What was chosen is told in the one form; what is no list of sites changes nothing."""
    path = f"/bokeh/doc/{docid}/grants"
    assert client.get(path).get_json()["sites"] is None
    answer = choose(client, docid, {"sites": ["HTTPS://Example.org:443", SITE]})
    assert answer.get_json() == {"sites": [SITE]}
    assert client.get(path).get_json()["sites"] == [SITE]
    for bad in ({}, {"sites": "x"}, {"sites": ["x"]}, {"sites": [f"{SITE}; x"]}, [], None):
        assert choose(client, docid, bad).status_code == 400
    assert client.get(path).get_json()["sites"] == [SITE]
    assert choose(client, docid, {"sites": []}).get_json() == {"sites": []}
    assert client.get(path).get_json()["sites"] == []
    assert choose(client, docid, {"sites": None}).get_json() == {"sites": None}
    assert client.get(path).get_json()["sites"] is None


def test_pages_in_frames(client: FlaskClient, shared: FlaskClient, docid: str) -> None:
    """A page on which one only looks may be framed by these sites and ours, alone or shared."""
    made = shared.post("/bokeh/doc/", json={"title": "x"}).get_json()["docid"]
    for who, each in ((client, docid), (shared, made)):
        page = f"/bokeh/doc/{each}/show?public=true"
        assert ancestors(who, page) == "*"
        choose(who, each, LISTED)
        assert ancestors(who, page) == "'self' https://example.org https://*.example.net:8443"
        choose(who, each, {"sites": []})
        assert ancestors(who, page) == "'self'"
        assert ancestors(who, f"/bokeh/doc/{each}/show") == "'self'"


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),  # it is not known; the page's own script and the socket see to it
        ({"Referer": f"{SITE}/a/page?x"}, True),
        ({"Referer": "https://a.example.net:8443/"}, True),
        ({"Referer": "http://localhost/bokeh/"}, True),
        ({"Referer": f"{OTHER}/{SITE}"}, False),
        ({"Referer": "http://[::1"}, True),
        ({"Origin": OTHER, "Referer": SITE}, False),
        ({"Origin": "null"}, False),
        ({"Origin": SITE}, True),
    ],
)
def test_the_tag(
    client: FlaskClient, shared: FlaskClient, docid: str, headers: dict[str, str], allowed: bool
) -> None:
    """It says so where another site is known to ask, and gives no ticket then."""
    made = shared.post("/bokeh/doc/", json={"title": "x"}).get_json()["docid"]
    for who, each in ((client, docid), (shared, made)):
        choose(who, each, LISTED)
        answer = who.get(f"/bokeh/autoload.js/a?docid={each}&public=true", headers=headers)
        text = answer.get_data(as_text=True)
        assert answer.status_code == 200
        assert ("its owner lets other sites show it" in text) is not allowed
        assert ('"sites":["https://example.org"' in text) is allowed
        if not allowed:
            assert '"ticket"' not in text
            assert '"page"' not in text


def test_a_pinned_plot(app: Flask, client: FlaskClient, docid: str) -> None:
    """Its content is read from these sites alone by a ticket for embedding."""
    secret = app.extensions["bokeh_server"].secret
    ticket = {"Bokeh-Ticket": mint_ticket(secret, docid, "read", "embed", 60)}
    path = f"/bokeh/doc/{docid}/content?revision=1"
    assert client.get(path, headers={**ticket, "Origin": OTHER}).status_code == 200
    choose(client, docid, LISTED)
    refused = client.get(path, headers={**ticket, "Origin": OTHER})
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert client.get(path, headers={**ticket, "Origin": SITE}).status_code == 200


def test_sockets(app: Flask, client: FlaskClient, docid: str) -> None:
    """A ticket for embedding, also one given out before, opens one on these sites and on ours."""
    secret = app.extensions["bokeh_server"].secret
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    own = f"http://127.0.0.1:{server.server_port}"
    address = f"ws://127.0.0.1:{server.server_port}/bokeh/doc/{docid}/ws"
    ticket = mint_ticket(secret, docid, "read", "embed", 60)

    def opens(origin: str) -> bool:
        words: Any = ["bokeh", ticket]
        with (
            suppress(InvalidStatus),
            connect(address, subprotocols=words, origin=origin),  # type: ignore[arg-type]
        ):
            return True
        return False

    try:
        assert [opens(each) for each in (SITE, OTHER, own, "null")] == [True] * 4
        choose(client, docid, LISTED)
        assert [opens(each) for each in (SITE, OTHER, own, "null")] == [True, False, True, False]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
