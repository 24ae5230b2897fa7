"""What auth modules do beyond the plain way in: errors, cookies and addresses of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from bokeh.server.auth_provider import AuthModule
from flask import Flask
from flask.testing import FlaskClient
from tornado.web import RequestHandler

from bokeh_server import BokehServer
from bokeh_server.blueprint.people.auth_provider import hooks_of_provider
from bokeh_server.blueprint.people.auth_users import user_of
from bokeh_server.errors import ConfigurationError
from support.rawsocket import RawClient
from support.server import running_server

Make = Callable[..., FlaskClient]

OPEN = """
from tornado.web import RequestHandler
login_url = "/login"
def get_user(handler):
    return "ada"
"""


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Make]:
    """Makes a browser at a server with an auth module of this text, and an application."""
    servers: list[BokehServer] = []

    def make(text: str = OPEN, application: Any = lambda doc: None, **more: Any) -> FlaskClient:
        if "auth_provider" not in more:
            more["auth_module"] = tmp_path / "auth.py"
            more["auth_module"].write_text(text)
        app = Flask("auth", static_folder=None)
        server = BokehServer(app, data_dir=tmp_path, url_prefix="pre", **more)
        servers.append(server)
        server.add_application("/app", application)
        return app.test_client()

    yield make
    for server in servers:
        server.close()


# --- the handlers of logins -------------------------------------------------------------------

HANDLER = (
    OPEN
    + """
import asyncio, functools, sys
from tornado.web import HTTPError, authenticated

def wrapped(method):
    @functools.wraps(method)
    def wrapper(*args):
        return method(*args)
    return wrapper

class LoginHandler(RequestHandler):
    def get(self):
        if self.get_argument("exit", None):
            sys.exit()
        raise HTTPError(int(self.get_argument("status")))

    def post(self):
        self.write(" ".join(self.get_arguments("name") + [self.get_argument("password")]))

    @wrapped
    async def put(self):
        await asyncio.sleep(0.01)
        self.write("waited")

    def get_current_user(self):
        return "ada"

    @authenticated
    async def patch(self):
        await asyncio.sleep(0.01)
        self.write(self.current_user)
"""
)


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [
        ("GET", "?status=404", 404),
        ("GET", "?status=418", 418),
        ("GET", "", 400),
        ("POST", "", 400),
        ("HEAD", "", 405),
        ("DELETE", "", 405),
        ("GET", "?exit=1", 500),
    ],
)
def test_errors_of_a_handler_are_its_own(
    browser: Make, method: str, query: str, status: int
) -> None:
    """A handler that is no coroutine says what is wrong by a status, as under ``bokeh serve``."""
    assert browser(HANDLER).open(f"/pre/login{query}", method=method).status_code == status


def test_a_body_that_is_no_form_is_a_bad_request(browser: Make) -> None:
    """A form in parts, whose parts cannot be told."""
    kind = "multipart/form-data"
    assert browser(HANDLER).post("/pre/login", data=b"a", content_type=kind).status_code == 400


def test_a_form_is_read_once(browser: Make) -> None:
    """A name that was sent once is there once."""
    answer = browser(HANDLER).post("/pre/login", data={"name": "ada", "password": "right"})
    assert (answer.status_code, answer.text) == (200, "ada right")


def test_a_form_without_the_token_of_xsrf(browser: Make) -> None:
    """It is refused, and not the server's mistake."""
    client = browser(HANDLER, enable_xsrf_cookies=True)
    assert client.post("/pre/login", data={"password": "right"}).status_code == 403


@pytest.mark.parametrize(("method", "text"), [("PUT", "waited"), ("PATCH", "ada")])
def test_a_decorated_coroutine_waits(browser: Make, method: str, text: str) -> None:
    """Also where what is around it is an ordinary function."""
    answer = browser(HANDLER).open("/pre/login", method=method)
    assert (answer.status_code, answer.text) == (200, text)


# --- what is asked about every request --------------------------------------------------------

ASKED = """
from tornado.web import Finish, HTTPError

def get_user(handler):
    handler.set_cookie("seen", "yes")
    handler.set_header("X-From", "get_user")
    wish = handler.get_argument("wish", "")
    if wish.isdigit():
        raise HTTPError(int(wish), "for the log", reason="Gone for a walk")
    if wish == "elsewhere":
        handler.redirect("/elsewhere")
    if wish == "finish":
        handler.set_status(401)
        raise Finish("who?")
    return None if wish == "nobody" else "ada"

def get_login_url(handler):
    handler.set_cookie("state", "s3cret")
    handler.clear_cookie("old")
    return "https://login.example/in?state=s3cret"
"""
ASKED_ASYNC = ASKED.replace("def get_user", "async def get_user_async")


