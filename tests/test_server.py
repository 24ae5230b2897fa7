"""The stand-alone server with viewers: how it stops, and what it keeps."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.models import Slider
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from bokeh_server.config import Settings
from bokeh_server.server import trusted_names
from support.bokeh_socket import bokeh_socket
from support.certificates import make_certificate
from support.server import RunningServer, running_server


def publish(server: RunningServer, **options: Any) -> tuple[str, str]:
    """Publish a slider; the docid and the slider's id."""
    document = Document()
    document.add_root(Slider(start=0, end=1_000_000, value=0))
    sent = json.loads(serialize_json(document.to_json(deferred=False)))
    api = f"{server.url}/bokeh/doc/"
    docid = requests.post(api, json={"title": "slider"}, timeout=10, **options).json()["docid"]
    answer = requests.put(f"{api}{docid}/content", json={"doc": sent}, timeout=10, **options)
    assert answer.status_code == 200
    return docid, sent["roots"][0]["id"]


def set_value(model: str, value: int) -> dict[str, Any]:
    """A patch that moves the slider."""
    event = {"kind": "ModelChanged", "model": {"id": model}, "attr": "value", "new": value}
    return {"events": [event]}


def stored_value(server: RunningServer, docid: str, model: str) -> int:
    """The slider's value as the server knows it."""
    url = f"{server.url}/bokeh/bb/{docid}/Slider/{model}/"
    return int(requests.get(url, timeout=10).json()["attributes"]["value"])


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_viewers_are_told_that_the_server_restarts(signum: int) -> None:
    """Every socket is closed with 1012, which tells a page to connect again by itself."""
    with running_server() as server:
        docid, _model = publish(server)
        url = f"{server.ws_url}/bokeh/doc/{docid}/ws"
        with bokeh_socket(url) as one, bokeh_socket(url) as two:
            one.pull()
            assert server.stop(signum) == 0
            for socket in (one, two):
                with pytest.raises(ConnectionClosed) as caught:
                    socket.connection.recv(timeout=10)
                assert caught.value.rcvd is not None
                assert caught.value.rcvd.code == 1012


def test_a_stop_in_the_middle_of_writing_loses_nothing_answered() -> None:
    """Changes pour in while SIGTERM comes: whatever was answered is there after the restart."""
    with running_server() as server:
        docid, model = publish(server)
        url = f"{server.url}/bokeh/doc/{docid}/changes"
        answered = _write_until_refused(url, model, lambda: server.stop())
        assert answered > 0
        server.restart()
        assert stored_value(server, docid, model) >= answered


def test_a_kill_in_the_middle_of_writing_loses_nothing_answered() -> None:
    """The same with SIGKILL: an answer means committed."""
    with running_server() as server:
        docid, model = publish(server)
        url = f"{server.url}/bokeh/doc/{docid}/changes"
        answered = _write_until_refused(url, model, server.kill)
        assert answered > 0
        server.restart()
        assert stored_value(server, docid, model) >= answered


def _write_until_refused(url: str, model: str, end: Any) -> int:
    """Move the slider one step after the other; the last value that was answered."""
    last, stop = 0, threading.Timer(0.5, end)
    stop.start()
    with requests.Session() as session:
        for value in range(1, 100_000):
            try:
                answer = session.post(url, json=set_value(model, value), timeout=10)
            except requests.RequestException:
                break
            if answer.status_code != 200:
                break
            last = value
    stop.join()
    return last


def test_a_viewer_over_tls(tmp_path: Path) -> None:
    """The WebSocket works over HTTPS too, and is closed with 1012 at the end."""
    certificate, key = make_certificate(tmp_path)
    options = ("--https", "--https-certfile", str(certificate), "--https-keyfile", str(key))
    context = ssl.create_default_context(cafile=str(certificate))
    with running_server(*options) as server:
        docid, model = publish(server, verify=str(certificate))
        with bokeh_socket(f"{server.ws_url}/bokeh/doc/{docid}/ws", ssl=context) as socket:
            socket.pull()
            url = f"{server.url}/bokeh/doc/{docid}/changes"
            requests.post(url, json=set_value(model, 5), timeout=10, verify=str(certificate))
            assert socket.expect("PATCH-DOC")["events"][0]["new"] == 5
            assert server.stop() == 0
            with pytest.raises(ConnectionClosed):
                socket.connection.recv(timeout=10)


