"""Whether a request was sent by a page of another site (cross-site request forgery)."""

from __future__ import annotations

from urllib.parse import urlsplit

from bokeh_server.permissions import Decision

__all__ = ["SAFE_METHODS", "check_request"]

#: methods that change nothing.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_PORTS = {"http": 80, "https": 443}


def check_request(
    method: str, scheme: str, host: str, *, origin: str | None, fetch_site: str | None
) -> Decision:
    """Decide whether a request may change something.

    Browsers set both headers and pages cannot forge them;
    a client that sends neither is not a browser, so nobody's browser is being misused.

    :param scheme: ``http`` or ``https``, as this server was called.
    :param host: the ``Host`` header.
    :param origin: the ``Origin`` header.
    :param fetch_site: the ``Sec-Fetch-Site`` header.
    """
    if method.upper() in SAFE_METHODS:
        return Decision(True, "the method changes nothing")
    if origin is not None:
        return _check_origin(origin, scheme, host)
    if fetch_site in (None, "", "same-origin", "none"):
        return Decision(True, "it was not sent by a page of another site")
    return Decision(False, f"the browser calls it {_shown(fetch_site)}")


def _check_origin(origin: str, scheme: str, host: str) -> Decision:
    own = _authority(f"{scheme}://{host}")
    if own is not None and _authority(origin) == own:
        return Decision(True, "it was sent by a page of this server")
    return Decision(False, f"it was sent by a page of {_shown(origin)}")


def _authority(url: str) -> tuple[str, int] | None:
    """Host and port; the scheme is left out, as a proxy in front may have ended TLS."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None or parts.path or parts.query:
        return None
    return parts.hostname.lower(), port


def _shown(value: str | None) -> str:
    return repr((value or "")[:100])
