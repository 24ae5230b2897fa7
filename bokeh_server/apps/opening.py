"""Which session a request is for: the one that it names, or a new one, with a token for it."""

from __future__ import annotations

from dataclasses import dataclass

from bokeh.document import Document

from bokeh_server.apps.requests import AppRequest, payload_of
from bokeh_server.apps.running import RunningApplication
from bokeh_server.apps.session import AppSession
from bokeh_server.apps.tokens import Token, Tokens
from bokeh_server.errors import Forbidden, SessionExpired

__all__ = ["Asked", "Opened", "open_by_token", "open_for_page"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page's request says of its session.

    :param session_id: an id in its address.
    :param header: an id in its header ``Bokeh-Session-Id``.
    :param token: a token in its address.
    """

    session_id: str | None = None
    header: str | None = None
    token: str | None = None

    @property
    def id(self) -> str | None:
        """The id.

        :raises Forbidden: there are two.
        """
        if self.session_id is not None and self.header is not None:
            raise _refused("session ID was provided as an argument and header")
        return self.session_id if self.session_id is not None else self.header


@dataclass(frozen=True, slots=True)
class Opened:
    """A session, and a token for whoever asked for it."""

    session: AppSession
    token: str

    @property
    def document(self) -> Document:
        """The session's document."""
        return self.session.document


def open_for_page(
    application: RunningApplication, request: AppRequest, asked: Asked, tokens: Tokens
) -> Opened:
    """Open the session of a page, with a token that is fresh.

    :raises Forbidden: it asks for one that it may not have.
    :raises ApplicationFailed: the application's code failed.
    """
    session_id = asked.id
    if asked.token is not None:
        if session_id is not None:
            raise _refused("Both token and session ID were provided")
        token = tokens.read(asked.token)
        return Opened(open_by_token(application, request, token, tokens), asked.token)
    session_id = tokens.new_id() if session_id is None else tokens.check_id(session_id)
    payload = payload_of(request, application.payload_of(request))
    session = _checked(application.open(session_id, request, payload), request)
    return Opened(session, tokens.make(session_id, payload))


def open_by_token(
    application: RunningApplication, request: AppRequest, token: Token, tokens: Tokens
) -> AppSession:
    """Open the session that a token names.

    :raises SessionExpired: there is none any more, and the token is too old to begin one.
    """
    session_id = tokens.check_id(token.session_id)
    session = application.find(session_id)
    if session is not None:
        return _checked(session, request)
    if token.has_expired:
        raise SessionExpired(
            "open a session of this application",
            "its token is too old to begin a session with, and its session has ended",
            "Load the page again",
        )
    asked = request.with_payload(token.payload)
    session = application.open(session_id, asked, token.payload)
    session.was_left = True  # by the page that had the one before
    return _checked(session, request)


def _checked(session: AppSession, request: AppRequest) -> AppSession:
    """A session, for whoever opened it, where the server knows people.

    Whoever is connected to a session can put scripts into it, which run in the pages of the others.
    """
    context = session.document.session_context
    opener = getattr(context, "request", None)
    if context is not None and getattr(opener, "identity", None) != request.identity:
        raise _refused("this session is somebody else's")
    return session


def _refused(why: str) -> Forbidden:
    return Forbidden("open a session of this application", why, "Load the page again")
