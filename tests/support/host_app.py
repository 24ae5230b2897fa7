"""Somebody's Flask app with live plots in it, for the tests in ``tests/hosts``.

Run as a script, it serves itself with gevent's pywsgi on the port given.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()

import os
from pathlib import Path
from typing import Any

import flask_sock
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from bokeh_server import BokehServer

__all__ = ["create_app", "make_host", "two_hosts"]


def make_host(name: str, directory: Path) -> Flask:
    """A site with a page and a socket of its own, and plots under ``/plots``."""
    app = Flask(name)
    sock = flask_sock.Sock(app)

    @app.route("/")
    def home() -> str:
        return f"the home page of {name}"

    @sock.route("/echo")
    def echo(ws: Any) -> None:
        ws.send(ws.receive())

    BokehServer(
        app,
        url_prefix="/plots",
        database=os.environ.get("HOST_DATABASE") or f"sqlite:///{directory / name}.sqlite3",
        data_dir=str(directory / name),
    )
    return app


def create_app() -> Flask:
    """One host; its data is under ``HOST_DIRECTORY``."""
    return make_host("host", Path(os.environ["HOST_DIRECTORY"]))


def two_hosts() -> Any:
    """Two apps in one process: ``/one`` and ``/two``."""
    directory = Path(os.environ["HOST_DIRECTORY"])
    mounts = {f"/{name}": make_host(name, directory).wsgi_app for name in ("one", "two")}
    return DispatcherMiddleware(Flask("nothing").wsgi_app, mounts)


def main(port: str, factory: str) -> None:
    """Serve one of the two above until the process is ended."""
    from gevent.pywsgi import WSGIServer

    WSGIServer(("127.0.0.1", int(port)), globals()[factory](), log=None).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:3])
