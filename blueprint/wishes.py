"""What kind of answer a request wants."""

from __future__ import annotations

from flask import request
from flask.globals import request_ctx

__all__ = ["wants_page"]


def wants_page() -> bool:
    """Whether a browser asks for a page, rather than a program for data."""
    if not request_ctx:  # a message on a socket, long after its request
        return False
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return request.method in ("GET", "HEAD") and best == "text/html"
