"""Bokeh's protocol for the session of an application."""

from __future__ import annotations

from collections.abc import Callable

from bokeh_server.apps.session import EXPIRED, AppSession
from bokeh_server.channels import Cursor
from bokeh_server.protocol.messages import ack
from bokeh_server.sockets.bokeh_handler import BokehHandler
from bokeh_server.sockets.connection import Connection

__all__ = ["AppHandler", "Farewell"]


class AppHandler(BokehHandler):
    """A connection to a session, which knows how many it has."""

    __slots__ = ("_session",)

    def __init__(
        self,
        connection: Connection,
        session: AppSession,
        *,
        script: bool,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            connection,
            session,
            right="write",
            actor="",
            script=script,
            # BokehJS forgets buffers when it pulls again after a lost connection.
            inline=session.was_left and not script,
            ranges=True,
            leave=leave,
        )
        self._session = session
        session.connected()

    def opened(self) -> None:
        """Queue the ``ACK``, by whose id a page knows whether it is the same session again."""
        self._connection.send(ack(self._session.birth))

    def closed(self) -> None:
        """Tell the session, and who else wants to know."""
        super().closed()
        self._session.disconnected()


class Farewell:
    """A connection to a session that there is no more, to say so: browsers hide an HTTP answer."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def opened(self) -> None:
        """Say it."""
        self._connection.close(EXPIRED, "the session has ended")

    def received(self, data: str | bytes) -> None:
        """Nobody listens."""

    def behind(self, cursor: Cursor) -> None:
        """It follows nothing."""

    def closed(self) -> None:
        """Nothing to clean up."""
