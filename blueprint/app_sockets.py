"""The WebSocket of an application's session. All checks come before the 101."""

from __future__ import annotations

from flask import Response

from bokeh_server.apps import AppSession
from bokeh_server.blueprint.app_requests import app_request, application_at
from bokeh_server.blueprint.foreign import own_names
from bokeh_server.blueprint.sock import Upgrade
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import Forbidden, OriginRefused
from bokeh_server.sockets import Connection
from bokeh_server.sockets.bokeh_handler import BokehHandler
from bokeh_server.sockets.origin import check_origin

__all__ = ["open_socket"]


def open_socket(upgrade: Upgrade, path: str) -> Response:
    """Connect to the session that the request's token names; it is made when there is none."""
    application = application_at(path)
    _check_origin(upgrade)
    tokens, text = current_state().applications.options.tokens, upgrade.handshake.token
    if text is None:
        why = "the request has no token in Sec-WebSocket-Protocol"
        raise Forbidden("open a live connection", why, "Load the page again")
    token = tokens.read(text)
    session_id = tokens.check_id(token.session_id)
    session = application.find(session_id)
    is_again = session is not None
    if session is None:
        if token.has_expired:
            why = "its token is too old to begin a session with, and its session has ended"
            raise Forbidden("open a live connection", why, "Load the page again")
        session = application.open(
            session_id, app_request().with_payload(token.payload), token.payload
        )
    found = session
    script = upgrade.handshake.origin is None

    def make_handler(connection: Connection) -> AppHandler:
        return AppHandler(connection, found, script=script, inline=is_again and found.was_left)

    return upgrade.adopt(make_handler, subprotocol="bokeh")


def _check_origin(upgrade: Upgrade) -> None:
    names, handshake = own_names(), upgrade.handshake
    decision = check_origin(handshake.origin, handshake.host, names.allowed, names=names.own)
    if not decision:
        raise OriginRefused("open a live connection", decision.reason)


class AppHandler(BokehHandler):
    """Bokeh's protocol for a session, which knows how many connections it has."""

    __slots__ = ("_session",)

    def __init__(
        self, connection: Connection, session: AppSession, *, script: bool, inline: bool
    ) -> None:
        super().__init__(
            connection, session, right="write", actor="", script=script, inline=inline, ranges=True
        )
        self._session = session
        session.connected()

    def closed(self) -> None:
        """Tell the session."""
        self._session.disconnected()
