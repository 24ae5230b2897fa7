"""WebSocket routes, declared as with flask-sock and served by our transport.

A host app's own flask-sock routes live beside these.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flask
import flask_sock

from bokeh_server.errors import ServerFault
from bokeh_server.sockets.handshake import Handshake, Refusal, read_handshake
from bokeh_server.sockets.loop import SocketLoop
from bokeh_server.sockets.takeover import Leaving, find_socket

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from bokeh_server.sockets.connection import MakeHandler
    from bokeh_server.sockets.takeover import Transport

    HandOver = Callable[[SocketLoop, Transport, bytes, bytes], object]

__all__ = ["Sock", "Upgrade"]

View = Callable[..., flask.Response]


class Sock(flask_sock.Sock):  # type: ignore[misc]
    """Declare WebSocket routes.

    .. code-block:: python

        @sock.route("/doc/<docid>/ws", bp=blueprint)
        def document_socket(upgrade: Upgrade, docid: str) -> flask.Response:
            check(upgrade.handshake.token)              # may raise or abort: a plain HTTP answer
            return upgrade.adopt(make_handler, subprotocol="bokeh")

    :param find_loop: gives the app's loop, within a request.
    """

    def __init__(self, find_loop: Callable[[], SocketLoop], app: flask.Flask | None = None) -> None:
        self._find_loop = find_loop
        self.bp: flask.Blueprint | None = None
        super().__init__(app)

    def route(
        self, path: str, bp: flask.Blueprint | None = None, **options: Any
    ) -> Callable[[View], View]:
        """Declare a route; the view gets an :class:`Upgrade` before its other arguments."""
        options["websocket"] = True

        def declare(view: View) -> View:
            @functools.wraps(view)
            def upgrade(*args: Any, **kwargs: Any) -> flask.Response:
                handshake = read_handshake(flask.request.environ)
                if isinstance(handshake, Refusal):
                    return _refused(handshake)
                return view(Upgrade(handshake, self._find_loop), *args, **kwargs)

            (bp or self.app or self._own_blueprint()).route(path, **options)(upgrade)
            return view

        return declare

    def _own_blueprint(self) -> flask.Blueprint:
        if self.bp is None:
            self.bp = flask.Blueprint("__bokeh_server_sock", __name__)
        return self.bp


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A request that may become a WebSocket.

    :param handshake: what the client asked for.
    """

    handshake: Handshake
    _find_loop: Callable[[], SocketLoop]

    def adopt(self, make_handler: MakeHandler, *, subprotocol: str | None = None) -> flask.Response:
        """Give the answer that turns the request into a WebSocket when it is sent.

        :param make_handler: called with the connection, gives what happens on it.
        :param subprotocol: one of those that were offered; left out when it was not.
        :raises ServerFault: this WSGI server does not let go of its sockets, or is stopping.
        """

        def take(loop: SocketLoop, transport: Transport, initial: bytes, answer: bytes) -> None:
            loop.adopt(transport, make_handler, initial=initial, answer=answer)

        return self.hand_over(take, subprotocol=subprotocol)

    def hand_over(self, take: HandOver, *, subprotocol: str | None = None) -> flask.Response:
        """As :meth:`adopt`, with somebody else who takes the socket.

        :param take: called with this process's loop, the socket, what has been read of it already,
            and the 101 that is to be sent first; closes the socket if it cannot take it.
        """
        leaving = find_socket(flask.request.environ)
        if leaving is None:
            raise ServerFault(
                "open a WebSocket",
                "this WSGI server does not give access to its sockets",
                "Run under gevent's pywsgi, gunicorn (gevent or threads) or Flask's own server",
            )
        loop = self._find_loop()
        loop.check_open()
        if subprotocol not in self.handshake.subprotocols:
            subprotocol = None
        return _UpgradeResponse(_Plan(self.handshake, leaving, loop, take, subprotocol))


@dataclass(frozen=True, slots=True)
class _Plan:
    handshake: Handshake
    leaving: Leaving
    loop: SocketLoop
    take: HandOver
    subprotocol: str | None

    def carry_out(self, headers: Iterable[tuple[str, str]]) -> None:
        answer = self.handshake.answer(self.subprotocol, headers)
        # the peer may have gone meanwhile, or the loop been closed; nobody is left to hear of it
        with contextlib.suppress(OSError, ServerFault):
            transport, initial = self.leaving.take()
            self.take(self.loop, transport, initial, answer)


class _UpgradeResponse(flask.Response):
    """The last word of a request: after this the server has no socket to write to."""

    default_status = 101
    automatically_set_content_length = False

    def __init__(self, plan: _Plan) -> None:
        super().__init__()
        self._plan = plan

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._plan.carry_out(self.headers.items())
        return _finish(environ, start_response, self._plan.leaving)


def _finish(
    environ: WSGIEnvironment, start_response: StartResponse, leaving: Leaving
) -> Iterable[bytes]:
    """End the request as its server needs it: nothing written, nothing read, the log line kept."""
    server: Any = getattr(start_response, "__self__", None)
    if hasattr(server, "headers_sent"):
        start_response("101 Switching Protocols", [])
        server.headers_sent = True
        if hasattr(server, "force_close"):
            server.force_close()
        else:
            server.close_connection = True
        return []
    if "gunicorn.socket" in environ:
        raise StopIteration
    if "werkzeug.socket" in environ:
        if leaving.gevent:
            raise ConnectionAbortedError
        start_response("101 Switching Protocols", [])
    return []


def _refused(refusal: Refusal) -> flask.Response:
    response = flask.jsonify(
        error="bad_handshake", detail=f"Could not open a WebSocket: {refusal.reason}."
    )
    response.status_code = refusal.status
    response.headers.extend(refusal.headers)
    return response
