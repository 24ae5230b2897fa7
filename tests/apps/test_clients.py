"""Bokeh's own clients, as they come, with applications and without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bokeh
import pytest
import requests
from bokeh.client import show_session
from bokeh.document import Document
from bokeh.models import Div, Slider
from bokeh.util.token import generate_jwt_token

from support.bokeh_client import pulled, pushed, wait_client
from support.rawsocket import RawClient
from support.server import RunningServer, running_server

APPLICATION = """
from bokeh.io import curdoc
from bokeh.models import Div, Slider
arguments = curdoc().session_context.request.arguments
slider, div = Slider(start=0, end=10, value=1, name="s"), Div(text="", name="d")
slider.on_change("value", lambda attr, old, new: div.update(text=f"is {new}"))
curdoc().add_root(slider)
curdoc().add_root(div)
curdoc().title = arguments.get("title", [b"none"])[0].decode()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A real server of one application."""
    path: Path = tmp_path_factory.mktemp("apps") / "app.py"
    path.write_text(APPLICATION)
    with running_server(str(path)) as running:
        yield running


@pytest.fixture(scope="module")
def bare() -> Iterator[RunningServer]:
    """A real server without any."""
    with running_server() as running:
        yield running


def test_pull_session(server: RunningServer) -> None:
    """A script makes a session with arguments, changes it, and a second one joins it."""
    url = f"{server.url}/app"
    with pulled(url, session_id="both", arguments={"title": "given"}) as one:
        assert one.document.title == "given"
        with pulled(url, session_id="both") as two:
            one.document.select_one({"name": "s"}).value = 4
            mine, theirs = (each.document.select_one({"name": "d"}) for each in (one, two))
            wait_client(one, lambda: mine.text == "is 4")
            wait_client(two, lambda: theirs.text == "is 4")
            assert one.request_server_info()["version_info"]["bokeh"] == bokeh.__version__


def test_push_session(bare: RunningServer) -> None:
    """A script pushes a document to ``/``, a page of its session has it, another script, too."""
    document = Document()
    slider = Slider(start=0, end=10, value=1)
    document.add_root(slider)
    document.title = "pushed"
    with pushed(document, bare.url, session_id="mine") as session:
        page = requests.get(f"{bare.url}/?bokeh-session-id=mine", timeout=30)
        assert "<title>pushed</title>" in page.text
        with pulled(bare.url, session_id="mine") as other:
            other.document.roots[0].value = 6
            other.force_roundtrip()  # it sends only while its loop runs
            wait_client(session, lambda: slider.value == 6)
            document.add_root(Div(text="later"))
            session.force_roundtrip()
            wait_client(other, lambda: len(other.document.roots) == 2)


def test_show_session(bare: RunningServer) -> None:
    """The address that is opened in a browser shows what was pushed."""
    document = Document()
    document.title = "shown"
    opened: list[str] = []
    with pushed(document, bare.url) as session:

        class Opener:
            def open(self, url: str, **_: object) -> None:
                opened.append(url)

        show_session(session=session, controller=Opener())  # type: ignore[arg-type]
    (url,) = opened
    assert "<title>shown</title>" in requests.get(url, timeout=30).text


def test_the_index_stays_where_it_was(bare: RunningServer) -> None:
    """Without an id of a session ``/`` is the list of documents; nothing is made."""
    page = requests.get(f"{bare.url}/", timeout=30)
    assert "render_items" not in page.text
    assert "bokeh-server" in page.text


def test_several_people_push_nothing(tmp_path: Path) -> None:
    """With many users a document with JavaScript would be in the pages of others: there is none."""
    with running_server("-m") as many:
        for path in ("/?bokeh-session-id=a", "/autoload.js?bokeh-autoload-element=a", "/metadata"):
            answer = requests.get(f"{many.url}{path}", timeout=30)
            assert "render_items" not in answer.text
            assert "docs_json" not in answer.text
        token = generate_jwt_token("mine")
        client = RawClient(many.port, "/ws", {"Sec-WebSocket-Protocol": f"bokeh, {token}"})
        client.sock.close()
        assert client.status == 404


def test_an_address_without_an_application(server: RunningServer) -> None:
    """Bokeh's client says what is wrong with it."""
    with pytest.raises(OSError, match="Check your application path"), pulled(f"{server.url}/no"):
        pass
