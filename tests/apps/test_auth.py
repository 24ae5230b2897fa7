"""Auth modules, as they are written for ``bokeh serve``: who gets in, and by which way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server import BokehServer
from bokeh_server.blueprint.people.auth_provider import hooks_of_module
from bokeh_server.errors import ConfigurationError
from support.rawsocket import RawClient
from support.server import RunningServer, running_server

MODULE = """
import asyncio
from tornado.web import RequestHandler

def get_user(handler):
    user = handler.get_signed_cookie("user")
    return user.decode() if user else None

login_url = "/login"
logout_url = "/logout"

class LoginHandler(RequestHandler):
    def get(self):
        self.write("<form method=post>" + self.get_argument("next", "") + "</form>")

    async def post(self):
        await asyncio.sleep(0.01)
        if self.get_argument("password") != "right":
            self.set_status(401)
            self.finish("wrong")
            return
        self.set_signed_cookie("user", self.get_argument("name"))
        self.set_cookie("second", "one")
        self.redirect(self.get_argument("next", "/"))

class LogoutHandler(RequestHandler):
    def get(self):
        self.clear_cookie("user")
        self.redirect("/login")
"""

APPLICATION = """
from bokeh.io import curdoc
from bokeh.models import Div
context = curdoc().session_context
curdoc().template_variables["who"] = f"{context.user} {context.request.user} {context.logout_url}"
curdoc().template = "{% block contents %}<b>{{ who }}</b>{% endblock %}"
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An auth module, and an application."""
    folder: Path = tmp_path_factory.mktemp("auth")
    (folder / "auth.py").write_text(MODULE)
    (folder / "app.py").write_text(APPLICATION)
    return folder


@pytest.fixture
def client(files: Path, tmp_path: Path) -> Iterator[FlaskClient]:
    """A browser at a server with both."""
    app = Flask("auth", static_folder=None)
    server = BokehServer(app, data_dir=tmp_path, auth_module=files / "auth.py", url_prefix="pre")
    server.add_application("/app", files / "app.py")
    with app.test_client() as client:
        yield client
    server.close()


def log_in(client: FlaskClient, name: str = "ada", **more: str) -> object:
    """Send the form."""
    form = {"name": name, "password": "right", **more}
    return client.post("/pre/login", data=form, headers={"Sec-Fetch-Site": "same-origin"})


def test_the_way_in_and_out(client: FlaskClient) -> None:
    """Nobody is led to the login, comes back from there, is known to the application, and goes."""
    asked = client.get("/pre/app?x=1&y=a%20b")
    assert asked.status_code == 302
    login = urlparse(asked.headers["Location"])
    assert login.path == "/pre/login"
    assert parse_qs(login.query)["next"] == ["/pre/app?x=1&y=a%20b"]
    assert b"/pre/app?x=1" in client.get(asked.headers["Location"]).data
    answer = log_in(client, next="/pre/app?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/pre/app?x=1")  # type: ignore[attr-defined]
    assert len(answer.headers.getlist("Set-Cookie")) == 2  # type: ignore[attr-defined]
    assert "<b>ada ada /pre/logout</b>" in client.get("/pre/app").text
    client.get("/pre/logout")
    assert client.get("/pre/app").status_code == 302


def test_a_wrong_password_opens_nothing(client: FlaskClient) -> None:
    """The handler's own status and text are the answer."""
    answer = log_in(client, password="wrong")
    assert (answer.status_code, answer.data) == (401, b"wrong")  # type: ignore[attr-defined]
    assert client.get("/pre/app").status_code == 302


def test_a_forged_cookie_opens_nothing(client: FlaskClient) -> None:
    """Cookies of handlers are signed by a key of this server."""
    client.set_cookie("user", "2|1:0|10:1700000000|4:user|4:YWRh|" + "0" * 64)
    assert client.get("/pre/app").status_code == 302


def test_all_is_behind_the_login(client: FlaskClient) -> None:
    """Pages lead there; scripts are refused; what pages load is for everybody."""
    for page in ("/pre/", "/pre/app", "/pre/app/", "/pre/app/metadata", "/pre/bokeh/"):
        assert client.get(page).status_code == 302, page
    for method, path in (
        ("POST", "/pre/bokeh/doc/"),
        ("DELETE", "/pre/bokeh/doc/abc/"),
        ("GET", "/pre/app/autoload.js?bokeh-autoload-element=a"),
    ):
        assert client.open(path, method=method).status_code == 403, path
    with client.get("/pre/static/js/bokeh.min.js") as script:
        assert script.status_code == 200
    assert client.get("/pre/bokeh/healthz").status_code == 200


def test_an_embedding_page_can_read_the_refusal(client: FlaskClient) -> None:
    """The script that embeds has the headers of other origins also when it is refused."""
    path = "/pre/app/autoload.js?bokeh-autoload-element=a"
    answer = client.get(path, headers={"Origin": "http://other.example"})
    assert answer.status_code == 403
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_refused_script_says_why(client: FlaskClient) -> None:
    """The embedding page runs it, whatever its status; who asks for JSON, or a page, gets that."""
    path = "/pre/app/autoload.js"
    for accept in ("*/*", "", "text/javascript"):
        answer = client.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.mimetype) == (403, "application/javascript")
        told = re.fullmatch(r'console\.error\(("[^<>]*")\);', answer.text)
        assert told is not None
        assert "nobody is logged in" in json.loads(told[1])
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    answer = client.get(path, headers={"Accept": "application/json"})
    assert answer.get_json()["error"] == "forbidden"
    assert client.get(path, headers={"Accept": "text/html,*/*;q=0.8"}).mimetype == "text/html"


