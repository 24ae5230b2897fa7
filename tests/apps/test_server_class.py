"""``bokeh_server.Server``: what code says that was written for Bokeh's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from bokeh.application.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.models import Div, Slider
from bokeh.protocol.exceptions import ProtocolError

from bokeh_server import Server
from bokeh_server.errors import ConfigurationError
from support.bokeh_client import pulled, wait_client

Made = Callable[..., Server]


def sliders(doc: Document) -> None:
    """An application."""
    slider, div = Slider(start=0, end=10, value=1, name="s"), Div(text="", name="d")
    slider.on_change("value", lambda attr, old, new: div.update(text=f"is {new}"))
    doc.add_root(slider)
    doc.add_root(div)
    doc.title = "sliders"


@pytest.fixture
def made() -> Iterator[Made]:
    """Makes servers that are stopped at the end."""
    servers: list[Server] = []

    def make(applications: Any = None, **options: Any) -> Server:
        server = Server(
            {"/sliders": sliders} if applications is None else applications, port=0, **options
        )
        servers.append(server)
        return server

    yield make
    for server in servers:
        if not server._stopped:
            server.stop()


def test_it_serves_as_bokehs_does(made: Made) -> None:
    """An application is pulled, changed, found among the sessions, and locked."""
    server = made({"/one": Application(FunctionHandler(sliders)), "/two": sliders}, prefix="pre")
    server.start()
    assert (server.prefix, server.address, server.unix_socket, server.index) == (
        "/pre", "127.0.0.1", None, None,
    )  # fmt: skip
    url = f"http://localhost:{server.port}/pre/one"
    with pulled(url, session_id="mine") as session:
        assert [each.id for each in server.get_sessions("/one")] == ["mine"]
        assert server.get_sessions("/two") == []
        assert [each.id for each in server.get_sessions()] == ["mine"]
        slider, div = (session.document.select_one({"name": name}) for name in "sd")
        slider.value = 5
        wait_client(session, lambda: div.text == "is 5")
        own = server.get_session("/one", "mine")

        def change() -> str:
            own.document.select_one({"name": "s"}).value = 7
            return "done"

        assert own.with_document_locked(change) == "done"
        wait_client(session, lambda: (slider.value, div.text) == (7, "is 7"))
    with pytest.raises(ValueError, match="does not exist on this server"):
        server.get_session("/three", "mine")
    with pytest.raises(ProtocolError, match="No such session"):
        server.get_session("/one", "other")
    with pytest.raises(ValueError, match="start with a /"):
        server.show("one")


def test_one_application_is_at_the_root(made: Made) -> None:
    """A function alone, as Bokeh's takes it; the page has no folder before it."""
    server = made(sliders)
    server.start()
    page = requests.get(f"{server.url}/", timeout=30)
    assert "<title>sliders</title>" in page.text
    with pulled(server.url + "/") as session:
        assert session.document.title == "sliders"


def test_it_ends_once_and_takes_its_folder_with_it(made: Made) -> None:
    """Starting and stopping twice are errors; hooks of the end have run; nobody answers."""
    ended: list[str] = []

    def app(doc: Document) -> None:
        doc.on_session_destroyed(lambda context: ended.append(context.id))

    server = made({"/app": app})
    server.start()
    with pytest.raises(AssertionError, match="Already started"):
        server.start()
    requests.get(f"{server.url}/app?bokeh-session-id=one", timeout=30)
    folder = server.settings.data_dir
    server.stop()
    assert ended == ["one"]
    assert not folder.exists()
    with pytest.raises(AssertionError, match="Already stopped"):
        server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/app", timeout=30)