def test_a_body_over_the_limit_is_refused() -> None:
    """``--max-body-size`` holds for HTTP bodies, announced or chunked, and nothing is stored."""
    with running_server("--max-body-size", "20KB") as server, requests.Session() as session:
        docid, model = publish(server)
        url = f"{server.url}/bokeh/doc/{docid}/changes"
        body = json.dumps(set_value(model, 1)).encode() + b" " * 30_000
        headers = {"Content-Type": "application/json"}
        for data in (body, iter([body[:10_000], body[10_000:]])):
            answer = session.post(url, data=data, headers=headers, timeout=10)
            assert answer.status_code == 413
            assert "error" in answer.json()
        assert stored_value(server, docid, model) == 0


def test_a_silent_viewer_is_pinged_and_a_dead_one_dropped() -> None:
    """``--ping-interval`` reaches the sockets: one that answers stays, one that does not goes."""
    with running_server("--ping-interval", "0.3") as server:
        docid, _model = publish(server)
        url = f"{server.ws_url}/bokeh/doc/{docid}/ws"
        info = f"{server.url}/bokeh/doc/{docid}/"
        with bokeh_socket(url) as alive:
            alive.pull()
            dead = _raw_viewer(server, docid)
            time.sleep(1.5)
            assert requests.get(info, timeout=10).json()["viewers"] == 1
            alive.pull()
            dead.close()


def _raw_viewer(server: RunningServer, docid: str) -> Any:
    """A viewer that shakes hands and then never reads or answers a ping."""
    import socket

    sock = socket.create_connection(("localhost", server.port), timeout=10)
    sock.sendall(
        f"GET /bokeh/doc/{docid}/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: bokeh\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert b" 101 " in sock.recv(65536)
    return sock


def test_behind_a_proxy_the_forwarded_name_counts_only_when_told() -> None:
    """``X-Forwarded-*`` is believed from as many proxies as were configured, and no more.

    A page at the public name may open a socket only when the server knows that name as its own.
    """
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "plots.example.org"}
    page = {"origin": Origin("https://plots.example.org"), "additional_headers": forwarded}
    with (
        running_server() as server,
        pytest.raises(InvalidStatus, match="403"),
        connect(f"{server.ws_url}/bokeh/ws", **page),
    ):
        pass
    names = ("--trusted-proxies", "1", "--trusted-host", "plots.example.org")
    with running_server(*names) as server, connect(f"{server.ws_url}/bokeh/ws", **page) as socket:
        assert socket.recv(timeout=10)
        more = {**forwarded, "X-Forwarded-Host": "evil.example"}
        answer = requests.get(f"{server.url}/bokeh/ping", headers=more, timeout=10)
        assert answer.status_code == 421


@pytest.mark.parametrize(
    ("address", "hosts", "some"),
    [
        ("127.0.0.1", (), "localhost"),
        ("127.0.0.2", (), "127.0.0.2"),
        ("::1", (), "[::1]"),
        ("localhost", ("a.example",), "a.example"),
        ("0.0.0.0", ("a.example",), "a.example"),
        ("0.0.0.0", (), None),
        ("::", (), None),
        ("plots.example", (), None),
    ],
)
def test_names_it_answers_to(address: str, hosts: tuple[str, ...], some: str | None) -> None:
    """A local server knows its own names; one open to others knows all, unless names are given."""
    names = trusted_names(Settings.from_keywords(address=address, trusted_host=list(hosts)))
    assert (some in names) if some else names == ()


def test_what_is_there_from_the_start_is_no_garbage() -> None:
    """The collector leaves modules alone, and looks after as many new objects as it should."""
    program = (
        "import gc\n"
        "from bokeh_server.server import GARBAGE_OBJECTS, spare_collector\n"
        "spare_collector()\n"
        "assert gc.get_freeze_count() > 50_000, gc.get_freeze_count()\n"
        "assert gc.get_threshold()[0] == GARBAGE_OBJECTS\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
