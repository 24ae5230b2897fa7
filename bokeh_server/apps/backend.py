"""What is asked of applications over HTTP, wherever their sessions are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from bokeh_server.apps.opening import Asked
from bokeh_server.apps.options import HostOptions
from bokeh_server.apps.rendering import Embedding, PageFiles
from bokeh_server.apps.requests import AppRequest
from bokeh_server.sockets.loop import SocketLoop
from bokeh_server.sockets.takeover import Transport

__all__ = ["Backend", "HandOver"]

#: takes the socket of a request that became a WebSocket, what its peer has sent already, and the
#: 101 that is to be sent first. The loop is that of this process.
HandOver = Callable[[SocketLoop, Transport, bytes, bytes], object]


class Backend(Protocol):
    """The applications of one server: in this process, or in workers."""

    @property
    def options(self) -> HostOptions:
        """How they are served."""

    @property
    def paths(self) -> Sequence[str]:
        """Their addresses, in order of the alphabet."""

    def page(self, path: str, request: AppRequest, asked: Asked, files: PageFiles) -> str:
        """The page of an application, with the session that its request asks for, or a new one.

        :raises NotFound: there is no application at this address.
        :raises Forbidden: it asks for a session that it may not have.
        :raises ServerFault: its code failed, or whoever runs it cannot answer now.
        """

    def script(
        self, path: str, request: AppRequest, asked: Asked, files: PageFiles, embedding: Embedding
    ) -> str:
        """The script that shows an application in somebody's page; errors as of :meth:`page`."""

    def metadata(self, path: str) -> dict[str, Any]:
        """What the author of an application wants to be known of it; makes no session."""

    def static_folder(self, path: str) -> str | None:
        """The folder of an application's own files."""

    def admit(
        self,
        path: str,
        request: AppRequest,
        token: str,
        *,
        script: bool,
        permit: str | None = None,
    ) -> HandOver:
        """Open the session that a token names, for a connection that is to be handed over.

        :param script: it is a script that connects, not a browser.
        :param permit: by what the person was let in, for the :class:`Guard`, which closes the
            connection when that is good no more; ``None``: it is for everybody.
        :raises Forbidden: the token is not good.
        """

    def start(self) -> None:
        """Begin, and run the hooks of the start; doing it twice does no harm."""

    def close(self) -> None:
        """End every session, and run the hooks of the end; safe to repeat."""
