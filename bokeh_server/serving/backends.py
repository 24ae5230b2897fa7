"""What answers requests: gevent's server where gevent is, else Werkzeug's, with a thread for each.

WebSockets leave both of them for our own loop, so none of them takes a thread.
"""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Protocol

from bokeh_server.blocking import is_gevent
from bokeh_server.config import Settings
from bokeh_server.serving.threads import ThreadsServer

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["Backend", "make_backend"]


class Backend(Protocol):
    """Answers requests on a listening socket, in the background."""

    def start(self) -> None:
        """Begin."""

    def close(self, seconds: float) -> None:
        """Accept no more; wait for what is being answered, at most so long."""


def make_backend(
    app: Flask, listener: socket.socket, settings: Settings, context: ssl.SSLContext | None
) -> Backend:
    """What fits this process."""
    if is_gevent():
        return _Greenlets(app, listener, settings, context)
    return _Threads(app, listener, settings, context)


class _Greenlets:
    def __init__(
        self,
        app: Flask,
        listener: socket.socket,
        settings: Settings,
        context: ssl.SSLContext | None,
    ) -> None:
        from bokeh_server.httpd import HttpServer

        self._http = HttpServer(
            listener, app, request_timeout=settings.request_timeout, ssl_context=context
        )

    def start(self) -> None:
        self._http.start()

    def close(self, seconds: float) -> None:
        self._http.finish(seconds)


class _Threads:
    def __init__(
        self,
        app: Flask,
        listener: socket.socket,
        settings: Settings,
        context: ssl.SSLContext | None,
    ) -> None:
        self._listener = listener
        self._http = ThreadsServer(
            listener, app, request_timeout=settings.request_timeout, ssl_context=context
        )
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="bokeh-server", daemon=True
        )
        self._thread.start()

    def close(self, seconds: float) -> None:
        if self._thread is not None:
            self._http.shutdown()
            self._thread.join(seconds)
        self._http.server_close()
        self._listener.close()
