"""Bokeh's own client, as it comes, with a stored document."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import requests
from bokeh.util.token import generate_jwt_token

from support.rawsocket import RawClient
from support.server import RunningServer, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A real server."""
    with running_server() as running:
        yield running


@pytest.fixture
def url(server: RunningServer) -> str:
    """The address of a new document."""
    made = requests.post(
        f"{server.url}/bokeh/doc/", json={"title": str(time.monotonic_ns())}, timeout=5
    )
    return f"{server.url}/bokeh/doc/{made.json()['docid']}"


SCRIPT = """
import sys
from bokeh.client import pull_session, push_session
from bokeh.document import Document
from bokeh.models import Slider

def until(session, holds):
    connection = session._connection
    connection._loop.call_later(5, connection._loop.stop)
    connection._loop_until(holds)
    assert holds()

document, mine = Document(), Slider(start=0, end=9, value=1)
document.add_root(mine)
pushed = push_session(document, url=sys.argv[1])
pulled = pull_session(url=sys.argv[1])
theirs = pulled.document.roots[0]
assert theirs.value == 1
mine.value = 2
pushed.force_roundtrip()
until(pulled, lambda: theirs.value == 2)
theirs.value = 3
pulled.force_roundtrip()
until(pushed, lambda: mine.value == 3)
"""


def test_push_and_pull(url: str) -> None:
    """One session pushes a document, another pulls it, and each sees what the other changes."""
    # in a process of its own, for Bokeh leaves sockets open that it has closed
    subprocess.run([sys.executable, "-c", SCRIPT, url], check=True, timeout=30)
    models = requests.get(f"{url.replace('/doc/', '/bb/')}/Slider/", timeout=5).json()
    assert models[0]["attributes"]["value"] == 3


def test_a_browser_needs_a_ticket(server: RunningServer, url: str) -> None:
    """Such a token opens nothing to a page of the right origin, nor does a spoilt ticket."""
    port = int(server.url.rpartition(":")[2])
    path = f"{url.removeprefix(server.url)}/ws"

    def status(token: str, **headers: str) -> int:
        client = RawClient(port, path, {"Sec-WebSocket-Protocol": f"bokeh, {token}", **headers})
        client.sock.close()
        return client.status

    token = generate_jwt_token("any")
    assert status(token) == 101
    assert status(token, Origin=f"http://127.0.0.1:{port}") == 401
    ticket = requests.get(f"{url}/ticket", timeout=5).json()["ticket"]
    assert status(ticket, Origin=f"http://127.0.0.1:{port}") == 101
    assert status(ticket[:-2], Origin=f"http://127.0.0.1:{port}") == status(ticket[:-2]) == 401
