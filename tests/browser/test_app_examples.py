"""The applications of examples/apps as somebody uses them, and applications in other pages."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from bokeh.embed import server_document, server_session
from playwright.sync_api import Page

from support.browser import wait_until
from support.scripts import EXAMPLES, eventually, running_script
from support.server import RunningServer, clean_environment, running_server
from support.site import Site

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

#: a model's attribute, by the model's name.
VALUE = """([name, attr]) => (window.Bokeh?.documents ?? []).map((it) => it.get_model_by_name(name))
    .find((it) => it != null)?.[attr] ?? null"""
#: how many values a model's source has.
COUNT = """() => (window.Bokeh?.documents ?? []).flatMap((it) => [...it._all_models.values()])
    .filter((it) => it.type === "ColumnDataSource").map((it) => it.get_length())"""


#: keeps a session that it has changed.
CUSTOMISE = """
import os, time
from bokeh.client import pull_session
session = pull_session(session_id="customised", url=os.environ["BOKEH_SERVER_URL"])
session.document.select_one({"name": "button"}).label = "customised"
session.force_roundtrip()
print("customised", flush=True)
time.sleep(60)
"""


def value_of(page: Page, name: str, attr: str) -> Callable[[], object]:
    """What an attribute is now."""
    return lambda: page.evaluate(VALUE, [name, attr])


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """The command, with the three applications."""
    names = ("complete", "threaded", "unlocked")
    with running_server(*(str(EXAMPLES / "apps" / f"{name}.py") for name in names)) as running:
        yield running


def test_the_complete_one(server: RunningServer, visit: Visit) -> None:
    """A button adds numbers; the address says which is the first."""
    page = visit(f"{server.url}/complete?first=7")
    wait_until(page.title, "Numbers")
    for count in (1, 2):
        page.click(".bk-btn")
        wait_until(lambda: page.evaluate(COUNT), [count])
    texts = page.evaluate(
        "() => [...Bokeh.documents[0]._all_models.values()]"
        ".find((it) => it.type === 'ColumnDataSource').get_column('text')"
    )
    assert list(texts) == ["7", "8"]


def test_the_threaded_one(server: RunningServer, visit: Visit) -> None:
    """What its thread finds arrives, without anybody doing anything."""
    page = visit(f"{server.url}/threaded")
    eventually(lambda: max(page.evaluate(COUNT), default=0) > 5, 20)


def test_the_unlocked_one(server: RunningServer, visit: Visit) -> None:
    """While it works the document goes on ticking; then the result is there."""
    page = visit(f"{server.url}/unlocked")
    wait_until(value_of(page, "result", "text"), "nothing yet")
    page.click(".bk-btn")
    before = int(str(value_of(page, "ticks", "text")()))
    eventually(lambda: int(str(value_of(page, "ticks", "text")())) > before + 5, 20)
    wait_until(value_of(page, "result", "text"), "the square is 49")


@contextmanager
def running_site(home: Path) -> Iterator[str]:
    """The Flask site of the examples, under Flask's own server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = clean_environment(home, BOKEH_SERVER_DATA_DIR=str(home / "data"))
    command = [sys.executable, str(EXAMPLES / "apps" / "site.py"), str(port)]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return requests.get(url, timeout=5).ok
            except requests.ConnectionError:
                return False

        try:
            eventually(answers, 60)
            yield url
        finally:
            process.terminate()


def test_the_site(visit: Visit, tmp_path: Path) -> None:
    """Both applications live in its page, and what one publishes has a page of its own."""
    with running_site(tmp_path) as url:
        page = visit(url)
        page.click("text=Another number")
        eventually(lambda: 1 in page.evaluate(COUNT), 20)
        wait_until(value_of(page, "power", "value"), 1)
        page.click("text=Publish")
        eventually(lambda: "published" in str(value_of(page, "where", "text")()), 20)
        href = str(value_of(page, "where", "text")()).split('"')[1]
        plot = visit(url + href)
        plot.wait_for_selector("html[data-connection=live]")


def test_an_application_in_the_page_of_another_site(
    server: RunningServer, visit: Visit, tmp_path: Path
) -> None:
    """``server_document`` and ``server_session`` from elsewhere, also with a session that a script
    has customised; with cookies, and with a preflight for the header."""
    other = Site()
    try:
        host = other.url.removeprefix("http://")
        app = str(EXAMPLES / "apps" / "complete.py")
        with running_server(app, "--allow-websocket-origin", host) as own:
            url = f"{own.url}/complete"
            tag = server_document(url, arguments={"first": "3"}, with_credentials=True)
            page = visit(other.add("/document", tag))
            page.click(".bk-btn")
            wait_until(lambda: page.evaluate(COUNT), [1])
            with running_script(CUSTOMISE, url, tmp_path) as script:
                assert script.stdout is not None
                assert script.stdout.readline() == "customised\n"
                tag = server_session(None, session_id="customised", url=url)
                page = visit(other.add("/session", tag))
                wait_until(value_of(page, "button", "label"), "customised")
                page.click(".bk-btn")
                wait_until(lambda: page.evaluate(COUNT), [1])
    finally:
        other.close()
