"""Run as a script: :class:`HttpServer` with a small Flask app, for the tests of it.

Prints its port. Arguments: the time limit in seconds and, for TLS, a PEM file.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import logging  # noqa: E402
import socket  # noqa: E402
import ssl  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
from flask import Flask, request  # noqa: E402

from bokeh_server.httpd import HttpServer  # noqa: E402

app = Flask(__name__)


@app.route("/length", methods=["GET", "POST"])
def length() -> str:
    """How long the body was."""
    return str(len(request.get_data()))


@app.route("/large")
def large() -> bytes:
    """More than the buffers of a connection hold."""
    return b"x" * 64 * 1024 * 1024


@app.route("/slow")
def slow() -> str:
    """An answer that takes a second."""
    time.sleep(1)
    return "done"


@app.route("/busy")
def busy() -> str:
    """How many requests are in work."""
    return str(server.busy)


@app.route("/fault")
def fault() -> str:
    """A fault of the app's own."""
    raise RuntimeError("a fault of the app")


def main() -> None:
    """Serve until a line comes on standard input, then finish."""
    logging.basicConfig(level="DEBUG", format="%(levelname)s %(name)s %(message)s")
    server.start()
    print(server.server_port, flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.readline)
    server.finish(5)
    print("finished", flush=True)


def make_server() -> HttpServer:
    """On a free port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if len(sys.argv) > 2:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[2])
    return HttpServer(listener, app, request_timeout=float(sys.argv[1]), ssl_context=context)


if __name__ == "__main__":
    app.config["PROPAGATE_EXCEPTIONS"] = True
    server = make_server()
    main()
