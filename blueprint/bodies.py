"""Request bodies and headers, read with limits."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from bokeh_server.blocking import run_sized
from bokeh_server.errors import BadRequest
from bokeh_server.protocol.packing import CONTENT_TYPE, unpack
from bokeh_server.protocol.patches import KEY_LENGTH, Patch, parse_patch, weigh
from bokeh_server.storage.documents import check_title

__all__ = [
    "choice_argument",
    "fingerprint",
    "fingerprint_of",
    "integer_argument",
    "parse_body",
    "read_json",
    "read_object",
    "read_packed",
    "read_patch",
    "read_title",
    "short_header",
]


def read_packed() -> tuple[bytes, Mapping[str, bytes]]:
    """The body as JSON bytes and binary buffers; plain JSON has no buffers."""
    data = _read()
    if request.mimetype == CONTENT_TYPE:
        return run_sized(len(data), unpack, data, "the body")
    return data, {}


def read_patch() -> Patch:
    """The body as a patch."""
    content, buffers = read_packed()
    return run_sized(len(content), parse_patch, content, buffers)


def parse_body(content: bytes) -> Any:
    """JSON that came in the body.

    :raises BadRequest: it is not JSON.
    """
    try:
        return run_sized(len(content), orjson.loads, content)
    except orjson.JSONDecodeError as error:
        raise BadRequest("read the body", f"it is not JSON: {error}") from None


def read_json() -> tuple[Any, int]:
    """The body as JSON, and its weight as a patch.

    :raises BadRequest: it is not JSON.
    """
    data = _read()
    return parse_body(data), weigh(data, {})


def read_object() -> tuple[dict[str, Any], int]:
    """The body as a JSON object, and its weight as a patch."""
    value, weight = read_json()
    if not isinstance(value, dict):
        raise BadRequest("read the body", "it is not a JSON object", 'Send {"name": value, ...}')
    return value, weight


def fingerprint() -> str | None:
    """What tells this request from others of the same ``Idempotency-Key``; nothing without one."""
    if "Idempotency-Key" not in request.headers:
        return None
    return fingerprint_of(request.method, request.path, request.get_data())


def fingerprint_of(method: str, path: str, data: bytes) -> str:
    """The fingerprint of a request, also of one that came on a WebSocket in place of it."""
    return run_sized(len(data), _digest, f"{method} {path}".encode(), data)


def _digest(*parts: bytes) -> str:
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(b"%d " % len(part))
        digest.update(part)
    return digest.hexdigest()


def read_title() -> str:
    """The title in a body ``{"title": ...}``."""
    body, _ = read_object()
    return check_title(body.get("title"))


def integer_argument(name: str, default: int, *, most: int) -> int:
    """A whole number of the query string, from 0 to ``most``."""
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > most:
        raise BadRequest(f"read the argument {name}", f"it is not a number from 0 to {most}")
    return int(text)


def choice_argument(name: str, choices: tuple[str, ...]) -> str:
    """A word of the query string, one of ``choices``; the first where it is not there."""
    text = request.args.get(name, choices[0])
    if text not in choices:
        raise BadRequest(f"read the argument {name}", f"it is not one of {', '.join(choices)}")
    return text


def short_header(name: str) -> str | None:
    """A header of printable ASCII, or ``None`` where it is not sent."""
    value = request.headers.get(name)
    if value is None:
        return None
    if not 0 < len(value) <= KEY_LENGTH or not value.isascii() or not value.isprintable():
        raise BadRequest(
            f"read the header {name}", f"it is not 1 to {KEY_LENGTH} printable ASCII characters"
        )
    return value


def _read() -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(
            "Could not read the body: it is compressed. Send it without Content-Encoding."
        )
    # kept only for whoever needs a fingerprint of it
    data = request.get_data(cache="Idempotency-Key" in request.headers)
    most = request.max_content_length
    if most is not None and len(data) >= most and request.content_length is None:
        # werkzeug cuts off a chunked body at the limit, and says nothing
        raise RequestEntityTooLarge
    return data
