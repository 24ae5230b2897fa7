"""Applications in worker processes: real servers, whose workers compute, die and end."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bokeh_server import BokehServer
from bokeh_server.apps import AppRequest, Filters, HostOptions, Lifetimes, Tokens, application_of
from bokeh_server.apps.workers import Orders, demand_source, worker_of
from bokeh_server.apps.workers.wire import pack, pack_error, pack_request, receive, unpack_error
from bokeh_server.apps.workers.wire import unpack_request as unpacked
from bokeh_server.errors import ConfigurationError, Forbidden
from bokeh_server.sockets import Limits
from support.app_client import app_socket, open_app_page
from support.certificates import make_certificate
from support.documents import doc_json
from support.server import RunningServer, running_server

pytest.importorskip("gevent", reason="gevent is not installed: pip install gevent")

#: ``order``: so many seconds are computed; 9: the worker is killed.
MAIN = """
import os, signal, time
from bokeh.io import curdoc
from bokeh.models import Div, Slider

who = Div(name="who", text=str(os.getpid()))
name = Div(name="name", text=curdoc().session_context.id)
count = Div(name="count", text="0")
order = Slider(name="order", start=0, end=9, value=0)

def obey(attr, old, new):
    if new == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    end = time.perf_counter() + new
    while time.perf_counter() < end:
        pass
    count.text = str(int(count.text) + 1)

order.on_change("value", obey)
for each in (who, name, count, order):
    curdoc().add_root(each)
"""
HOOKS = """
import os
from pathlib import Path

def note(word):
    with open(Path(__file__).parent / "notes", "a") as notes:
        notes.write(f"{word} {os.getpid()}\\n")

def on_server_loaded(context):
    note("loaded")

def on_server_unloaded(context):
    note("unloaded")

def on_session_created(context):
    note("created")

def on_session_destroyed(context):
    note("destroyed")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An application with hooks."""
    return make_folder(tmp_path)


def make_folder(within: Path) -> Path:
    """An application with hooks, which notes what its hooks hear of."""
    folder = within / "app"
    folder.mkdir()
    (folder / "main.py").write_text(MAIN)
    (folder / "app_hooks.py").write_text(HOOKS)
    return folder


def notes_of(folder: Path) -> list[tuple[str, int]]:
    """What its hooks have noted, with the processes."""
    lines = (folder / "notes").read_text().splitlines()
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def id_for(worker: int, name: str = "session") -> str:
    """An id of a session that one of two workers has."""
    return next(each for n in range(99) if worker_of(each := f"{name}{n}", 2) == worker)


def is_running(pid: int) -> bool:
    """Whether there is such a process, which is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: list[int], seconds: float) -> None:
    """Wait until no such process runs."""
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker runs on"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with two workers, of which nobody kills any."""
    folder = make_folder(tmp_path_factory.mktemp("shared"))
    with running_server(str(folder), "--app-workers", "2") as server:
        yield server


def test_sessions_are_spread_and_stay_where_they_are() -> None:
    """Each worker has its share; with one more, only what that one gets moves."""
    names = [f"session-{number}" for number in range(3000)]
    before = {name: worker_of(name, 3) for name in names}
    after = {name: worker_of(name, 4) for name in names}
    assert all(900 < count < 1100 for count in Counter(before.values()).values())
    assert {after[name] for name in names if after[name] != before[name]} == {3}


def test_requests_and_errors_arrive_as_they_were() -> None:
    """Also text that is no Unicode, as addresses may have it."""
    request = AppRequest(
        arguments={"a\udcff": [b"\xff", b"2"]}, headers={"X": "ä"}, cookies={"c": "1"}, user="ada"
    )
    sent = iter(pack({"request": pack_request(request)}, b"data"))

    class Line:
        def recv(self, size: int) -> bytes:
            return bytes([next(sent)])

    content, data = receive(Line())
    assert (unpacked(content["request"]), data) == (request, b"data")
    error = unpack_error(pack_error(Forbidden("do it", "it is not yours", "Ask")))
    assert (type(error), str(error)) == (Forbidden, "Could not do it: it is not yours. Ask.")