def test_what_listens_no_more_goes_on_with_what_it_has(made: Made) -> None:
    """After ``unlisten`` a session is still there for who is connected."""
    server = made()
    server.start()
    with pulled(f"{server.url}/sliders") as session:
        server.unlisten()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{server.url}/sliders", timeout=30)
        slider, div = (session.document.select_one({"name": name}) for name in "sd")
        slider.value = 3
        wait_client(session, lambda: div.text == "is 3")


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("keep_alive_milliseconds", -1, "keep_alive_milliseconds must be >= 0"),
        ("check_unused_sessions_milliseconds", 0, "check_unused_sessions_milliseconds must be > 0"),
        ("unused_session_lifetime_milliseconds", 0, "session_lifetime_milliseconds must be > 0"),
        ("stats_log_frequency_milliseconds", 0, "stats_log_frequency_milliseconds must be > 0"),
        ("mem_log_frequency_milliseconds", -1, "mem_log_frequency_milliseconds must be >= 0"),
        ("websocket_max_message_size_bytes", 0, "max_message_size_bytes must be positive"),
        ("session_token_expiration", 0, "session_token_expiration must be > 0"),
        ("sign_sessions", True, "needs a key"),
    ],
)
def test_values_that_make_no_sense(option: str, value: object, why: str) -> None:
    """They are a ``ValueError``, as Bokeh's are, and one of ours."""
    with pytest.raises(ValueError, match=why) as caught:
        Server(sliders, port=0, **{option: value})
    assert isinstance(caught.value, ConfigurationError)


def test_two_lists_are_one_too_many() -> None:
    """Headers are included or excluded, not both; the same of cookies."""
    for what in ("headers", "cookies"):
        with pytest.raises(ValueError, match=f"exclude list for the {what}, not both"):
            Server(sliders, port=0, **{f"include_{what}": ["A"], f"exclude_{what}": ["B"]})


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("io_loop", object(), r"start\(\) serves on threads"),
        ("extra_patterns", [("/x", object)], "server.app, a Flask app"),
        ("num_procs", 4, "gunicorn"),
        ("unix_socket", "/run/x", "gunicorn"),
        ("http_server_kwargs", {"max_buffer_size": 1}, "WSGI"),
    ],
)
def test_what_only_tornado_has(option: str, value: object, remedy: str) -> None:
    """It is refused, and the message says what to do on Flask."""
    with pytest.raises(ConfigurationError, match=remedy):
        Server(sliders, port=0, **{option: value})


def test_it_has_no_loop(made: Made) -> None:
    """Who asks for it is told what to call instead."""
    with pytest.raises(ConfigurationError, match=r"run_until_shutdown\(\)"):
        _ = made().io_loop


def test_an_option_that_nobody_knows() -> None:
    """It is named."""
    with pytest.raises(ConfigurationError, match="colour"):
        Server(sliders, port=0, colour="red")


def test_a_port_that_is_taken(made: Made) -> None:
    """It is said when the server is made."""
    server = made()
    with pytest.raises(ConfigurationError, match="another program uses this port"):
        Server(sliders, port=server.port)


def test_routes_of_flask_stand_beside_applications(made: Made) -> None:
    """In the place of Tornado's ``extra_patterns``."""
    server = made()
    server.app.add_url_rule("/extra", "extra", lambda: "of Flask")
    server.start()
    assert requests.get(f"{server.url}/extra", timeout=30).text == "of Flask"


def test_signed_sessions_have_the_key_that_was_given(made: Made) -> None:
    """Ids of whoever has the key are taken, others are not."""
    from bokeh.util.token import generate_session_id

    server = made(sign_sessions=True, secret_key=b"k" * 40, generate_session_ids=False)
    server.start()
    page = f"{server.url}/sliders"
    good = generate_session_id(secret_key=b"k" * 40, signed=True)
    assert requests.get(page, {"bokeh-session-id": good}, timeout=30).status_code == 200
    for wrong in ({}, {"bokeh-session-id": "plain"}):
        assert requests.get(page, wrong, timeout=30).status_code == 403


PROGRAM = """
import sys, threading
if "gevent" in sys.argv:
    from gevent import monkey
    monkey.patch_all()
from bokeh_server import Server
from bokeh.models import Div
from bokeh.io import curdoc

def app(doc):
    doc.add_root(Div(text="here"))

server = Server({"/": app}, port=0)
print(server.port, flush=True)
server.run_until_shutdown()
print("ended", "tornado.ioloop" in sys.modules, flush=True)
"""


@pytest.mark.parametrize("kind", ["gevent", "threads"])
def test_it_runs_until_it_is_told_to_end(kind: str, tmp_path: Path) -> None:
    """On greenlets and on threads; SIGTERM is a clean end."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(path), kind], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = f"http://localhost:{int(process.stdout.readline())}"
        with pulled(f"{url}/") as session:
            assert session.document.roots[0].text == "here"
            assert requests.get(f"{url}/metadata", timeout=30).json()["url"] == "/"
        process.terminate()
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.startswith("ended")
