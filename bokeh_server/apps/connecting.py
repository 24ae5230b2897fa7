"""Bokeh's protocol for the session of an application."""

from __future__ import annotations

from bokeh_server.apps.session import AppSession
from bokeh_server.sockets.bokeh_handler import BokehHandler
from bokeh_server.sockets.connection import Connection

__all__ = ["AppHandler"]


class AppHandler(BokehHandler):
    """A connection to a session, which knows how many it has."""

    __slots__ = ("_session",)

    def __init__(self, connection: Connection, session: AppSession, *, script: bool) -> None:
        super().__init__(
            connection,
            session,
            right="write",
            actor="",
            script=script,
            # BokehJS forgets buffers when it pulls again after a lost connection.
            inline=session.was_left and not script,
            ranges=True,
        )
        self._session = session
        session.connected()

    def closed(self) -> None:
        """Tell the session."""
        self._session.disconnected()