def test_a_worker_is_told_all_that_the_server_was(folder: Path) -> None:
    """Options, limits and the key of tokens arrive as they are."""
    tokens = Tokens(b"key", signed=True, generates=False, lifetime=7)
    options = HostOptions(
        tokens=tokens,
        filters=Filters(include_headers=frozenset({"A"}), exclude_cookies=frozenset({"b"})),
        lifetimes=Lifetimes(unused=3, check=2),
        logout_url="/out",
        warm=4,
    )
    limits = Limits(max_message=5)
    application = application_of(folder, ["--word"])
    sent = json.loads(json.dumps(Orders.of({"/a": application}, options, limits).pack()))
    got = Orders.unpack(sent)
    assert replace(got.options, tokens=tokens) == options
    assert got.options.tokens.pack() == tokens.pack()
    assert got.limits == limits
    assert got.applications == {"/a": [str(folder), ["--word"]]}
    assert got.load()["/a"].argv == ("--word",)  # type: ignore[attr-defined]


def test_a_function_cannot_go_to_a_worker() -> None:
    """It is said when it is added, not when somebody opens it."""
    site = Flask("app")
    server = BokehServer(site, app_workers=1)
    with pytest.raises(ConfigurationError, match="workers load files"):
        server.add_application("/app", lambda doc: None)
    with pytest.raises(ConfigurationError, match="workers load files"):
        demand_source("/app", application_of(lambda doc: None))


def test_page_and_socket_meet_in_a_worker(shared: RunningServer) -> None:
    """Both workers have sessions, neither is the server, and no session is made twice."""
    url, seen = f"{shared.url}/app", set()
    for worker in (0, 1, 0, 1):
        name = id_for(worker, f"meet{len(seen)}")
        token = open_app_page(url, name)
        with app_socket(url, token) as socket:
            assert socket.text_of("name") == name
            pid = socket.text_of("who")
            socket.order("order", 0.01)
            socket.expect("PATCH-DOC")
            socket.expect("OK")
        with app_socket(url, token) as again:
            assert (again.text_of("who"), again.text_of("count")) == (pid, "1")
        seen.add(int(pid))
    assert len(seen) == 2
    assert shared.process.pid not in seen


def test_a_page_without_an_id_meets_its_socket_too(shared: RunningServer) -> None:
    """The server gives the session its id, so that it knows the worker; embeds do the same."""
    url = f"{shared.url}/app"
    for _ in range(4):
        with app_socket(url, open_app_page(url)) as socket:
            assert int(socket.text_of("who")) != shared.process.pid
    script = requests.get(f"{url}/autoload.js?bokeh-autoload-element=here", timeout=30)
    assert (script.status_code, "here" in script.text) == (200, True)
    assert requests.get(f"{url}/metadata", timeout=30).json() == {"url": "/app", "data": {}}


def test_refusals_of_a_worker_are_answers(shared: RunningServer) -> None:
    """A token that is none is refused before the worker, a broken id by it; nothing hangs."""
    url = f"{shared.url}/app"
    with pytest.raises(InvalidStatus, match="403"), app_socket(url, "bm9uZQ"):
        pass
    bad = requests.get(url, params={"bokeh-session-id": "x" * 2000}, timeout=30)
    assert bad.status_code == 403


def test_a_callback_that_computes_holds_up_nobody_else(shared: RunningServer) -> None:
    """For two seconds: a published plot stays live, the other worker answers, its own wait."""
    url = f"{shared.url}/app"
    doc = requests.post(f"{shared.url}/bokeh/doc/", json={"title": "live"}, timeout=30).json()
    address = f"{shared.url}/bokeh/doc/{doc['docid']}"
    requests.put(f"{address}/content", json={"doc": doc_json()}, timeout=30).raise_for_status()
    change = slider_change(doc_json())
    with requests.Session() as http, app_socket(url, open_app_page(url, id_for(0))) as busy:
        http.post(f"{address}/changes", json=change, timeout=30).raise_for_status()
        sent = busy.order("order", 2)
        began, delays = time.monotonic(), []
        while time.monotonic() - began < 1.5:
            before = time.monotonic()
            http.post(f"{address}/changes", json=change, timeout=30).raise_for_status()
            delays.append(time.monotonic() - before)
        began_page = time.monotonic()
        open_app_page(url, id_for(1, "other"))
        page_took = time.monotonic() - began_page
        assert time.monotonic() - began < 3, "it had computed for too short a time to tell"
        busy.expect("PATCH-DOC")
        assert busy.receive().reqid == sent
    print(f"changes {statistics.median(delays):.3f} s, at most {max(delays):.3f} s, {len(delays)}")
    assert statistics.median(delays) < 0.1
    assert max(delays) < 1
    assert page_took < 1.5


