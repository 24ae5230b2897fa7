"""A host of its own for frames: what is served there, what is not, and who is known there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server.blueprint import BokehServer
from bokeh_server.blueprint.usercontent import ContentHost, read_content_host
from bokeh_server.config import Settings
from bokeh_server.errors import ConfigurationError
from bokeh_server.server import TrustedHosts, check_hosts
from bokeh_server.sockets.tickets import mint_ticket

PAGES = "http://plots.example.org"
FRAMES = "http://usercontent.example.net"
SHELL = f"shell={PAGES}"


@pytest.fixture
def app(tmp_path: Path, database: str) -> Iterator[Flask]:
    """An app for several people, with a page of its own, whose frames are at another host."""
    made = Flask("host")
    made.add_url_rule("/own", "own", lambda: "the app's own page")
    server = BokehServer(
        made,
        data_dir=tmp_path / "data",
        database=database,
        multi_user=True,
        current_user=lambda: "owner",
        trusted_host=["plots.example.org"],
        usercontent_host="usercontent.example.net",
    )
    yield made
    server.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A program that uses the host of pages."""

    class AtPages(FlaskClient):
        def open(self, *args: Any, **options: Any) -> Any:
            return super().open(*args, **{"base_url": PAGES, **options})

    return AtPages(app, app.response_class)