def test_a_session_is_of_who_opened_it(client: FlaskClient) -> None:
    """Somebody else who knows its id gets nothing of it."""
    log_in(client)
    assert client.get("/pre/app?bokeh-session-id=mine").status_code == 200
    log_in(client, "eve")
    answer = client.get("/pre/app?bokeh-session-id=mine")
    assert answer.status_code == 403
    assert "somebody else" in answer.text


@pytest.fixture(scope="module")
def server(files: Path) -> Iterator[RunningServer]:
    """A real server of both."""
    with running_server(str(files / "app.py"), "--auth-module", str(files / "auth.py")) as running:
        yield running


def test_a_socket_needs_the_login(server: RunningServer) -> None:
    """Before the 101 it is refused; the page's cookie opens it; a handler waits on a real loop."""
    import requests

    with requests.Session() as http:
        form = {"name": "ada", "password": "right", "next": "/app"}
        page = http.post(
            f"{server.url}/login", form, headers={"Origin": server.url}, timeout=30
        ).text
        assert "ada" in page
        cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
    found = re.search(r'"token": ?"([^"]+)"', page)
    assert found is not None
    protocol = {"Sec-WebSocket-Protocol": f"bokeh, {found[1]}"}
    for headers, status in ((protocol, 403), ({**protocol, "Cookie": cookie}, 101)):
        client = RawClient(server.port, "/app/ws", headers)
        client.sock.close()
        assert client.status == status


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("get_user = get_user_async = len", "Only one of get_user or get_user_async"),
        ("get_user = len", "one of login_url or get_login_url must be supplied"),
        ("login_url = '/a'; get_login_url = len", "At most one of login_url or get_login_url"),
        ("from tornado.web import RequestHandler as LoginHandler; get_login_url = len",
         "LoginHandler cannot be used with"),
        ("class LoginHandler: pass\nlogin_url = '/a'", "LoginHandler must be a Tornado"),
        ("class LogoutHandler: pass\nlogout_url = '/a'", "LogoutHandler must be a Tornado"),
        ("from tornado.web import RequestHandler as LoginHandler; login_url = 'http://a/b'",
         "LoginHandler can only be used with a relative login_url"),
        ("from tornado.web import RequestHandler as LogoutHandler; logout_url = '//a/b'",
         "LogoutHandler can only be used with a relative logout_url"),
        ("1 / 0", "ZeroDivisionError"),
        (None, "no file exists at module_path"),
    ],
)  # fmt: skip
def test_modules_that_make_no_sense(text: str | None, why: str, tmp_path: Path) -> None:
    """What is wrong is said at the start, in Bokeh's words."""
    path = tmp_path / "auth.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        hooks_of_module(path)


def test_two_ways_to_know_people_are_one_too_many(files: Path, tmp_path: Path) -> None:
    """An auth module and our own accounts are refused together."""
    with pytest.raises(ConfigurationError, match="people log in with us"):
        BokehServer(
            Flask("auth"), data_dir=tmp_path, multi_user=True, auth_module=files / "auth.py"
        )


def test_a_provider_of_bokehs(files: Path, tmp_path: Path) -> None:
    """``auth_provider`` takes what Bokeh's ``Server`` takes; a function says where the login is."""
    from bokeh.server.auth_provider import AuthModule

    module = tmp_path / "other.py"
    module.write_text(
        "async def get_user_async(handler):\n"
        "    return handler.request.arguments.get('u', [b''])[0]\n"
        "def get_login_url(handler):\n    return 'https://login.example/in'\n"
    )
    app = Flask("auth", static_folder=None)
    server = BokehServer(app, data_dir=tmp_path, auth_provider=AuthModule(str(module)))
    server.add_application("/app", files / "app.py")
    client = app.test_client()
    answer = client.get("/app")
    assert answer.headers["Location"] == (
        "https://login.example/in?next=http%3A%2F%2Flocalhost%2Fapp"
    )
    assert "<b>ada ada None</b>" in client.get("/app?u=ada").text
    server.close()


@pytest.mark.parametrize("opener", ["eve", None])
def test_nobody_joins_a_session_of_somebody_else(opener: str | None, tmp_path: Path) -> None:
    """With many users an id that one of them chose leads nobody else into their session: whoever
    is in it can put scripts there, which would run with the login of the others."""
    name = [opener]
    app = Flask("people", static_folder=None)
    server = BokehServer(
        app,
        data_dir=tmp_path,
        multi_user=True,
        public_applications=True,
        current_user=lambda: name[0],
    )
    server.add_application("/app", lambda doc: None)
    client = app.test_client()
    page = client.get("/app?bokeh-session-id=trap")
    token = re.search(r'"token": ?"([^"]+)"', page.text)
    assert token is not None
    name[0] = "ada"
    for query in ("bokeh-session-id=trap", f"bokeh-token={token[1]}"):
        answer = client.get(f"/app?{query}")
        assert answer.status_code == 403, query
        assert "somebody else" in answer.text
    name[0] = opener
    assert client.get("/app?bokeh-session-id=trap").status_code == 200
    server.close()


def test_the_users_of_an_application_are_no_text(tmp_path: Path) -> None:
    """``users="ada"`` would be for the users ``a`` and ``d``, and not for her."""
    app = Flask("people", static_folder=None)
    server = BokehServer(app, data_dir=tmp_path, multi_user=True)
    with pytest.raises(ConfigurationError, match=r"Give a list: users=\['ada'\]"):
        server.add_application("/app", lambda doc: None, users="ada")
    server.close()
