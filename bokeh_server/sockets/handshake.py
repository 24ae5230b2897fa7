"""The opening handshake, read from a WSGI environment (RFC 6455, section 4.2).

What is wrong with a request is a plain HTTP answer; no extension is ever agreed on,
so that one frame, never compressed, serves every viewer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Handshake", "Refusal", "read_handshake"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: headers of a Flask response that make no sense beside a 101, or that we write ourselves.
OWN_HEADERS = frozenset(
    (
        "connection",
        "content-length",
        "content-type",
        "date",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "server",
        "transfer-encoding",
        "upgrade",
    )
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request cannot become a WebSocket, as an HTTP answer; false."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Handshake:
    """A request that may become a WebSocket.

    :param subprotocols: what the client offers, in its order.
    :param origin: the ``Origin`` header; ``None`` where there is none, as from scripts.
    :param host: the ``Host`` header, or empty.
    """

    key: str
    subprotocols: tuple[str, ...]
    origin: str | None
    host: str

    @property
    def token(self) -> str | None:
        """The token that BokehJS sends as the second of the subprotocols ``bokeh, <token>``."""
        if len(self.subprotocols) == 2 and self.subprotocols[0] == "bokeh":
            return self.subprotocols[1]
        return None

    def answer(
        self, subprotocol: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> bytes:
        """Give the 101 answer, ready to send.

        :param subprotocol: one of those that were offered.
        :param headers: more headers, such as cookies; what does not belong here is left out.
        """
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {_accept(self.key)}",
        ]
        if subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
        lines += (f"{name}: {value}" for name, value in headers if name.lower() not in OWN_HEADERS)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def read_handshake(environ: Mapping[str, Any]) -> Handshake | Refusal:
    """Read the handshake of a request."""
    refusal = _refusal(environ)
    if refusal is not None:
        return refusal
    offered = environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")
    subprotocols = tuple(item.strip() for item in offered.split(",")) if offered else ()
    if not all(TOKEN.fullmatch(item) for item in subprotocols):
        return Refusal(400, "Sec-WebSocket-Protocol is not a list of tokens")
    return Handshake(
        environ["HTTP_SEC_WEBSOCKET_KEY"],
        subprotocols,
        environ.get("HTTP_ORIGIN"),
        environ.get("HTTP_HOST", ""),
    )


def _refusal(environ: Mapping[str, Any]) -> Refusal | None:
    if environ.get("REQUEST_METHOD") != "GET":
        return Refusal(405, "a WebSocket is opened with GET", (("Allow", "GET"),))
    if environ.get("SERVER_PROTOCOL", "HTTP/1.1") in ("HTTP/0.9", "HTTP/1.0"):
        return Refusal(400, "a WebSocket needs HTTP/1.1")
    if "websocket" not in _tokens(environ, "HTTP_UPGRADE"):
        return Refusal(400, 'this address can "Upgrade" only to "websocket"')
    if "upgrade" not in _tokens(environ, "HTTP_CONNECTION"):
        return Refusal(400, 'the header "Connection: Upgrade" is missing')
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        version = (("Sec-WebSocket-Version", "13"),)
        return Refusal(426, "only version 13 of the WebSocket protocol is spoken here", version)
    if not _is_key(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")):
        return Refusal(400, "Sec-WebSocket-Key is not 16 bytes in base64")
    if environ.get("CONTENT_LENGTH", "") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        return Refusal(400, "a request that becomes a WebSocket has no body")
    return None


def _tokens(environ: Mapping[str, Any], name: str) -> list[str]:
    return [item.strip().lower() for item in environ.get(name, "").split(",")]


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (ValueError, binascii.Error):
        return False


def _accept(key: str) -> str:
    digest = hashlib.sha1(key.encode("ascii") + GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")
