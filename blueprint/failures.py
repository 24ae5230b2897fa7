"""Errors as answers: JSON for programs, a page for people, a script for pages that embed."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from bokeh_server.blueprint.people.callers import has_login_page
from bokeh_server.blueprint.rendering import json_in_html, render
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.blueprint.wishes import wants_page, wants_script
from bokeh_server.errors import BokehServerError, CallerError, NotAuthenticated, TooMany

__all__ = ["answer_error", "answer_http_error", "answer_unexpected"]

_log = logging.getLogger("bokeh_server")

_HEADINGS = {
    400: "That request cannot be read",
    401: "Please log in",
    403: "That is not allowed",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "That disagrees with what is stored",
    410: "That is no longer kept",
    413: "That is too large",
    429: "That was tried too often",
    503: "The server cannot do this right now",
    507: "The disk is full",
}
_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    414: "address_too_long",
    415: "unsupported_media_type",
    429: "too_many",
}


def answer_error(error: BokehServerError) -> Response:
    """Answer one of our own errors."""
    if not isinstance(error, CallerError):
        _log.error("%s %s: %s", request.method, request.path, error)
    if isinstance(error, NotAuthenticated) and wants_page() and has_login_page():
        return _to_login()
    answer = _answer(error.status, error.code, str(error))
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.seconds)
    return answer


def _to_login() -> Response:
    """Have somebody log in, and come back."""
    query = urlencode({"next": request.full_path.rstrip("?")})
    answer = Response(status=302)
    answer.headers["Location"] = f"{links().root}/bokeh/login?{query}"
    return answer


def answer_http_error(error: HTTPException) -> AnyResponse:
    """Answer an error of Flask: no such address, wrong method, body too large."""
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()
    status = error.code or 500
    answer = _answer(status, _CODES.get(status, "error"), _sentence(error, status))
    if status == 405:
        methods = getattr(error, "valid_methods", None) or ()
        answer.headers["Allow"] = ", ".join(sorted(methods))
    return answer


def answer_unexpected(error: Exception) -> Response:
    """Answer what should not have happened; the details go to the log alone."""
    _log.error("%s %s failed", request.method, request.path, exc_info=error)
    return _answer(500, "error", "Could not answer: the server made a mistake. See its log.")


def _sentence(error: HTTPException, status: int) -> str:
    if isinstance(error, RequestEntityTooLarge):
        return "Could not read the body: it is over the limit. Send less at once."
    if status == 404:
        return "Could not find this address: there is nothing here. Check the address."
    if status == 405:
        return f"Could not {request.method} this address: it does not take that method."
    return str(error.description or error.name)


def _answer(status: int, code: str, detail: str) -> Response:
    if wants_page():
        heading = _HEADINGS.get(status, "Something went wrong")
        page = render("error.html", status=status, heading=heading, detail=detail)
        answer = Response(_mended(page), status, mimetype="text/html")
    elif wants_script():
        told = f"console.error({json_in_html(detail)});"
        answer = Response(told, status, content_type="application/javascript")
    else:
        answer = jsonify(error=code, detail=detail)
        answer.status_code = status
    answer.headers["Vary"] = "Accept"
    return answer


def _mended(page: str) -> str:
    """With ``dev`` the page of an error loads itself again when the application was mended."""
    if not current_state().settings.dev:
        return page
    from bokeh_server.blueprint.applications.developing import with_script

    return with_script(page)