def slider_change(doc: dict[str, Any]) -> dict[str, Any]:
    """A change of a document's first model."""
    model = doc["roots"][0]
    return {
        "events": [
            {"kind": "ModelChanged", "model": {"id": model["id"]}, "attr": "name", "new": "changed"}
        ]
    }


def test_who_waits_for_a_busy_worker_waits_so_long_alone(folder: Path) -> None:
    """Then it is answered 503 with the reason, page and socket; later it is served."""
    options = ("--app-workers", "1", "--app-patience", "0.5")
    with running_server(str(folder), *options) as server:
        url = f"{server.url}/app"
        token = wait_for_page(url)
        with app_socket(url, token) as busy:
            busy.order("order", 3)
            time.sleep(0.3)
            page = requests.get(url, headers={"Accept": "application/json"}, timeout=30)
            assert (page.status_code, page.json()["error"]) == (503, "application_unavailable")
            assert "busy" in page.json()["detail"]
            with pytest.raises(InvalidStatus, match="503"), app_socket(url, token):
                pass
            busy.expect("PATCH-DOC")
        open_app_page(url)


def wait_for_page(url: str) -> str:
    """Open a page of a server whose workers are still starting."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if requests.get(url, timeout=30).status_code == 200:
            return open_app_page(url)
    raise AssertionError("the workers did not start")


def test_a_worker_that_dies_takes_its_own_sessions_alone(folder: Path) -> None:
    """Its sockets end, the other's go on; the same token then starts its session anew."""
    with running_server(str(folder), "--app-workers", "2") as server:
        url = f"{server.url}/app"
        doomed, safe = (open_app_page(url, id_for(worker)) for worker in (0, 1))
        with app_socket(url, safe) as witness:
            with app_socket(url, doomed) as victim:
                before = victim.text_of("who")
                victim.order("order", 9)
                with pytest.raises(ConnectionClosed):
                    victim.receive()
            witness.order("order", 0.01)
            witness.expect("PATCH-DOC")
            with app_socket(url, doomed) as anew:
                assert anew.text_of("who") != before
                assert anew.text_of("count") == "0"
            witness.receive()
            assert witness.text_of("count") == "1"
        assert "Worker 0 of the applications ended (by signal 9)" in server.log


def test_workers_end_with_the_server(folder: Path) -> None:
    """Sessions end and hooks run in each before the server says that it has stopped."""
    with running_server(str(folder), "--app-workers", "2") as server:
        url = f"{server.url}/app"
        with app_socket(url, open_app_page(url, id_for(0))) as socket:
            open_app_page(url, id_for(1))
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                socket.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        assert server.process.wait(15) == 0
        words = Counter(word for word, _ in notes_of(folder))
        assert words == {"loaded": 2, "created": 2, "destroyed": 2, "unloaded": 2}
        wait_until_gone([pid for _, pid in notes_of(folder)], 1)


def test_no_worker_outlives_a_server_that_is_killed(folder: Path) -> None:
    """One ends as when it is stopped; one that computes for ever ends, too."""
    temporary = Path(tempfile.mkdtemp(prefix="w"))  # short, as the names of sockets have to be
    env = {"TMPDIR": str(temporary)}
    with running_server(str(folder), "--app-workers", "2", env=env) as server:
        url = f"{server.url}/app"
        open_app_page(url, id_for(1))
        with app_socket(url, open_app_page(url, id_for(0))) as socket:
            socket.order("order", 8.9e9)
            time.sleep(0.2)
            server.kill()
        pids = [pid for word, pid in notes_of(folder) if word == "loaded"]
        assert len(pids) == 2
        wait_until_gone(pids, 20)
        assert [word for word, _ in notes_of(folder)].count("unloaded") == 1
        assert list(temporary.glob("bokeh-workers-*")) == []
    shutil.rmtree(temporary)


