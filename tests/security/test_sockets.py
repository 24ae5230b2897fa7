"""Every WebSocket route, asked by those who may not: an HTTP answer before any 101."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from flask import Flask

from bokeh_server.blueprint import BokehServer
from bokeh_server.secret_keys import load_keys
from bokeh_server.sockets import mint_ticket
from support.attacks import COOKIE, PASSWORD, Site, Way
from support.browser import Api
from support.rawsocket import RawClient
from support.server import RunningServer, running_server

#: what a page of ours sends along.
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server for several people."""
    with running_server("-m") as running:
        yield running


class People:
    """Ada, who has a private and a published document, and eve, who has none.

    :ivar tokens: a token of each.
    :ivar logins: what the cookie of a browser of each holds.
    """

    def __init__(self, server: RunningServer) -> None:
        self.tokens: dict[str, str] = {}
        self.logins: dict[str, str] = {}
        for name in ("eve", "ada"):
            api = Api(server.url)
            api.enter(name)
            self.tokens[name] = api.http.headers["Authorization"].removeprefix("Bearer ")
            self.logins[name] = log_in(server, name)
        self.private, self.published = api.make("private"), api.make("published")
        api.call("POST", f"/bokeh/{self.published}/publish")
        api.close()


def log_in(server: RunningServer, name: str) -> str:
    """Log somebody in; what their cookie holds."""
    with requests.Session() as http:
        form = {"username": name, "password": PASSWORD}
        http.post(f"{server.url}/bokeh/login", data=form, headers=SAME, timeout=30)
        return str(http.cookies[COOKIE])


@pytest.fixture(scope="module")
def site(server: RunningServer) -> People:
    """Who is there."""
    return People(server)


@pytest.fixture(scope="module")
def port(server: RunningServer) -> int:
    """Where it listens."""
    return server.port


def sockets() -> list[Way]:
    """Every route that takes a WebSocket."""
    app = Flask("host")
    BokehServer(app, multi_user=True, database="sqlite://")
    return [way for way in Site(app).ways() if way.is_socket]


def paths(docid: str) -> list[str]:
    """The address of every such route, for a document."""
    found = [way.address(docid) for way in sockets()]
    assert len(found) >= 3
    return found


def knock(port: int, path: str, **headers: str | None) -> int:
    """The status of the answer to a handshake; ``Sec_Fetch_Site`` is ``Sec-Fetch-Site``."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with RawClient(port, path, sent) as client:
        return client.status


def foreign(port: int) -> list[str]:
    """Forty origins of pages that are not ours, each meant to pass for one that is."""
    here, other = f"127.0.0.1:{port}", port + 1 if port < 65000 else port - 1
    return [
        # other sites, other ports, other schemes
        "http://evil.example", f"http://evil.example:{port}", f"http://127.0.0.1:{other}",
        "http://127.0.0.1", "http://127.0.0.1:80", "https://127.0.0.1", "http://127.0.0.1:0",
        f"file://{here}", f"ws://{here}", f"chrome-extension://{here}", "file://", f"ftp://{here}",
        # beginnings and ends
        f"http://{here}.evil.example", f"http://127.0.0.1.evil.example:{port}",
        f"http://evil.example.127.0.0.1:{port}", f"http://x127.0.0.1:{port}", f"http://{here}0",
        f"http://127.0.0.1.:{port}", f"http://.127.0.0.1:{port}", f"http://127.0.0:{port}",
        f"http://127.1:{port}", f"http://2130706433:{port}", f"http://0x7f.0.0.1:{port}",
        # names before and paths after
        f"http://{here}@evil.example", f"http://evil.example@{here}", f"http://u:p@{here}",
        f"http://{here}/", f"http://{here}/x", f"http://{here}?x", f"http://{here}#x",
        f"http://evil.example/{here}", f"http://evil.example\\@{here}",
        # other writings
        f"http://[::1]:{port}", f"http://[::ffff:127.0.0.1]:{port}", "http://[::1", f"//{here}",
        here, f"http://localhost:{port}", "http://xn--127-0-0-1.example",
        # none at all
        "null", "NULL", "", f"http://{here}, http://evil.example", f"null, http://{here}", "*",
    ]  # fmt: skip


def test_foreign_origins(site: People, port: int) -> None:
    """With the owner's cookie and with their token, to every route: 403 for each of them."""
    assert len(foreign(port)) == len(set(foreign(port))) >= 40
    known: tuple[dict[str, str], ...] = (
        {"Cookie": f"{COOKIE}={site.logins['ada']}"},
        {"Authorization": f"Bearer {site.tokens['ada']}"},
    )
    for origin in foreign(port):
        for path in paths(site.published):
            for who in known:
                assert knock(port, path, Origin=origin, **who) == 403, (origin, path)


