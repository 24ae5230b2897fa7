"""What applications reach by ``curdoc().session_context`` and in their hooks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bokeh.application.application import ServerContext, SessionContext
from bokeh.core.types import ID
from bokeh.document import Document

from bokeh_server.apps.coroutines import run_apart
from bokeh_server.apps.requests import AppRequest

if TYPE_CHECKING:
    from bokeh_server.apps.publishing import Publisher
    from bokeh_server.apps.running import RunningApplication
    from bokeh_server.apps.session import AppSession

__all__ = ["AppServerContext", "AppSessionContext"]


class AppServerContext(ServerContext):
    """One application on this server; it may be given attributes of one's own.

    :ivar publisher: stores what sessions publish, where that can be.
    """

    def __init__(self, application: RunningApplication, publisher: Publisher | None = None) -> None:
        self._application = application
        self.publisher = publisher

    @property
    def sessions(self) -> list[AppSession]:  # type: ignore[override]
        """Its sessions in this process."""
        return self._application.sessions()


class AppSessionContext(SessionContext):
    """One session.

    :param session_id: ``None``: it is made ahead, and nobody's yet; see :meth:`become`.
    :ivar session: ``None`` as long as the session is made.
    :ivar was_asked: what of that which only somebody's session has was looked at before it was
        somebody's; empty: nothing.
    """

    def __init__(
        self,
        session_id: str | None,
        server_context: AppServerContext,
        document: Document,
        request: AppRequest,
        token_payload: dict[str, Any],
        logout_url: str | None = None,
    ) -> None:
        super().__init__(server_context, ID(session_id or ""))
        self._document = document
        self._request = request
        self._token_payload = token_payload
        self._is_nobodys = session_id is None
        self.was_asked = ""
        self.logout_url = logout_url
        self.session: AppSession | None = None

    def become(self, session_id: str, request: AppRequest, payload: dict[str, Any]) -> None:
        """Be somebody's from now on."""
        self._id = ID(session_id)
        self._request, self._token_payload = request, payload
        self._is_nobodys = False

    def _asked(self, what: str) -> None:
        if self._is_nobodys:
            self.was_asked = what

    @property
    def id(self) -> ID:
        """The session's id."""
        self._asked("its id")
        return self._id

    @property
    def request(self) -> AppRequest:
        """The request that it was made of."""
        self._asked("its request")
        return self._request

    @property
    def token_payload(self) -> dict[str, Any]:
        """What the page's token says."""
        self._asked("what its token says")
        return self._token_payload

    @property
    def user(self) -> str | None:
        """The name of whoever opened it, where the server knows people."""
        return self.request.user

    @property
    def destroyed(self) -> bool:
        """Whether the session is over."""
        return self.session is not None and self.session.destroyed

    async def with_locked_document(self, func: Callable[[Document], Any]) -> None:
        """Call a function of the document, or wait for a coroutine, with the document's lock."""
        session = self.session
        if session is not None and not session.lock.is_mine:
            # Whoever waits for the lock must not hold up the loop: it may be held by a coroutine.
            await run_apart(session.locked, func, self._document)
            return
        result = func(self._document)
        if inspect.isawaitable(result):
            await result