def cookies(answer: Any) -> dict[str, str]:
    """The cookies that an answer sets."""
    pairs = (each.partition(";")[0] for each in answer.headers.getlist("Set-Cookie"))
    return dict(each.split("=", 1) for each in pairs)


@pytest.mark.parametrize("text", [ASKED, ASKED_ASYNC], ids=["plain", "async"])
def test_cookies_of_who_is_asked_reach_the_browser(browser: Make, text: str) -> None:
    """Those of ``get_user`` go with the page, those of both with the way to the login."""
    client = browser(text)
    page = client.get("/pre/app")
    assert (page.status_code, cookies(page)) == (200, {"seen": "yes"})
    assert page.mimetype == "text/html"
    assert page.headers.getlist("X-From") == ["get_user"]
    assert "frame-ancestors" in page.headers["Content-Security-Policy"]
    led = client.get("/pre/app?wish=nobody")
    assert led.headers["Location"] == "https://login.example/in?state=s3cret"
    assert cookies(led) == {"seen": "yes", "state": "s3cret", "old": '""'}


@pytest.mark.parametrize("text", [ASKED, ASKED_ASYNC], ids=["plain", "async"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 451, 503])
def test_who_is_asked_may_refuse(
    browser: Make, text: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of Tornado's is answered by its code and reason; cookies go with it."""
    answer = browser(text).get(f"/pre/app?wish={status}")
    assert (answer.status_code, cookies(answer)) == (status, {"seen": "yes"})
    assert f"Could not GET this address: the auth module says {status} Gone" in answer.text
    assert "for the log" in caplog.text
    assert "for the log" not in answer.text


@pytest.mark.parametrize("text", [ASKED, ASKED_ASYNC], ids=["plain", "async"])
def test_who_is_asked_may_answer(browser: Make, text: str) -> None:
    """A redirect or a text that a function has written is the answer, once."""
    client = browser(text)
    led = client.get("/pre/app?wish=elsewhere")
    assert (led.status_code, led.headers["Location"]) == (302, "/elsewhere")
    assert len(led.headers.getlist("Set-Cookie")) == 1
    ended = client.get("/pre/app?wish=finish")
    assert (ended.status_code, ended.text, cookies(ended)) == (401, "who?", {"seen": "yes"})


def test_a_function_that_ends_the_process_ends_its_request(browser: Make) -> None:
    """Also where it says where the login is."""
    text = "import sys\ndef get_user(_):\n    return None\ndef get_login_url(_):\n    sys.exit(3)\n"
    assert browser(text).get("/pre/app").status_code == 500


def test_a_refused_script_has_no_code_of_the_address(browser: Make) -> None:
    """What is repeated in it ends neither its text nor a script around it."""
    why = "</script>'\"\u2028\\&"
    text = OPEN.replace('return "ada"', 'raise HTTPError(403, reason=handler.get_argument("why"))')
    client = browser(f"from tornado.web import HTTPError\n{text}")
    answer = client.get(f"/pre/app/autoload.js?{urlencode({'why': why})}")
    assert answer.status_code == 403
    assert not set("<>&\u2028\n") & set(answer.text)
    told = json.loads(answer.text.removeprefix("console.error(").removesuffix(");"))
    assert why in told


# --- addresses of their own -------------------------------------------------------------------


def provider(path: Path, *endpoints: Any) -> AuthModule:
    """A provider of Bokeh's with an auth module's hooks, and further endpoints."""
    path.write_text(HANDLER.replace('return "ada"', "return None", 1))

    class Provider(AuthModule):  # type: ignore[misc]
        @property
        def endpoints(self) -> list[Any]:
            """The usual, and more."""
            return [*super().endpoints, *endpoints]

    return Provider(str(path))


class Callback(RequestHandler):
    """Where another server sends people back to."""

    def get(self, *args: str, **kwargs: str) -> None:
        """Say what is known of it."""
        self.write(f"{args} {kwargs} {self.get_argument('code', '')}")


@pytest.mark.parametrize(
    ("url", "path", "text"),
    [
        ("/callback", "/callback?code=5", "() {} 5"),
        ("/bokeh/o-auth.2/in", "/bokeh/o-auth.2/in", "() {} "),
        (r"/from/(\w+)/(.*)$", "/from/git/a/b%20c", "('git', 'a/b c') {} "),
        (r"/(?P<who>\w+)/back/?", "/git/back/", "() {'who': 'git'} "),
    ],
)
def test_further_endpoints(browser: Make, tmp_path: Path, url: str, path: str, text: str) -> None:
    """They are served under the prefix beside login and logout, and open without a login."""
    client = browser(auth_provider=provider(tmp_path / "auth.py", (url, Callback)))
    answer = client.get(f"/pre{path}")
    assert (answer.status_code, answer.text) == (200, text)
    assert client.post(f"/pre{path}").status_code == 405
    assert client.get("/pre/login?status=404").status_code == 404
    assert client.get("/pre/app").status_code == 302
    assert client.get("/pre/elsewhere/in").status_code == 404


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        (("callback", Callback), "is no URL that begins"),
        (("/call(back", Callback), "is no URL that begins"),
        ((5, Callback), "is no URL that begins"),
        (("/callback", len), "is no pair"),
        (("/callback",), "is no pair"),
    ],
)
def test_endpoints_that_make_no_sense(tmp_path: Path, endpoint: Any, why: str) -> None:
    """They are refused at the start."""
    with pytest.raises(ConfigurationError, match=why):
        hooks_of_provider(provider(tmp_path / "auth.py", endpoint))


