"""Large values: many in one callback, and arrays for pages whose session is a new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.app_client import app_socket, open_app_page
from support.server import RunningServer, running_server

APPLICATION = """
import numpy as np
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, Slider

sources = [ColumnDataSource({"x": np.arange(9)}, name=f"source {n}") for n in range(4)]

def grow(attr, old, new):
    for source in sources:
        source.data = {"x": np.arange(new, dtype=np.float64)}

def burst(attr, old, new):
    for _ in range(new):
        sources[0].data = {"x": np.arange(125_000, dtype=np.float64)}
    for _ in range(3):
        curdoc().add_next_tick_callback(after)

def after():
    slider.title = f"after {slider.title}"

many = Slider(start=0, end=100, value=0, name="many")
many.on_change("value", burst)
slider = Slider(start=0, end=10_000_000, value=0, name="size")
slider.on_change("value", grow)
for each in (*sources, slider, many):
    curdoc().add_root(each)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """The command with the application."""
    script = tmp_path / "large.py"
    script.write_text(APPLICATION)
    with running_server(str(script)) as running:
        yield running


def test_much_in_one_callback(server: RunningServer) -> None:
    """32 MB in four values reach a connection, whole, and it goes on."""
    url = f"{server.url}/large"
    with app_socket(url, open_app_page(url)) as socket:
        for count in (1_000_000, 1, 1_000_000):
            socket.order("size", count)
            messages = [socket.receive() for _ in range(5)]
            assert sorted(each.msgtype for each in messages) == ["OK", *["PATCH-DOC"] * 4]
            sizes = [sum(map(len, each.buffers.values())) for each in messages]
            assert sorted(sizes) == [0, *[8 * count] * 4]


def test_much_in_one_callback_and_more_at_once(server: RunningServer) -> None:
    """40 MB in forty values, and next ticks that change something: nothing of it is lost."""
    url = f"{server.url}/large"
    with app_socket(url, open_app_page(url)) as socket:
        socket.order("many", 40)
        messages = [socket.receive() for _ in range(44)]
        assert sum(len(each.buffers) for each in messages) == 40
        assert sum(each.msgtype == "PATCH-DOC" for each in messages) == 43


def test_a_page_whose_session_is_a_new_one_gets_no_buffers(server: RunningServer) -> None:
    """BokehJS drops them when it connects again: arrays stand in the text then."""
    url = f"{server.url}/large"
    token = open_app_page(url)
    browser = {"origin": server.url}

    def buffers() -> int:
        with app_socket(url, token, **browser) as socket:
            socket.send("PULL-DOC-REQ", {})
            return len(socket.receive().buffers)

    assert buffers() == 4
    server.stop()
    server.start()
    assert buffers() == 0
