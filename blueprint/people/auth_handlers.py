"""Tornado's request handlers, as people write them for logins, on Flask.

Nothing of Tornado's is served: a request of Flask's is put in Tornado's words, the handler's method
is called, and what it writes is the answer. Only servers with an auth module import Tornado.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import re
from collections.abc import Callable, Generator, Mapping
from http.client import responses
from typing import Any

from flask import Response, abort, after_this_request, g, request
from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPServerRequest, RequestStartLine
from tornado.web import Application, Finish, HTTPError, RequestHandler
from werkzeug.exceptions import HTTPException

from bokeh_server.apps import Coroutines, contained
from bokeh_server.errors import BadRequest, Forbidden, NotAuthenticated, NotFound, ServerFault

__all__ = ["Handlers"]

_log = logging.getLogger("bokeh_server")

_KEPT = "_bokeh_server_asker"
#: our errors by what a function such as ``get_user`` may answer.
_ERRORS = {
    each.status: each for each in (BadRequest, NotAuthenticated, Forbidden, NotFound, ServerFault)
}
#: headers that whoever serves the answer sets.
_OF_SERVERS = ("content-length", "server", "date", "etag")


class _Done:
    """Something to wait for that is done."""

    def __await__(self) -> Generator[None]:
        return
        yield


class _Connection:
    """Where a handler writes its answer to."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.context = self
        self.remote_ip = request.remote_addr or ""
        self.protocol = request.scheme

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Nobody goes away meanwhile."""

    def write_headers(self, start_line: Any, headers: HTTPHeaders, chunk: bytes = b"") -> _Done:
        """Take the head of the answer, and perhaps all of it."""
        self.status = start_line.code
        self.headers = list(headers.get_all())
        return self.write(chunk)

    def write(self, chunk: bytes) -> _Done:
        """Take a piece of the body."""
        self.body += chunk or b""
        return _Done()

    def finish(self) -> None:
        """Nothing is waited for."""

    def answer(self) -> Response:
        """What was written."""
        answer = Response(self.body, self.status)
        self.add_headers(answer)
        return answer

    def add_headers(self, answer: Response, *without: str) -> None:
        """Give an answer the headers that were written; those of the same names go."""
        written = [each for each in self.headers if each[0].lower() not in (*_OF_SERVERS, *without)]
        for name in {name for name, _ in written} - {"Set-Cookie"}:
            answer.headers.remove(name)
        for name, value in written:
            answer.headers.add(name, value)


class _Request(HTTPServerRequest):
    """Its body is read once; some versions of Tornado have handlers read it, others do it before.

    What is no form is found out by the handler, which answers that.
    """

    _is_read = False

    def _parse_body(self) -> None:
        if not self._is_read:
            super()._parse_body()
            self._is_read = True


class _Asker(RequestHandler):
    """What functions such as ``get_user`` are called with.

    What they set, such as cookies, goes with the answer; where they write one, that is it.
    """

    def __init__(self, application: Application, connection: _Connection) -> None:
        super().__init__(application, _request(connection))
        self._written = connection
        self._transforms = []

    def ask(self, call: Callable[..., Any], function: Callable[..., Any]) -> Any:
        """Call a function about the request.

        :param call: calls it.
        """
        try:
            found = call(function, self)
        except HTTPError as error:
            raise _error_of(error) from error
        except Finish as end:
            self.finish(*end.args)
            found = None
        if self._finished:
            abort(self._written.answer())
        return found

    def add_to(self, answer: Response) -> Response:
        """Have what was set go with an answer, which may be what was written."""
        if not self._finished:
            self.finish()
            self._written.add_headers(answer, "content-type")
        return answer


def _error_of(error: HTTPError) -> Exception:
    """An error of Tornado's as one of ours, or at least of Flask's."""
    if error.log_message:
        _log.warning("The auth module: %s", error)
    status = error.status_code
    reason = error.reason or responses.get(status, "Unknown")
    attempted, why = f"{request.method} this address", f"the auth module says {status} {reason}"
    if status in _ERRORS:
        return _ERRORS[status](attempted, why)
    other = HTTPException(f"Could not {attempted}: {why}.")
    other.code = status
    return other


class Handlers:
    """Makes handlers of Tornado's for requests of Flask's.

    :param settings: of Tornado's, such as ``cookie_secret``.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._application = Application([], log_function=lambda _: None, **settings)
        self._coroutines = Coroutines()

    def ask(self, function: Callable[..., Any]) -> Any:
        """Call a function of the user's about the request that is being answered.

        All that are asked about one request are called with the same handler.
        """
        if _KEPT not in g:
            setattr(g, _KEPT, _Asker(self._application, _Connection()))
            after_this_request(getattr(g, _KEPT).add_to)
        return getattr(g, _KEPT).ask(self._call, function)

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function, and wait if that is a coroutine."""
        result = contained(function, *args)
        return contained(self._coroutines.run, result) if inspect.isawaitable(result) else result

    def answer(self, handler_type: type, found: re.Match[str] | None = None) -> Response:
        """Have a handler answer the request.

        :param found: how the address fits a pattern, whose groups the handler's method is given.

        Also one that waits for nothing is on the loop: Tornado asks for it where there is an error.
        """
        connection = _Connection()
        handler = contained(handler_type, self._application, _request(connection))
        args, kwargs = _groups(found) if found is not None else ([], {})
        contained(self._coroutines.run, handler._execute([], *args, **kwargs))
        return connection.answer()

    def close(self) -> None:
        """End."""
        self._coroutines.stop()


def _groups(found: re.Match[str]) -> tuple[list[bytes], dict[str, bytes]]:
    """The groups of a pattern as Tornado gives them: by their names, if they have any."""
    named = {name: text.encode() for name, text in found.groupdict(default="").items()}
    return ([] if named else [text.encode() for text in found.groups(default="")]), named


def _request(connection: _Connection) -> HTTPServerRequest:
    headers = HTTPHeaders()
    for name, value in request.headers.items():
        headers.add(name, value)
    line = RequestStartLine(request.method, _uri(), "HTTP/1.1")
    made = _Request(
        headers=headers,
        # What becomes a WebSocket has no body, but no end either.
        body=request.get_data(cache=True) if request.method != "GET" else b"",
        connection=connection,  # type: ignore[arg-type]
        start_line=line,
    )
    with contextlib.suppress(HTTPInputError):
        made._parse_body()
    return made


def _uri() -> str:
    query = request.query_string.decode("latin-1")
    path = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if isinstance(path, str) and path.startswith("/"):
        return path
    return request.script_root + request.path + (f"?{query}" if query else "")
