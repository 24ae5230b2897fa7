"""Tornado's request handlers, as people write them for logins, on Flask.

Nothing of Tornado's is served: a request of Flask's is put in Tornado's words, the handler's method
is called, and what it writes is the answer. Only servers with an auth module import Tornado.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

from flask import Response, request
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, RequestHandler

from bokeh_server.apps import Coroutines, contained

__all__ = ["Handlers"]

T = TypeVar("T")


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


class _Asker(RequestHandler):
    """What functions such as ``get_user`` are called with."""


class Handlers:
    """Makes handlers of Tornado's for requests of Flask's.

    :param settings: of Tornado's, such as ``cookie_secret``.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._application = Application([], log_function=lambda _: None, **settings)
        self._coroutines = Coroutines()

    def asker(self) -> RequestHandler:
        """A handler for the request that is being answered, to ask about it."""
        return _Asker(self._application, _request(_Connection()))

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function of the user's, and wait if that is a coroutine."""
        result = contained(function, *args)
        return contained(self._coroutines.run, result) if inspect.isawaitable(result) else result

    def answer(self, handler_type: type) -> Response:
        """Have a handler answer the request."""
        connection = _Connection()
        handler = handler_type(self._application, _request(connection))
        work = handler._execute([])
        if _waits(handler):
            contained(self._coroutines.run, work)
        else:
            contained(_run, work)
        answer = Response(connection.body, connection.status)
        for name in {name for name, _ in connection.headers}:
            answer.headers.remove(name)
        for name, value in connection.headers:
            if name.lower() not in ("content-length", "server", "date", "etag"):
                answer.headers.add(name, value)
        return answer

    def close(self) -> None:
        """End."""
        self._coroutines.stop()


def _waits(handler: RequestHandler) -> bool:
    """Whether what answers is a coroutine, and needs a loop."""
    methods = (handler.prepare, getattr(handler, request.method.lower(), None))
    return any(
        inspect.iscoroutinefunction(each) or hasattr(each, "__tornado_coroutine__")
        for each in methods
    )


def _run(work: Any) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()
    raise RuntimeError("a request handler waits without being a coroutine: write 'async def'")


def _request(connection: _Connection) -> HTTPServerRequest:
    headers = HTTPHeaders()
    for name, value in request.headers.items():
        headers.add(name, value)
    line = RequestStartLine(request.method, _uri(), "HTTP/1.1")
    made = HTTPServerRequest(
        headers=headers,
        # What becomes a WebSocket has no body, but no end either.
        body=request.get_data(cache=True) if request.method != "GET" else b"",
        connection=connection,  # type: ignore[arg-type]
        start_line=line,
    )
    made._parse_body()
    return made


def _uri() -> str:
    query = request.query_string.decode("latin-1")
    path = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if isinstance(path, str) and path.startswith("/"):
        return path
    return request.script_root + request.path + (f"?{query}" if query else "")
