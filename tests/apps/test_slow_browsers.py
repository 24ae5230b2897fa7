"""Browsers that read slowly, or not at all, on the session of an application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps.conftest import PLACES, options_for

from support.app_client import AppSocket, app_socket, open_app_page
from support.rawsocket import TEXT, RawClient
from support.server import RunningServer, running_server

#: bytes of each change: a few fill what the system holds for a connection.
SIZE = 300_000
#: changes that a browser which reads has to get while the others do not: half a minute's at most.
MANY = 60
APPLICATION = f"""
from bokeh.io import curdoc
from bokeh.models import Div, Slider

shown, count = Div(name="shown"), Div(text="0", name="count")
slider = Slider(start=0, end=9, value=1, name="slider")

def tick():
    count.text = str(int(count.text) + 1)
    shown.text = count.text + " " + "x" * {SIZE}

def slid(attr, old, new):
    shown.text = f"slid to {{new}}"

slider.on_change("value", slid)
curdoc().add_periodic_callback(tick, 20)
for each in (shown, count, slider):
    curdoc().add_root(each)
"""


@pytest.fixture(scope="module", params=PLACES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with the application, which runs in its process, or in a worker."""
    script = tmp_path_factory.mktemp("slow") / "busy.py"
    script.write_text(APPLICATION)
    with running_server(str(script), *options_for(request.param)) as running:
        yield running


class DeafClient(RawClient):
    """A browser that has asked for the document, and then reads nothing."""

    def __init__(self, server: RunningServer, token: str) -> None:
        protocol = {"Sec-WebSocket-Protocol": f"bokeh, {token}"}
        super().__init__(server.port, "/busy/ws", protocol, receive_buffer=4096)
        assert self.status == 101
        for part in ({"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {}):
            self.send(TEXT, json.dumps(part).encode())


def counts_until(socket: AppSocket, many: int) -> list[int]:
    """The numbers that a browser gets, until there are so many."""
    found: list[int] = []
    while len(found) < many:
        message = socket.receive()
        if message.msgtype == "PATCH-DOC":
            events = json.loads(message.content)["events"]
            found += [int(each["new"]) for each in events if str(each["new"]).isdigit()]
    return found


def test_who_does_not_read_holds_up_nobody(server: RunningServer) -> None:
    """The callback goes on, and another browser gets each change."""
    url = f"{server.url}/busy"
    token = open_app_page(url, "shared")
    with app_socket(url, token) as reader:
        reader.pull()
        deaf = [DeafClient(server, token) for _ in range(3)]
        counts = counts_until(reader, MANY)
        assert counts == list(range(counts[0], counts[0] + MANY))
        deaf[0].reset()
        counts = counts_until(reader, MANY)
        assert counts == list(range(counts[0], counts[0] + MANY))
        for each in deaf[1:]:
            each.sock.close()
    assert "Traceback" not in server.log


def test_what_they_missed_is_not_kept_for_them(server: RunningServer) -> None:
    """Memory stays bounded, however much they did not read; a page is served beside."""
    url = f"{server.url}/busy"
    token = open_app_page(url, "kept")
    pid = server.process.pid
    with app_socket(url, token) as reader:
        reader.pull()
        deaf = [DeafClient(server, token) for _ in range(10)]
        counts_until(reader, 10)
        before = resident(pid)
        counts_until(reader, MANY)
        grown = resident(pid) - before
        assert grown < 10 * MANY * SIZE / 4, f"{grown / 1e6:.0f} MB"
        open_app_page(url, "kept")
        for each in deaf:
            each.sock.close()


def resident(pid: int) -> int:
    """Bytes of memory that a process and its children have."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 + sum(resident(int(each)) for each in children)
