"""What applications may do beside others although threads are greenlets, under the command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests
from apps.conftest import PLACES, options_for

from support.app_client import AppSocket, app_socket, open_app_page
from support.server import RunningServer, running_server

pytest.importorskip("gevent", reason="gevent is not installed: pip install gevent")

#: each says what became of it in a text.
NOTHING = "nothing yet"
APPLICATION = f"""
import asyncio, multiprocessing, threading, time
from functools import partial
from bokeh.io import curdoc
from bokeh.models import Div

said = Div(name="said", text="{NOTHING}")
doc = curdoc()
doc.add_root(said)

def say(text):
    doc.add_next_tick_callback(partial(said.update, text=str(text)))

async def rounds():
    lock, loop = asyncio.Lock(), asyncio.get_running_loop()
    async def one():
        async with lock:
            await asyncio.sleep(0.003)
        assert asyncio.get_running_loop() is loop and asyncio.current_task() is not None
    for _ in range(30):
        async with asyncio.timeout(30):
            await asyncio.gather(one(), asyncio.to_thread(time.sleep, 0.002), one())
    return "ran"

def loops():
    try:
        say(asyncio.run(rounds()))
    except BaseException as error:
        say(repr(error))

def processes():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(time.sleep, [1.0])
        say(pool.map(len, ["x" * 1_000_000, ""]))

work = {{"loops": loops, "processes": processes}}[doc.session_context.id.partition("-")[0]]
threading.Thread(target=work).start()
"""


@pytest.fixture(scope="module", params=PLACES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """The command with the application, which runs in its process, or in a worker."""
    script = tmp_path_factory.mktemp("greenlets") / "app.py"
    script.write_text(APPLICATION)
    with running_server(str(script), *options_for(request.param)) as running:
        yield running


def what_it_says(socket: AppSocket) -> str:
    """The text, as soon as there is one."""
    text = socket.text_of("said")
    return text if text != NOTHING else str(socket.expect("PATCH-DOC")["events"][0]["new"])


def test_loops_of_several_threads_are_apart(server: RunningServer) -> None:
    """``asyncio.run`` in a thread of each of four sessions: none takes the loop of another."""
    url = f"{server.url}/app"
    tokens = [open_app_page(url, f"loops-{number}") for number in range(4)]
    for token in tokens:
        with app_socket(url, token) as socket:
            assert what_it_says(socket) == "ran"


def test_a_pool_of_processes_holds_up_nobody(server: RunningServer) -> None:
    """While it works pages are served; then its results are there, large arguments and all."""
    url = f"{server.url}/app"
    with app_socket(url, open_app_page(url, "processes-1")) as socket:
        for _ in range(20):
            assert requests.get(f"{server.url}/bokeh/ping", timeout=5).ok
        assert what_it_says(socket) == "[1000000, 0]"


def test_the_loop_is_kept_for_each_greenlet() -> None:
    """Where the command patches: nothing else has imported asyncio before."""
    script = (
        "from bokeh_server.greenlets import patch; patch()\n"
        "import asyncio, threading, time\n"
        "found = []\n"
        "def look(): found.append(asyncio._get_running_loop())\n"
        "async def begin():\n"
        "    thread = threading.Thread(target=look); thread.start(); time.sleep(0.05)\n"
        "    return asyncio._get_running_loop() is not None\n"
        "print(asyncio.run(begin()), found)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == "True [None]", done.stderr