def test_a_worker_knows_whose_session_it_has(tmp_path: Path) -> None:
    """The worker is told who it is, and lets nobody else in; what it publishes is theirs."""
    script = tmp_path / "whose.py"
    script.write_text(
        "import bokeh_server\n"
        "from bokeh.io import curdoc\nfrom bokeh.models import Div\n"
        "curdoc().add_root(Div(name='user', text=curdoc().session_context.user))\n"
        "path = bokeh_server.publish(Div(text='published'), 'theirs')\n"
        "curdoc().add_root(Div(name='path', text=path))\n"
    )
    with running_server(str(script), "-m", "--app-workers", "1") as server:
        url, headers = f"{server.url}/whose", {}
        for name in ("ada", "eve"):
            account = {"username": name, "password": "correct horse"}
            made = requests.post(f"{server.url}/bokeh/register", json=account, timeout=30)
            headers[name] = {"Authorization": f"Bearer {made.json()['token']}"}
        token = open_app_page(url, headers=headers["ada"])
        with app_socket(url, token, additional_headers=headers["ada"]) as socket:
            assert socket.text_of("user") == "ada"
            published = server.url + socket.text_of("path")
        for name, status in (("ada", 200), ("eve", 404)):
            answer = requests.get(published, headers=headers[name], timeout=30)
            assert answer.status_code == status
        stranger = app_socket(url, token, additional_headers=headers["eve"])
        with pytest.raises(InvalidStatus, match="403"), stranger:
            pass
        nobody = app_socket(url, token)
        with pytest.raises(InvalidStatus, match="401"), nobody:
            pass


def test_tls_passes_through_the_server(folder: Path, tmp_path: Path) -> None:
    """Only the server has the keys: what the worker says is enciphered there, much of it, too."""
    certificate, key = make_certificate(tmp_path)
    options = ("--https", "--https-certfile", str(certificate), "--https-keyfile", str(key))
    context = ssl.create_default_context(cafile=str(certificate))
    with running_server(str(folder), "--app-workers", "1", *options) as server:
        url = f"{server.url}/app"
        token = open_app_page(url, verify=str(certificate))
        with app_socket(url, token, ssl=context) as socket:
            pid = socket.text_of("who")
            assert int(pid) != server.process.pid
            socket.order("order", 0.01)
            socket.expect("PATCH-DOC")
            socket.expect("OK")
            text = "long" * 500_000
            event = {"kind": "ModelChanged", "model": {"id": socket.find("who")["id"]}}
            socket.send("PATCH-DOC", {"events": [event | {"attr": "text", "new": text}]})
            socket.expect("OK")
            assert socket.text_of("who") == text
        with app_socket(url, token, ssl=context) as again:
            assert again.text_of("count") == "1"


def test_threads_will_do_where_gevent_is_not(folder: Path) -> None:
    """A server on threads has workers on threads."""
    program = """
import sys
from flask import Flask
from bokeh_server import BokehServer
from werkzeug.serving import make_server
app = Flask("site")
bokeh = BokehServer(app, app_workers=1, data_dir=sys.argv[2])
bokeh.add_application("/app", sys.argv[1])
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.port, flush=True)
import threading
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.readline()
bokeh.close()
assert "gevent" not in sys.modules
"""
    command = [sys.executable, "-c", program, str(folder), str(folder.parent / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as site:
        assert site.stdout is not None
        url = f"http://127.0.0.1:{int(site.stdout.readline())}/app"
        with app_socket(url, open_app_page(url)) as socket:
            socket.order("order", 0.01)
            socket.expect("PATCH-DOC")
            socket.expect("OK")
            assert int(socket.text_of("who")) != site.pid
        site.communicate(b"\n", timeout=30)
    assert site.returncode == 0
    assert [word for word, _ in notes_of(folder)][-1] == "unloaded"
