"""The addresses of an application: what each answers, and which session it is for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import Div
from bokeh.util.token import (
    generate_jwt_token,
    generate_session_id,
    get_session_id,
    get_token_payload,
)
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server import BokehServer
from bokeh_server.apps import AppHost, Tokens
from support.rawsocket import RawClient
from support.server import running_server

KEY = "k" * 40
AUTOLOAD = "/app/autoload.js?bokeh-autoload-element=e"


def application(doc: Document) -> None:
    """An application."""
    doc.add_root(Div(text="here"))
    doc.title = "an application"


class Site:
    """An app with an application, and a client."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.app = Flask("endpoints", static_folder=None)
        self.server = BokehServer(self.app, data_dir=folder, **settings)
        self.server.add_application("/app", application)
        self.client: FlaskClient = self.app.test_client()

    @property
    def sessions(self) -> list[str]:
        """The ids of its sessions."""
        host = self.app.extensions["bokeh_server"].applications
        assert isinstance(host, AppHost)
        return [session.id for session in host.at("/app").sessions()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes sites."""
    made: list[Site] = []

    def make(**settings: Any) -> Site:
        made.append(Site(tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        each.server.close()


Make = Callable[..., Site]


def token_of(page: str) -> str:
    """The token in a page."""
    found = re.search(r'"token": ?"([^"]+)"', page)
    assert found is not None
    return found[1]


def test_which_session_a_page_is_for(site: Make) -> None:
    """None is named: a new one. An id, a header or a token names one, and each page of it has
    a token that is fresh."""
    made = site()
    own = get_session_id(token_of(made.client.get("/app").text))
    assert len(own) == 44
    assert made.sessions == [own]
    named = made.client.get("/app?bokeh-session-id=mine").text
    by_header = made.client.get("/app", headers={"Bokeh-Session-Id": "mine"}).text
    token = token_of(named)
    by_token = made.client.get(f"/app/?bokeh-token={token}").text
    assert made.sessions == [own, "mine"]
    for page in (named, by_header, by_token):
        assert get_session_id(token_of(page)) == "mine"


@pytest.mark.parametrize(
    ("query", "headers", "why"),
    [
        ("bokeh-session-id=a", {"Bokeh-Session-Id": "b"}, "as an argument and header"),
        ("bokeh-session-id=a&bokeh-token=b", {}, "Both token and session ID were provided"),
        ("bokeh-session-id=", {}, "Invalid token or session ID"),
        ("bokeh-token=garbage", {}, "Invalid token or session ID"),
        ("bokeh-token=e30", {}, "Invalid token or session ID"),
        ("bokeh-session-id=" + "a" * 2000, {}, "Invalid token or session ID"),
    ],
)
@pytest.mark.parametrize("path", ["/app?", f"{AUTOLOAD}&"])
def test_what_names_none(
    site: Make, path: str, query: str, headers: dict[str, str], why: str
) -> None:
    """It is refused in words, makes nothing, and another site's page can read the reason."""
    made = site()
    answer = made.client.get(path + query, headers={**headers, "Origin": "http://other.example"})
    assert answer.status_code == 403
    assert why in answer.text
    assert made.sessions == []
    shared = answer.headers.get("Access-Control-Allow-Origin")
    assert shared == ("*" if path.startswith(AUTOLOAD) else None)


@pytest.mark.parametrize(
    ("method", "path"),
    [("HEAD", "/app"), ("POST", "/app"), ("PUT", "/app/"), ("HEAD", AUTOLOAD), ("POST", AUTOLOAD)],
)
def test_only_get_makes_a_session(site: Make, method: str, path: str) -> None:
    """Other methods are refused, and the application does not run."""
    made = site()
    assert made.client.open(path, method=method).status_code == 405
    assert made.sessions == []


def test_a_preflight_makes_nothing(site: Make) -> None:
    """With and without an origin; the header of a session is allowed."""
    made = site(allow_websocket_origin=["other.example"])
    bare = made.client.options(AUTOLOAD)
    assert (bare.status_code, bare.data) == (200, b"")
    asked = made.client.options(
        AUTOLOAD,
        headers={
            "Origin": "http://other.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "bokeh-session-id",
        },
    )
    headers = asked.headers
    assert headers["Access-Control-Allow-Origin"] == "http://other.example"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert "bokeh-session-id" in headers["Access-Control-Allow-Headers"]
    assert made.sessions == []


def test_cookies_are_only_for_pages_that_were_named(site: Make) -> None:
    """A page of any site reads the script; with the user's cookies only one that may connect."""
    answer = site().client.get(AUTOLOAD, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "more",
    [
        "bokeh-absolute-url=http://[",
        "bokeh-absolute-url=http://x/%22;alert(1)//",
        "bokeh-app-path=%22;alert(1)//",
        "bokeh-app-path=%3C/script%3E",
        "bokeh-autoload-element=%5C",
    ],
)
def test_an_embedding_writes_no_script_of_the_address(site: Callable[..., Site], more: str) -> None:
    """What would end a literal of the script is refused, and so is what is no address."""
    address = f"/app/autoload.js?{more}" if "element" in more else f"{AUTOLOAD}&{more}"
    assert site().client.get(address).status_code == 400


def test_who_may_frame_a_page(site: Callable[..., Site]) -> None:
    """Sites that may connect, and no others, whatever the address says."""
    client = site(allow_websocket_origin="other.example").client
    for query in ("", "?public=true", "?embedded=true&public=true"):
        policy = client.get(f"/app{query}").headers["Content-Security-Policy"]
        assert policy == "frame-ancestors 'self' other.example"


def test_an_embedding_without_an_element(site: Make) -> None:
    """It is a bad request, before anything is made."""
    made = site()
    answer = made.client.get("/app/autoload.js")
    assert answer.status_code == 400
    assert "No bokeh-autoload-element query parameter" in answer.text
    assert made.sessions == []


def test_metadata_makes_no_session(site: Make) -> None:
    """The address without the prefix, and what the author said."""
    made = site(url_prefix="pre")
    assert made.client.get("/pre/app/metadata").get_json() == {"url": "/app", "data": {}}
    assert made.client.get("/pre/app/metadata/").status_code == 404
    assert made.client.get("/app").status_code == 404
    assert made.sessions == []


def test_files_in_pieces_and_only_when_they_changed(site: Make) -> None:
    """BokehJS by range and by tag; for ever with a version; nothing outside its folder."""
    client = site().client
    path = "/static/js/bokeh.min.js"
    with client.get(path, headers={"Range": "bytes=0-9"}) as part:
        assert (part.status_code, len(part.data)) == (206, 10)
        tag = part.headers["ETag"]
    with client.get(path, headers={"If-None-Match": tag}) as same:
        assert same.status_code == 304
    with client.get(path, headers={"Range": "bytes=999999999-"}) as wrong:
        assert wrong.status_code == 416
    with client.get(f"{path}?v=1") as kept:
        assert "immutable" in kept.headers["Cache-Control"]
    with client.head(path) as head:
        assert head.status_code == 200
    for outside in ("/static/js/../../__init__.py", "/static/js/%2e%2e/%2e%2e/x", "/static/js/"):
        assert client.get(outside).status_code == 404, outside
    assert client.get("/static/extensions/none/a.js").status_code == 404


def test_signed_by_the_key_of_the_environment(site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """``BOKEH_SECRET_KEY`` signs; who has it makes ids, and with ``external-signed`` only they."""
    monkeypatch.setenv("BOKEH_SECRET_KEY", KEY)
    made = site(session_ids="external-signed")
    assert made.client.get("/app").status_code == 403
    assert "No bokeh-session-id provided" in made.client.get("/app").text
    good = generate_session_id(secret_key=KEY.encode(), signed=True)
    for query in (good, "plain", generate_session_id(secret_key=b"other" * 9, signed=True)):
        answer = made.client.get(f"/app?bokeh-session-id={query}")
        assert answer.status_code == (200 if query == good else 403)
    token = generate_jwt_token(good, secret_key=KEY.encode(), signed=True)
    assert made.client.get(f"/app?bokeh-token={token}").status_code == 200
    assert made.sessions == [good]


def test_signed_by_a_former_key() -> None:
    """While a key is changed, what the old one signed is taken, and a third one's is not."""
    tokens = Tokens(b"new" * 20, signed=True, former=[b"old" * 20])
    old = Tokens(b"old" * 20, signed=True)
    assert tokens.read(old.make(old.new_id(), {})).session_id
    assert tokens.check_id(old.new_id())
    with pytest.raises(Exception, match="signature"):
        tokens.check_id(Tokens(b"bad" * 20, signed=True).new_id())


def test_a_token_has_what_the_page_was_asked_with(site: Make) -> None:
    """Arguments, headers and cookies, without Bokeh's and ours; long ones fit."""
    client = site(exclude_headers=["X-Secret"]).client
    client.set_cookie("long", "c" * 3000)
    page = client.get("/app?a=1&a=2&bokeh-session-id=s", headers={"X-Secret": "s", "X-Open": "o"})
    payload: Any = get_token_payload(token_of(page.text))
    assert payload["arguments"] == {"a": [b"1", b"2"]}
    assert payload["cookies"] == {"long": "c" * 3000}
    assert payload["headers"]["X-Open"] == "o"
    assert not {"X-Secret", "Cookie"} & set(payload["headers"])


SCRIPT = "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div())\n"


def test_tokens_on_sockets(tmp_path: Path) -> None:
    """A token with cookies of many kilobytes opens the socket; an old one gets back into a
    session that is there; nonsense is refused before the 101."""
    path = tmp_path / "app.py"
    path.write_text(SCRIPT)
    with running_server(str(path), "--session-token-expiration", "1") as server:

        def status(token: str) -> int:
            client = RawClient(
                server.port, "/app/ws", {"Sec-WebSocket-Protocol": f"bokeh, {token}"}
            )
            client.sock.close()
            return client.status

        noise = "".join(f"{(i * 2654435761) % 2**32:08x}" for i in range(3000))
        long = generate_jwt_token("long", extra_payload={"cookies": {"a": noise}}, expiration=60)
        assert len(long) > 15_000
        assert status(long) == 101
        old = generate_jwt_token("old", expiration=1)
        assert status(old) == 101
        deadline = time.time() + 2.1
        while time.time() < deadline:
            time.sleep(0.05)
        assert status(old) == 101
        assert status("garbage") == 403