# --- who somebody is --------------------------------------------------------------------------

PERSON = """
import itertools
count = itertools.count()
login_url = "/login"

class Person:
    def __init__(self, **fields):
        self.__dict__.update(fields)

def get_user(handler):
    handler.set_cookie("seen", "1")
    given = {"at": next(count), **{name: handler.get_argument(name) for name in
             handler.request.arguments if not name.startswith("bokeh-") and name != "kind"}}
    return given if handler.get_argument("kind", "") == "dict" else Person(**given)
"""
SHOWN = """
from bokeh.io import curdoc
curdoc().template_variables["who"] = curdoc().session_context.user
curdoc().template = "{% block contents %}<b>{{ who }}</b>{% endblock %}"
"""


@pytest.mark.parametrize("kind", ["dict", "object"])
def test_somebody_is_the_same_in_every_request(browser: Make, tmp_path: Path, kind: str) -> None:
    """An object made anew, or a dict with what changes, leads back to the session; not that of
    somebody else, though the name be the same."""
    script = tmp_path / "shown.py"
    script.write_text(SHOWN)
    client = browser(PERSON, application=script)
    ada = f"/pre/app?kind={kind}&bokeh-session-id=mine&name=Ada&id=1"
    for _ in range(2):
        page = client.get(ada)
        assert (page.status_code, "<b>Ada</b>" in page.text) == (200, True)
    other = client.get(ada.replace("id=1", "id=2"))
    assert other.status_code == 403
    assert "somebody else" in other.text


def test_somebody_without_a_name_is_refused_at_once(
    browser: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The page, not its socket, and the log says what to give."""
    assert browser(PERSON).get("/pre/app").status_code == 500
    assert "get_user of the auth module gave a Person that says nobody's name" in caplog.text
    assert "Return a text" in caplog.text


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (b"a\xffda", "a\N{REPLACEMENT CHARACTER}da"),
        (7, "7"),
        ({"id": 0, "email": "a@b.example"}, "0"),
        ({"username": "", "login": "ada"}, "ada"),
        ({"uid": 5}, "{'uid': 5}"),
        (("ada", "admin"), "('ada', 'admin')"),
    ],
)
def test_names(found: object, name: str) -> None:
    """A name is a text or a number; what has none is known by its own text."""
    user = user_of(found)
    assert user is not None
    assert user.name == name


class Identifier:
    """An id of some library's, which says what it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


@pytest.mark.parametrize("make", [str.encode, float, Identifier, int, str])
def test_ids_tell_people_apart_who_have_one_name(make: Callable[[str], object]) -> None:
    """Whatever an id is made of: the name, which two may share, never stands in for it."""
    one, again, other = (user_of({"name": "Ada", "id": make(each)}) for each in ("1", "1", "2"))
    assert one is not None
    assert other is not None
    assert one == again
    assert one.identity != other.identity
    assert one.name == other.name == "Ada"


def test_an_id_that_says_nothing_is_refused() -> None:
    """It would be another one at every request."""
    with pytest.raises(ConfigurationError, match="says nobody's name"):
        user_of({"name": "Ada", "id": object()})


def test_the_socket_of_somebody_made_anew(tmp_path: Path) -> None:
    """It opens, and cookies of ``get_user`` go with the 101."""
    (tmp_path / "auth.py").write_text(PERSON)
    (tmp_path / "app.py").write_text(SHOWN)
    options = (str(tmp_path / "app.py"), "--auth-module", str(tmp_path / "auth.py"))
    with running_server(*options) as server:
        page = requests.get(f"{server.url}/app?name=ada", timeout=30).text
        found = re.search(r'"token": ?"([^"]+)"', page)
        assert found is not None
        protocol = {"Sec-WebSocket-Protocol": f"bokeh, {found[1]}"}
        client = RawClient(server.port, "/app/ws?name=ada", protocol)
        client.sock.close()
        assert client.status == 101
        assert b"Set-Cookie: seen=1; Path=/\r\n" in client.head + b"\r\n"
