"""The request of which a session was made, as applications see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AppRequest", "Filters", "payload_of"]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which headers and cookies of requests applications see.

    :param include_headers: these alone; ``None``: all that are not excluded. The same of cookies.
    :param own_cookies: what the names of cookies begin with that no application ever sees.
    """

    include_headers: frozenset[str] | None = None
    exclude_headers: frozenset[str] = frozenset()
    include_cookies: frozenset[str] | None = None
    exclude_cookies: frozenset[str] = frozenset()
    own_cookies: frozenset[str] = frozenset()

    def headers(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> dict[str, str]:
        """Those that applications see; names make no difference between capitals.

        ``Cookie`` is among them when it is included by name, with the cookies that they see.
        """
        hidden = {name.lower() for name in self.exclude_headers}
        only = self.include_headers and {name.lower() for name in self.include_headers}
        shown = {
            name: value
            for name, value in headers.items()
            if name.lower() not in hidden | {"cookie"} and (only is None or name.lower() in only)
        }
        seen = self.cookies(cookies)
        if only and "cookie" in only and seen:
            shown["Cookie"] = "; ".join(f"{name}={value}" for name, value in seen.items())
        return shown

    def cookies(self, cookies: Mapping[str, str]) -> dict[str, str]:
        """Those that applications see."""
        return {
            name: value
            for name, value in cookies.items()
            if name not in self.exclude_cookies
            and not name.startswith(tuple(self.own_cookies))
            and (self.include_cookies is None or name in self.include_cookies)
        }


@dataclass(frozen=True)
class AppRequest:
    """What came with a request.

    :ivar arguments: of the address: name -> values as bytes, without Bokeh's own.
    :ivar user: the name of who sent it, where the server knows people.
    :ivar identity: what tells them from others, whose name may be the same.
    """

    method: str = "GET"
    uri: str = "/"
    path: str = "/"
    query: str = ""
    version: str = "HTTP/1.1"
    remote_ip: str = ""
    protocol: str = "http"
    host: str = ""
    arguments: dict[str, list[bytes]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    files: dict[str, Sequence[Any]] = field(default_factory=dict)
    user: str | None = None
    identity: str | None = None

    def with_payload(self, payload: Mapping[str, Any]) -> AppRequest:
        """The same, as the page's request was that a token tells of."""
        found = {
            name: payload[name] for name in ("arguments", "headers", "cookies") if name in payload
        }
        fitting = {name: value for name, value in found.items() if isinstance(value, dict)}
        if "cookies" in fitting and "headers" in fitting and "Cookie" not in fitting["headers"]:
            pairs = (f"{name}={value}" for name, value in fitting["cookies"].items())
            fitting["headers"] = {**fitting["headers"], "Cookie": "; ".join(pairs)}
        return AppRequest(**{**self.__dict__, **fitting})


def payload_of(request: AppRequest, more: Mapping[str, Any]) -> dict[str, Any]:
    """What a token says of the request of its page.

    :param more: what the application's ``process_request`` gave.
    """
    return {
        "headers": request.headers,
        "cookies": request.cookies,
        "arguments": request.arguments,
        **more,
    }
