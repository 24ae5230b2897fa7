"""Who may change a document is asked at every change, not only when its socket opens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from websockets.sync.client import connect
from werkzeug.serving import make_server

from bokeh_server.blueprint.people import access, standing
from bokeh_server.blueprint.people.callers import Caller
from bokeh_server.permissions import Actor
from bokeh_server.protocol.packing import pack
from support.bokeh_socket import BokehSocket


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    """The app on a port, by threads."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def titled(title: str) -> dict[str, Any]:
    """A patch that sets the title."""
    return {"events": [{"kind": "TitleChanged", "title": title}]}


def test_a_right_that_was_taken_away(
    app: Flask,
    client: FlaskClient,
    docid: str,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A document changes hands while sockets are open: they change it no more."""
    owner = client.get(f"/bokeh/doc/{docid}/").get_json()["owner"]
    caller = Caller(Actor(owner))
    for room in (access, standing):
        monkeypatch.setattr(room, "current_caller", lambda: caller)
    base = f"ws://127.0.0.1:{port}/bokeh/doc/{docid}"
    with (
        connect(f"{base}/changes", max_size=None) as pipe,
        connect(f"{base}/ws?script=1", subprotocols=["bokeh"]) as plain,  # type: ignore[list-item]
    ):
        socket = BokehSocket(plain)
        socket.expect("ACK")

        def store(key: str) -> Any:
            pipe.send(key.encode() + b"\n" + pack(orjson.dumps(titled(key)), {}))
            return orjson.loads(pipe.recv(timeout=10))

        assert store("first")["seq"] == 2
        socket.ask("PATCH-DOC", titled("second"), "OK")
        engine = app.extensions["bokeh_server"].engine
        identity = replace(engine.identity(docid), owner="other")
        monkeypatch.setattr(engine._identities, "_read", lambda _: identity)
        engine._identities.forget(docid)
        answer = store("third")
        assert (answer["status"], answer["error"]) == (404, "unknown_document")
        socket.send("PATCH-DOC", titled("fourth"))
        with pytest.raises(Exception, match="4003"):
            socket.receive()
        assert engine.open(docid).seq == 3
