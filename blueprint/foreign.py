"""Whether a request was sent by a page of another site.

Two ways are open to such a page: a request to us from where it is (cross-site request forgery),
and its own name pointed at us (DNS rebinding), by which it also reads the answers.
The rule about origins and names is that of the WebSockets, :mod:`bokeh_server.sockets.origin`.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from flask import current_app, request
from werkzeug.datastructures import Headers

from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import Forbidden
from bokeh_server.permissions import Decision
from bokeh_server.sockets.origin import check_name, check_origin

__all__ = [
    "SAFE_METHODS",
    "Names",
    "check_reader",
    "check_request",
    "demand_own_name",
    "machine_names",
    "may_frame",
    "own_names",
    "refuse_foreign",
    "refuse_unsigned",
]

#: methods that change nothing.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


@dataclass(frozen=True, slots=True)
class Names:
    """Who is not foreign.

    :param allowed: pages that may use this server, as ``--allow-websocket-origin`` takes them.
    :param own: names of this server, at whatever port.
    """

    allowed: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


def own_names() -> Names:
    """The names of the server that handles this request."""
    settings = current_state().settings
    # the app has compared the name with its list before it came to us
    checked = (request.host,) if current_app.config.get("TRUSTED_HOSTS") else ()
    return Names(
        (*settings.allow_websocket_origin, *settings.trusted_host), (*machine_names(), *checked)
    )


def may_frame() -> str:
    """Who may show our pages in theirs: those who may connect, as a policy says it."""
    allowed = current_state().settings.allow_websocket_origin
    return " ".join(["'self'", *(host for host in allowed if ";" not in host)])


def machine_names(name: str | None = None) -> tuple[str, ...]:
    """What this machine is called in its own network: no web site has these names."""
    name = socket.gethostname() if name is None else name
    first = name.partition(".")[0]
    return (name, first, f"{first}.local") if first else ()


def refuse_foreign() -> None:
    """Before every request.

    :raises Forbidden: it would change something and comes from a page of another site.
    """
    decision = check_request(request.method, request.headers, own_names())
    if not decision:
        raise Forbidden(f"{request.method} from another site", decision.reason)


def refuse_unsigned() -> None:
    """Before a form logs a browser in: only a page of ours may send one.

    Any client may leave out where it comes from, but no browser does for a form; so who does
    is none, and has no use for a cookie.

    :raises Forbidden: it does not say where it comes from.
    """
    if "Origin" not in request.headers and "Sec-Fetch-Site" not in request.headers:
        raise Forbidden("send this form", "it does not say from which page", "Send JSON instead")


def demand_own_name(attempted: str) -> None:
    """Before what tells a page of documents whose docids it does not know.

    :raises Forbidden: a browser asks under a name that may be another site's.
    """
    decision = check_reader(request.headers, own_names())
    if not decision:
        raise Forbidden(attempted, decision.reason)


def check_request(method: str, headers: Headers, names: Names) -> Decision:
    """Decide whether a request may change something.

    Browsers set ``Origin`` and ``Sec-Fetch-Site`` and pages cannot forge them;
    a client that sends neither is not a browser, so nobody's browser is being misused.
    """
    if method.upper() in SAFE_METHODS:
        return Decision(True, "the method changes nothing")
    origin, host = headers.get("Origin"), headers.get("Host", "")
    site = headers.get("Sec-Fetch-Site") or "none"
    is_ours = site in ("same-origin", "none")
    # A page that is allowed comes from elsewhere; one that says it is ours and does not is neither.
    if not is_ours and (origin is None or _is_at(origin, host)):
        return Decision(False, f"the browser calls it {site[:100]!r}")
    if origin is not None:
        return check_origin(origin, host, names.allowed, names=names.own)
    return check_reader(headers, names)


def _is_at(origin: str, host: str) -> bool:
    return origin.partition("://")[2].lower() == host.lower()


def check_reader(headers: Headers, names: Names) -> Decision:
    """Decide whether the answer is safe from pages that only seem to be ours."""
    if not _is_browser(headers):
        return Decision(True, "it was not sent by a page")
    return check_name(headers.get("Host", ""), names.allowed, names=names.own)


def _is_browser(headers: Headers) -> bool:
    """Whether a page may have sent it: no page can leave all of these out."""
    signs = ("Origin", "Sec-Fetch-Site", "Accept-Language")
    agent = headers.get("User-Agent", "")
    return agent.startswith("Mozilla/") or any(name in headers for name in signs)
