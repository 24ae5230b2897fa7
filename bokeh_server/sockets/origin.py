"""Which pages may use this server, by the ``Origin`` that the browser tells.

Browsers let any page open a WebSocket to anywhere and send a good many requests,
with the user's cookies: that the page may is for the server to say, before the 101.

The same origin is not enough: a site can make its own name point at this server (DNS rebinding),
and then its pages are where ours are. So a name counts as ours only when no other site
can have pointed it here, or when the administrator said that it is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from bokeh_server.permissions import Decision
from bokeh_server.sockets.tickets import Kind

__all__ = ["check_name", "check_origin"]

DEFAULT_PORTS = {"http": 80, "https": 443}
AUTHORITY = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s\[\]@:/?#\\]+))(?::(?P<port>[0-9]{1,5}|\*))?"
)

_ANY_PAGE = Decision(True, "it has a ticket for embedding, which is good for any page")
_FRAME = Decision(True, "it has a ticket for a frame, and frames have no origin of their own")


@dataclass(frozen=True, slots=True)
class _Authority:
    """A host and its port; ``None``: the one that the scheme implies."""

    host: str
    port: str | None
    ipv6: bool = False


def check_origin(
    origin: str | None,
    host: str,
    allowed: Iterable[str],
    ticket_kind: Kind | None = None,
    *,
    names: Iterable[str] = (),
) -> Decision:
    """Decide whether a page of ``origin`` may open a WebSocket, or change something.

    A ``host`` without a port is at the port of the scheme of ``origin``, not of ours,
    because a proxy may have ended TLS.

    :param origin: the ``Origin`` header; ``None``: there is none, which only scripts can do.
    :param host: the ``Host`` header.
    :param allowed: hosts as ``bokeh serve --allow-websocket-origin`` takes them:
        ``host`` (port 80, or the one of the scheme), ``host:port``, ``[::1]:5006``,
        with ``*`` for a part of the name, for the port, or alone for every host.
    :param ticket_kind: the kind of the valid ticket that came with the request;
        ``embed`` opens the WebSocket to pages of any origin,
        ``frame`` to those that have none, and to nobody else.
    :param names: names of this server, at whatever port.
    """
    if ticket_kind == "frame":
        return _FRAME if origin == "null" else Decision(False, "its ticket is for a frame")
    if origin is None:
        return Decision(True, "no browser sent it, for it has no Origin")
    shown = repr(origin[:200])
    if origin == "null":
        return _foreign(ticket_kind, "the page has no origin of its own (null)")
    scheme, separator, rest = origin.partition("://")
    authority = _authority(rest) if separator and "*" not in rest else None
    if authority is None:
        return Decision(False, f"{shown} is not an origin")
    if scheme.lower() not in DEFAULT_PORTS:
        return _foreign(ticket_kind, f"{shown} is not a web page")
    patterns = _patterns(allowed)
    if any(_matches(authority, pattern, scheme.lower()) for pattern in patterns):
        return Decision(True, f"{shown} is one of the allowed origins")
    own = _authority(host)
    if own is None or _key(own, scheme.lower()) != _key(authority, scheme.lower()):
        return _foreign(ticket_kind, f"{shown} is another site than this server, {host[:200]!r}")
    known = _check_known(own, [*patterns, *_patterns(names)], host)
    return _ANY_PAGE if ticket_kind == "embed" else known


def check_name(host: str, allowed: Iterable[str], *, names: Iterable[str] = ()) -> Decision:
    """Decide whether a page at this address is surely ours, and not another site's.

    :param host: the ``Host`` header.
    :param allowed: as for :func:`check_origin`; their ports do not count.
    :param names: names of this server.
    """
    return _check_known(_authority(host), [*_patterns(allowed), *_patterns(names)], host)


def _check_known(own: _Authority | None, known: list[_Authority], host: str) -> Decision:
    shown = host[:200]
    if own is not None and (
        _cannot_be_rebound(own) or any(_matches_name(own.host, each.host) for each in known)
    ):
        return Decision(True, f"{shown!r} is this server")
    return Decision(
        False,
        f"{shown!r} is not known to be this server, and another site can have made it point here; "
        f"if it is, start the server with --allow-websocket-origin {shown} "
        "(in a Flask app: set TRUSTED_HOSTS, or allow_websocket_origin)",
    )


def _foreign(kind: Kind | None, why: str) -> Decision:
    if kind == "embed":
        return _ANY_PAGE
    return Decision(
        False, f"{why}; start the server with --allow-websocket-origin to permit an origin"
    )


def _authority(text: str) -> _Authority | None:
    match = AUTHORITY.fullmatch(text)
    if match is None:
        return None
    port = match["port"]
    if port not in (None, "*"):
        if int(port) > 65535:
            return None
        port = str(int(port))
    if match["ipv6"] is None:
        name = _name(match["name"])
        return None if name is None else _Authority(name, port)
    try:
        return _Authority(str(ipaddress.IPv6Address(match["ipv6"])), port, ipv6=True)
    except ValueError:
        return None


def _name(name: str) -> str | None:
    """A host name in lower case and in the form for DNS."""
    if name.isascii():
        return name.lower()
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None


def _patterns(entries: Iterable[str]) -> list[_Authority]:
    return [pattern for entry in entries if (pattern := _pattern(entry)) is not None]


def _pattern(entry: str) -> _Authority | None:
    if entry.strip() == "*":
        return _Authority("*", "*")
    return _authority(entry.strip())


def _key(authority: _Authority, scheme: str) -> tuple[str, str]:
    return authority.host, authority.port or str(DEFAULT_PORTS[scheme])


def _matches(origin: _Authority, pattern: _Authority, scheme: str) -> bool:
    """As Bokeh does, whose origins without a port count as port 80, those of https too."""
    implied = {"80", str(DEFAULT_PORTS[scheme])}
    ports = implied if origin.port is None else {origin.port}
    wanted = {"80"} if pattern.port is None else {pattern.port}
    return _matches_name(origin.host, pattern.host) and (
        pattern.port == "*" or bool(ports & wanted)
    )


def _matches_name(name: str, pattern: str) -> bool:
    """Part by part, so that neither a prefix nor a suffix of a name is enough."""
    if pattern == "*":
        return True
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(
        part and want in (part, "*") for part, want in zip(parts, wanted, strict=True)
    )


def _cannot_be_rebound(own: _Authority) -> bool:
    """Whether no other site can have pointed this name at us (DNS rebinding)."""
    if own.ipv6 or own.host == "localhost":
        return True
    try:
        ipaddress.IPv4Address(own.host)
    except ValueError:
        return False
    return True