def test_our_own_origin_alone_opens_no_document(site: People, port: int) -> None:
    """A page of ours needs a ticket as well; it is refused with the cookie alone."""
    own = f"http://127.0.0.1:{port}"
    cookie = f"{COOKIE}={site.logins['ada']}"
    for path in (f"/bokeh/doc/{site.private}/ws", f"/bokeh/doc/{site.private}/changes"):
        assert knock(port, path, Origin=own, Cookie=cookie) == 401
    assert knock(port, "/bokeh/ws", Origin=own, Cookie=cookie) == 101


def test_who_is_not_known(server: RunningServer, site: People, port: int) -> None:
    """No cookie, an ended one, half of one, another's; no token, a bad one, a revoked one."""
    ended = log_in(server, "ada")
    requests.post(
        f"{server.url}/bokeh/logout", headers=SAME, cookies={COOKIE: ended}, timeout=30
    ).close()
    good = site.logins["ada"]
    cookies = [
        None, f"{COOKIE}=", f"{COOKIE}={ended}", f"{COOKIE}={good[:-1]}", f"__Host-{COOKIE}=x",
        f"{COOKIE}={good}; {COOKIE}=planted",
    ]  # fmt: skip
    tokens = ["", "bks_", "bks_0000000000_" + "a" * 43, site.tokens["ada"][:-1]]
    own = f"http://127.0.0.1:{port}"
    for path in paths(site.private):
        for cookie in cookies:
            for origin in (None, own):
                status = knock(port, path, Cookie=cookie, Origin=origin)
                assert status in (401, 404), (path, cookie, origin)
        for token in tokens:
            assert knock(port, path, Authorization=f"Bearer {token}") == 401, (path, token)


def test_another_users_login_opens_nothing_of_ada(site: People, port: int) -> None:
    """Her private document is not there for eve; her published one cannot be written."""
    eve = {"Authorization": f"Bearer {site.tokens['eve']}"}
    cookie = {"Cookie": f"{COOKIE}={site.logins['eve']}"}
    for who in (eve, cookie):
        for path in ("ws", "changes"):
            assert knock(port, f"/bokeh/doc/{site.private}/{path}", **who) == 404
            assert knock(port, f"/bokeh/doc/{site.published}/{path}", **who) == 403


def test_tickets_that_open_nothing(server: RunningServer, site: People, port: int) -> None:
    """Expired, of another key, of another document, for more than its bearer may."""
    secret = load_keys(server.data_dir).current

    def ticket(docid: str, life: float = 60, key: bytes = secret, actor: str = "ada") -> str:
        return mint_ticket(key, docid, "write", "frame", life, actor)

    path = f"/bokeh/doc/{site.private}/ws"

    def status(token: str) -> int:
        return knock(port, path, Origin="null", Sec_WebSocket_Protocol=f"bokeh, {token}")

    assert status(ticket(site.private)) == 101
    assert status(ticket(site.private, life=-1)) == 401
    assert status(ticket(site.private, key=b"x" * 64)) == 401
    assert status(ticket(site.published)) == 401
    assert status(ticket(site.private, actor="eve")) == 404
    assert status("x" * 5000) in (400, 401)
    assert status("..") == 401


def test_refusals_are_quick(site: People, port: int) -> None:
    """Nobody who is refused holds a connection or a thread."""
    began = time.monotonic()
    for _ in range(50):
        assert knock(port, f"/bokeh/doc/{site.private}/ws", Origin="http://evil.example") == 403
    assert time.monotonic() - began < 10
