"""A small Flask app on our WebSocket transport, and how to run it under every server we support.

As a program: ``python -m support.echo pywsgi|werkzeug [certificate key]`` prints its port.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and "pywsgi" in sys.argv:
    from gevent import monkey

    monkey.patch_all()

import functools
import gc
import json
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
import flask_sock

from bokeh_server.blueprint.sock import Sock, Upgrade
from bokeh_server.channels import Channel, Cursor, Entry
from bokeh_server.errors import BokehServerError
from bokeh_server.protocol import binary_frame, text_frame
from bokeh_server.sockets import Connection, Limits, SocketLoop, check_origin

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Echo", "Viewer", "large_message", "make_app"]


class Echo:
    """Sends every message back."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def opened(self) -> None:
        """Nothing to say at first."""

    def received(self, data: str | bytes) -> None:
        """Send it back."""
        is_text = isinstance(data, str)
        self.connection.send(text_frame(data.encode()) if is_text else binary_frame(data))

    def behind(self, cursor: Cursor) -> None:
        """Never called: it follows no channel."""

    def closed(self) -> None:
        """Nothing to clean up."""


class Viewer(Echo):
    """Follows a channel as well."""

    def __init__(self, connection: Connection, channel: Channel) -> None:
        super().__init__(connection)
        self.channel = channel

    def opened(self) -> None:
        """Follow."""
        self.connection.follow(self.channel.follow(self.connection))

    def behind(self, cursor: Cursor) -> None:
        """Begin again at the newest."""
        self.connection.follow(self.channel.follow(self.connection))


class Crowd(Echo):
    """Lets many threads send at once on one connection; told ``go``."""

    def received(self, data: str | bytes) -> None:
        """Start them."""
        for number in range(20):
            threading.Thread(target=self.talk, args=(number,)).start()

    def talk(self, number: int) -> None:
        """Send messages of different sizes that can be recognised, each in two frames."""
        for i in range(25):
            name = f"{number}-{i}"
            body = bytes([number]) * (1 + 1500 * i)
            self.connection.send(text_frame(name.encode()), binary_frame(body), shared=True)
            time.sleep(0)


class Large(Echo):
    """Sends 32 MB at once."""

    def opened(self) -> None:
        """Send it."""
        self.connection.send(binary_frame(large_message()), shared=True)


class Broken(Echo):
    """A handler with a mistake in it."""

    def received(self, data: str | bytes) -> None:
        """Fail."""
        raise ZeroDivisionError("the handler's own mistake")


@functools.cache
def large_message() -> bytes:
    """Give 32 MB in which every place is different."""
    return b"".join(n.to_bytes(8, "big") for n in range(4 * 2**20))


def make_app(limits: Limits | None = None) -> flask.Flask:
    """Make the app; its loop and channel are in ``app.extensions``."""
    app = flask.Flask(__name__)
    loop = SocketLoop(limits or Limits(**json.loads(os.environ.get("ECHO_LIMITS", "{}"))))
    channel = Channel()
    app.extensions["loop"], app.extensions["channel"] = loop, channel
    sock = Sock(lambda: loop, app)
    _declare(app, sock, loop, channel)
    flask_sock.Sock(app).route("/host")(_host_echo)
    return app


def _declare(app: flask.Flask, sock: Sock, loop: SocketLoop, channel: Channel) -> None:
    @sock.route("/ws")
    def echo(upgrade: Upgrade) -> flask.Response:
        return upgrade.adopt(Echo, subprotocol="bokeh")

    @sock.route("/view")
    def view(upgrade: Upgrade) -> flask.Response:
        return upgrade.adopt(lambda connection: Viewer(connection, channel))

    @sock.route("/guarded")
    def guarded(upgrade: Upgrade) -> flask.Response:
        handshake = upgrade.handshake
        if not check_origin(handshake.origin, handshake.host, ()):
            flask.abort(403)
        return upgrade.adopt(Echo)

    @sock.route("/crowd")
    def crowd(upgrade: Upgrade) -> flask.Response:
        return upgrade.adopt(Crowd)

    @sock.route("/large")
    def large(upgrade: Upgrade) -> flask.Response:
        return upgrade.adopt(Large)

    @sock.route("/broken")
    def broken(upgrade: Upgrade) -> flask.Response:
        return upgrade.adopt(Broken)

    @app.post("/publish/<int:count>/<int:size>")
    def publish(count: int, size: int) -> dict[str, float]:
        started = time.perf_counter()
        for _ in range(count):
            app.extensions["seq"] = seq = app.extensions.get("seq", 0) + 1
            channel.publish(Entry(seq, text_frame(f"{seq} ".encode().ljust(size, b"."))))
            time.sleep(0)
        return {"seconds": time.perf_counter() - started}

    @app.post("/stop")
    def stop() -> str:
        loop.close()
        return "closed"

    @app.errorhandler(BokehServerError)
    def report(error: BokehServerError) -> tuple[str, int]:
        return str(error), error.status

    @app.get("/")
    def index() -> str:
        return "ordinary HTTP"

    @app.get("/secret")
    def secret() -> str:
        return "TOP SECRET"

    @app.get("/stats")
    def stats() -> dict[str, int]:
        return {**_counts(), "connections": len(loop), "viewers": channel.viewers}


def _host_echo(ws: Any) -> None:
    """A socket of the host app, served by flask-sock itself."""
    while True:
        ws.send(ws.receive())


def _counts() -> dict[str, int]:
    gc.collect()
    greenlet = sys.modules.get("greenlet")
    greenlets = [o for o in gc.get_objects() if greenlet and isinstance(o, greenlet.greenlet)]
    return {
        "threads": threading.active_count(),
        "greenlets": len([one for one in greenlets if not one.dead]),
        "fds": len(list(Path("/proc/self/fd").iterdir())),
    }


def _serve(kind: str, certificate: list[str]) -> None:
    app = make_app()
    serve: Callable[[], None]
    if kind == "pywsgi":
        serve, port = _pywsgi(app, certificate)
    else:
        serve, port = _werkzeug(app, certificate)
    print(port, flush=True)
    serve()


def _pywsgi(app: flask.Flask, certificate: list[str]) -> tuple[Callable[[], None], int]:
    from gevent import pywsgi

    tls = {"certfile": certificate[0], "keyfile": certificate[1]} if certificate else {}
    server = pywsgi.WSGIServer(("127.0.0.1", 0), app, **tls)
    server.start()
    return server.serve_forever, server.server_port


def _werkzeug(app: flask.Flask, certificate: list[str]) -> tuple[Callable[[], None], int]:
    from werkzeug.serving import make_server

    tls = (certificate[0], certificate[1]) if certificate else None
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls)
    return server.serve_forever, server.port


if __name__ == "__main__":
    os.environ.pop("WERKZEUG_RUN_MAIN", None)
    _serve(sys.argv[1], sys.argv[2:])
