"""What kind of answer a request wants."""

from __future__ import annotations

from flask import request
from flask.globals import request_ctx

__all__ = ["wants_page", "wants_script"]


def wants_page() -> bool:
    """Whether a browser asks for a page, rather than a program for data."""
    if not request_ctx:  # a message on a socket, long after its request
        return False
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return request.method in ("GET", "HEAD") and best == "text/html"


def wants_script() -> bool:
    """Whether a page runs what it gets, also a refusal, unless it says that it reads data."""
    if not request_ctx or not (request.endpoint or "").endswith(".autoload"):
        return False
    kinds = ["application/javascript", "application/json"]
    return request.accept_mimetypes.best_match(kinds) != "application/json"