def policy(client: FlaskClient, address: str) -> dict[str, str]:
    """The policy of a page, by directives."""
    origin, _, path = address.partition("/bokeh")
    answer = client.get(f"/bokeh{path}", headers={"Host": origin.removeprefix("http://")})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    parts = answer.headers["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (part.partition(" ") for part in parts)}


def test_where_they_point(client: FlaskClient, docid: str) -> None:
    """The shell may hold a frame of the other host alone, which knows the shell."""
    path = f"/bokeh/doc/{docid}/frame"
    shell = policy(client, f"{PAGES}/bokeh/doc/{docid}/line")
    assert shell["frame-src"] == f"{FRAMES}{path}"
    page = client.get(f"/bokeh/doc/{docid}/line?strict=1").get_data(as_text=True)
    address = f"{FRAMES}{path}?modelid=line&shell=http%3A%2F%2Fplots.example.org&strict=true"
    assert f'src="{address.replace("&", "&amp;")}"' in page
    frame = policy(client, f"{FRAMES}{path}?{SHELL}")
    assert frame["frame-ancestors"] == PAGES
    assert frame["connect-src"] == (
        f"ws://usercontent.example.net/bokeh/doc/{docid}/ws {FRAMES}/bokeh/doc/{docid}/content"
    )
    assert frame["script-src"].startswith(f"{FRAMES}/bokeh/static/ {FRAMES}/bokeh/bokehjs/")
    assert frame["sandbox"] == "allow-scripts allow-downloads"
    assert policy(client, f"{FRAMES}{path}?{SHELL}&public=true")["frame-ancestors"] == "*"
    text = at_frames(client, f"{path}?{SHELL}").get_data(as_text=True)
    assert f'"shell":"{PAGES}"' in text


def at_frames(client: FlaskClient, path: str, **options: Any) -> Any:
    """Ask the host of frames."""
    headers = {"Host": "usercontent.example.net", **options.pop("headers", {})}
    return client.open(path, headers=headers, **options)


def test_frames_are_nowhere_else(client: FlaskClient, docid: str) -> None:
    """Not at the host of pages; what opens one as a page is led there."""
    path = f"/bokeh/doc/{docid}/frame"
    assert client.get(path).status_code == 404
    opened = {"Sec-Fetch-Dest": "document"}
    assert client.get(path, headers=opened).headers["Location"] == f"/bokeh/doc/{docid}/show"
    answer = at_frames(client, f"{path}?{SHELL}&modelid=line", headers=opened)
    assert answer.headers["Location"] == f"{PAGES}/bokeh/doc/{docid}/line"


@pytest.mark.parametrize(
    "shell",
    [
        "", "plots.example.org", "https://plots.example.org", "http://evil.example",
        "http://usercontent.example.net", "http://plots.example.org.evil.example",
        "http://plots.example.org/", "http://plots.example.org; x", "http://plots.example.org@a",
        "http://[::1]", "null", "http://6.6.6.6", "http://plots.example.org:http",
    ],
)  # fmt: skip
def test_a_shell_that_is_none_of_ours(client: FlaskClient, docid: str, shell: str) -> None:
    """A frame is made for pages of this server alone, and leads nowhere else."""
    path = f"/bokeh/doc/{docid}/frame"
    for headers in ({}, {"Sec-Fetch-Dest": "document"}):
        answer = at_frames(client, path, query_string={"shell": shell}, headers=headers)
        assert answer.status_code == 400
        assert "Location" not in answer.headers
    named = {"shell": "http://plots.example.org:8080"}
    assert at_frames(client, path, query_string=named).status_code == 200


SERVED = {"ask_content", "bokehjs", "content", "document_socket", "frame", "healthz", "ping"}
SERVED |= {"own_file"}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


def test_nothing_else_is_there(app: Flask, client: FlaskClient, docid: str) -> None:
    """Every route and method, also the app's own: there is nothing, and no cookie is set."""
    values = {"docid": docid, "modelid": "line", "typename": "Figure", "elementid": "a"}
    asked = set()
    for rule in app.url_map.iter_rules():
        path = rule.rule
        for name, value in values.items():
            path = path.replace(f"<{name}>", value)
        name = rule.endpoint.removeprefix("bokeh_server.")
        if name in SERVED or path == "/bokeh/doc/<docid>/content":
            continue
        for method in METHODS:
            if path.endswith("/content") and method in ("GET", "HEAD", "OPTIONS"):
                continue
            answer = at_frames(client, path, method=method)
            assert answer.status_code in (404, 405), (path, method)
            assert "Set-Cookie" not in answer.headers
            asked.add(name)
    assert {"own", "home", "userinfo", "ticket", "autoload", "login", "replace_content"} <= asked
    assert "insides of plots" in at_frames(client, "/bokeh/userinfo/").get_json()["detail"]
    assert at_frames(client, "/bokeh/ping").get_data() == b"pong"
    assert at_frames(client, "/bokeh/healthz").status_code == 200
    assert client.get("/own").status_code == 200


def test_nobody_is_known_there(app: Flask, client: FlaskClient, docid: str) -> None:
    """Content takes a frame's ticket, which is good there alone; other tickets are not."""
    path = f"/bokeh/doc/{docid}/content"
    secret = app.extensions["bokeh_server"].secret
    client.post(f"/bokeh/{docid}/publish")

    def tickets(kind: Any) -> dict[str, str]:
        return {"Bokeh-Ticket": mint_ticket(secret, docid, "read", kind, 60, "owner")}

    assert client.get(path).status_code == 200
    assert at_frames(client, path).status_code == 401
    token = {"Authorization": "Bearer x"}
    assert at_frames(client, path, headers=token).status_code == 401
    assert at_frames(client, path, headers=tickets("frame")).status_code == 200
    assert at_frames(client, path, headers=tickets("page")).status_code == 401
    assert client.get(path, headers=tickets("frame")).status_code == 401
    assert client.get(path, headers=tickets("page")).status_code == 200


def test_a_host_for_each_document() -> None:
    """It comes from the docid, is the same every time, and holds no other document."""
    many = read_content_host("*.frames.example.net:8443")
    assert many == ContentHost("frames.example.net", "8443", many=True)
    one, other = (many.host_for(docid, "plots.example.org") for docid in ("one", "other"))
    assert one == many.host_for("one", "elsewhere:1") != other
    label = one.partition(".")[0]
    assert one == f"{label}.frames.example.net:8443"
    assert len(label) == 32
    assert many.is_at(one)
    assert many.is_of("one", one.upper())
    assert not many.is_of("other", one)
    for host in ("frames.example.net", f"a.{one}", ".frames.example.net", "aframes.example.net"):
        assert not many.is_at(host)
    same = read_content_host("frames.example.net")
    assert same is not None
    assert same.host_for("one", "plots.example.org") == "frames.example.net"
    assert same.host_for("one", "plots.example.org:5006") == "frames.example.net:5006"
    assert same.host_for("one", "[::1]:5006") == "frames.example.net:5006"
    assert same.host_for("one", "[::1]") == "frames.example.net"
    assert read_content_host("") is None


def test_a_document_is_at_its_own_host_alone(tmp_path: Path) -> None:
    """At the host of another one it is not."""
    app = Flask("many")
    more: dict[str, Any] = {"multi_user": True, "trusted_host": ["plots.example.org"]}
    server = BokehServer(app, data_dir=tmp_path, usercontent_host="*.frames.example.net", **more)
    client, host = app.test_client(), read_content_host("*.frames.example.net")
    assert host is not None
    for name, status in (("one", 200), ("other", 404)):
        headers = {"Host": host.host_for(name, "")}
        answer = client.get(f"/bokeh/doc/one/frame?{SHELL}", headers=headers)
        assert answer.status_code == status
    assert client.get("/bokeh/ping", headers={"Host": host.host_for("any", "")}).status_code == 200
    server.close()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"usercontent_host": "frames.example.net"}, "for one person"),
        ({"trusted_host": "frames.example.net", "multi_user": True}, "the pages around them, too"),
        ({"trusted_host": "FRAMES.example.net:80", "multi_user": True}, "the pages around them"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], reason: str) -> None:
    """They are refused at the start."""
    given = {"usercontent_host": "frames.example.net", **settings}
    with pytest.raises(ConfigurationError, match=reason):
        BokehServer(Flask("refused"), database="sqlite://", **given)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"usercontent_host": "localhost"}, "are there, too"),
        ({"usercontent_host": "a.b", "address": "0.0.0.0"}, "is not known"),
        ({"usercontent_host": "10.0.0.1", "address": "10.0.0.1"}, "is not known"),
        ({"usercontent_host": "127.0.0.1"}, ""),
        ({"usercontent_host": "a.b", "address": "0.0.0.0", "trusted_host": "c.d"}, ""),
        ({}, ""),
    ],
)
def test_a_server_by_itself(settings: dict[str, Any], reason: str) -> None:
    """It has to know the names of its pages, and they have to be others."""
    made = Settings.from_keywords(multi_user=True, **settings)
    if not reason:
        return check_hosts(made)
    with pytest.raises(ConfigurationError, match=reason):
        check_hosts(made)
    return None


def test_names_that_are_answered() -> None:
    """A server that answers for some names alone answers for the frames', too."""
    host = read_content_host("*.frames.example.net")
    assert host is not None
    guard = TrustedHosts(lambda *_: [b"let in"], ["plots.example.org"], host.is_at)

    def status(name: str) -> bytes:
        return b"".join(guard({"HTTP_HOST": name, "REQUEST_METHOD": "GET"}, lambda *_: None))

    assert status("plots.example.org:80") == status("a.frames.example.net") == b"let in"
    assert status("evil.example") != b"let in"
    assert status("frames.example.net.evil.example") != b"let in"
