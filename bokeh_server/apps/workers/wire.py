"""What the server and its workers say to each other: JSON and bytes, each with its length.

Both ends are processes of one user, on a socket in a folder that nobody else may enter.
"""

from __future__ import annotations

import json
import struct
from dataclasses import fields
from typing import Any, Protocol

from bokeh_server import errors
from bokeh_server.apps.requests import AppRequest
from bokeh_server.errors import BokehServerError, ServerFault

__all__ = ["pack", "pack_error", "pack_request", "receive", "unpack_error", "unpack_request"]

_HEAD = struct.Struct("!II")
#: the names of our errors, which are raised again where they were asked for.
_ERRORS = {name: getattr(errors, name) for name in errors.__all__}
_FROM_TEXT = ("attempted", "why", "remedy")


def pack(content: dict[str, Any], data: bytes = b"") -> bytes:
    """A message."""
    # The standard library's writer: text from addresses may have halves of surrogate pairs.
    text = json.dumps(content).encode("ascii")
    return b"".join((_HEAD.pack(len(text), len(data)), text, data))


class Readable(Protocol):
    """A socket, or what is read like one."""

    def recv(self, size: int, /) -> bytes:
        """What is there, at most so much; empty at the end."""


def receive(sock: Readable) -> tuple[dict[str, Any], bytes]:
    """Wait for a message.

    :raises EOFError: the other end has gone.
    :raises TimeoutError: nothing came for as long as the socket waits.
    """
    text, data = _HEAD.unpack(_exactly(sock, _HEAD.size))
    content: dict[str, Any] = json.loads(_exactly(sock, text))
    return content, _exactly(sock, data)


def _exactly(sock: Readable, size: int) -> bytes:
    parts, left = [], size
    while left:
        part = sock.recv(min(left, 1024 * 1024))
        if not part:
            raise EOFError
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def pack_request(request: AppRequest) -> dict[str, Any]:
    """A request, without its body: none that makes a session has one."""
    content = {each.name: getattr(request, each.name) for each in fields(request)}
    del content["body"], content["files"]
    content["arguments"] = {
        name: [value.decode("latin-1") for value in values]
        for name, values in request.arguments.items()
    }
    return content


def unpack_request(content: dict[str, Any]) -> AppRequest:
    """The request again."""
    arguments = {
        name: [value.encode("latin-1") for value in values]
        for name, values in content["arguments"].items()
    }
    return AppRequest(**{**content, "arguments": arguments})


def pack_error(error: BokehServerError) -> dict[str, Any]:
    """An error of ours, without what only its own kind knows."""
    name = next(each.__name__ for each in type(error).__mro__ if each.__name__ in _ERRORS)
    return {"error": name, **{part: getattr(error, part) for part in _FROM_TEXT}}


def unpack_error(content: dict[str, Any]) -> BokehServerError:
    """The error again."""
    kind = _ERRORS.get(content["error"], ServerFault)
    error: BokehServerError = kind(*(content[part] for part in _FROM_TEXT))
    return error
