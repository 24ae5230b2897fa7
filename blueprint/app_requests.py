"""Which session of which application a request is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request

from bokeh_server.apps import AppHost, AppRequest, AppSession, RunningApplication, payload_of
from bokeh_server.blueprint.callers import current_caller
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import Forbidden, NotFound

__all__ = ["Opened", "app_request", "application_at", "open_session"]

#: arguments of addresses that are not for the application.
_OWN = "bokeh-"
_ID, _TOKEN = "bokeh-session-id", "bokeh-token"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session, and a token for whoever asked for it.

    Bokeh's templates take it for a session of its own.
    """

    session: AppSession
    token: str

    @property
    def document(self) -> Any:
        """The session's document."""
        return self.session.document


def application_at(path: str) -> RunningApplication:
    """The application at an address.

    :raises NotFound: there is none.
    """
    found = _host().find(path)
    if found is None:
        raise NotFound("open an application", f"there is none at {path}", "Check the address")
    return found


def _host() -> AppHost:
    host = current_state().applications
    host.start()
    return host


def app_request() -> AppRequest:
    """This request, as applications see it."""
    filters = current_state().applications.options.filters
    return AppRequest(
        method=request.method,
        uri=request.full_path.rstrip("?"),
        path=request.path,
        query=request.query_string.decode("latin-1"),
        version=request.environ.get("SERVER_PROTOCOL", ""),
        remote_ip=request.remote_addr or "",
        protocol=request.scheme,
        host=request.host,
        arguments=_arguments(),
        headers=filters.headers(dict(request.headers), has_cookies=bool(request.cookies)),
        cookies=filters.cookies(request.cookies),
        user=current_caller().actor.name if current_state().settings.multi_user else None,
    )


def _arguments() -> dict[str, list[bytes]]:
    return {
        name: [value.encode("utf-8", "surrogateescape") for value in values]
        for name, values in request.args.lists()
        if not name.startswith(_OWN)
    }


def open_session(application: RunningApplication) -> Opened:
    """The session that a page's request asks for, or a new one, with a fresh token.

    :raises Forbidden: it asks for one that it may not have.
    """
    tokens = current_state().applications.options.tokens
    session_id, given = _asked_id(), _last(_TOKEN)
    if given is not None and session_id is not None:
        raise _refused("Both token and session ID were provided")
    asked = app_request()
    if given is not None:
        token = tokens.read(given)
        session = application.open(
            tokens.check_id(token.session_id), asked.with_payload(token.payload), token.payload
        )
        return Opened(session, given)
    session_id = tokens.new_id() if session_id is None else tokens.check_id(session_id)
    payload = payload_of(asked, application.payload_of(asked))
    return Opened(application.open(session_id, asked, payload), tokens.make(session_id, payload))


def _asked_id() -> str | None:
    argument, header = _last(_ID), request.headers.get("Bokeh-Session-Id")
    if argument is not None and header is not None:
        raise _refused("session ID was provided as an argument and header")
    return argument if argument is not None else header


def _last(name: str) -> str | None:
    values = request.args.getlist(name)
    return values[-1].strip() if values else None


def _refused(why: str) -> Forbidden:
    return Forbidden("open a session of this application", why, "Load the page again")
