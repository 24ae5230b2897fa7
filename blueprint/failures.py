"""Errors as answers: JSON for programs, a page for people."""

from __future__ import annotations

import logging

from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from bokeh_server.blueprint.pages import render
from bokeh_server.errors import BokehServerError, CallerError

__all__ = ["answer_error", "answer_http_error", "answer_unexpected", "wants_page"]

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
}


def wants_page() -> bool:
    """Whether a browser asks for a page, rather than a program for data."""
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return request.method in ("GET", "HEAD") and best == "text/html"


def answer_error(error: BokehServerError) -> Response:
    """Answer one of our own errors."""
    if not isinstance(error, CallerError):
        _log.error("%s %s: %s", request.method, request.path, error)
    return _answer(error.status, error.code, str(error))


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
        answer = Response(page, status, mimetype="text/html")
    else:
        answer = jsonify(error=code, detail=detail)
        answer.status_code = status
    answer.headers["Vary"] = "Accept"
    return answer
