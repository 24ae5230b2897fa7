"""Where several people share a server, a document's page is a shell around a frame.

A document is a program of its author. The shell is ours, with the login; the frame holds the plot,
without an origin, and may load our scripts, follow its document and do nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urlencode

from flask import request

from bokeh_server.blueprint.documents.revisions import asked_revision
from bokeh_server.blueprint.foreign import may_frame
from bokeh_server.blueprint.people.tickets import asks_for, is_public
from bokeh_server.blueprint.static_files import links
from bokeh_server.blueprint.usercontent import (
    asked_shell,
    content_host,
    frame_origin,
    is_usercontent,
    shell_origin,
)
from bokeh_server.errors import BadRequest
from bokeh_server.sites import Sites

__all__ = [
    "embedded_url",
    "frame_ancestors",
    "frame_headers",
    "frame_url",
    "is_embedded",
    "is_framed",
    "shell_headers",
    "shell_url",
]

#: what may hold a frame, and ``empty``: a script that asks for it. Some browsers do not say.
_DESTINATIONS = frozenset({"iframe", "embed", "empty"})
_HOST = re.compile(r"[a-z0-9_.-]+(:[0-9]{1,5})?", re.IGNORECASE)
_IPV6_HOST = re.compile(r"\[[0-9a-f:.]+\](:[0-9]{1,5})?", re.IGNORECASE)
_OFF = (
    "accelerometer", "autoplay", "camera", "clipboard-read", "display-capture",
    "encrypted-media", "gamepad", "geolocation", "gyroscope", "hid", "idle-detection",
    "local-fonts", "magnetometer", "microphone", "midi", "payment", "picture-in-picture",
    "publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb",
    "window-management", "xr-spatial-tracking",
    # what frames may everywhere, unless it is taken away
    "browsing-topics", "deferred-fetch", "deferred-fetch-minimal", "private-state-token-issuance",
    "private-state-token-redemption",
)  # fmt: skip
#: what tools of plots use, where the shell lends it.
_ON = ("clipboard-write", "fullscreen")


def is_embedded() -> bool:
    """Whether the page stands in one of somebody else's, where everybody only looks."""
    return is_public() and asks_for("embedded")


def is_framed() -> bool:
    """Whether the request comes from something that holds a frame, as far as the browser says."""
    return request.headers.get("Sec-Fetch-Dest", "iframe") in _DESTINATIONS


def frame_url(docid: str, key: str | None) -> str:
    """The address of the frame in the page of this request."""
    arguments = {"modelid": key} if key else {}
    if content_host() is None:
        return f"{_path(docid, 'frame')}?{_query(arguments)}".rstrip("?")
    arguments["shell"] = shell_origin()
    return f"{frame_origin(docid)}{_path(docid, 'frame')}?{_query(arguments)}"


def shell_url(docid: str) -> str:
    """The address of the page to which the frame of this request belongs.

    :raises BadRequest: it is at a host of its own, and the page is not known to be ours.
    """
    origin = asked_shell() if is_usercontent() else ""
    page = _path(docid, request.args.get("modelid") or "show")
    return f"{origin}{page}?{_query({})}".rstrip("?")


def embedded_url(docid: str, key: str | None) -> str:
    """The address of a plot's page that stands in one of somebody else's."""
    revision = asked_revision()
    shown = {} if revision is None else {"revision": revision}
    query = urlencode({"public": "true", "embedded": "true", **shown})
    return f"{_path(docid, key or 'show')}?{query}"


def _path(docid: str, last: str) -> str:
    return f"{links().root}/bokeh/doc/{quote(docid, safe='')}/{quote(last, safe='')}"


def _query(arguments: dict[str, str]) -> str:
    revision = asked_revision()
    flags = {"public": is_public(), "strict": asks_for("strict"), "embedded": asks_for("embedded")}
    flat = {name: "true" for name, on in flags.items() if on}
    return urlencode(arguments | flat | ({} if revision is None else {"revision": str(revision)}))


def frame_ancestors(sites: Sites = None) -> str:
    """Who may frame the page: where one only looks these sites, else those who may connect."""
    if is_public():
        return "*" if sites is None else " ".join(["'self'", *sites])
    return may_frame()


def shell_headers(docid: str, sites: Sites) -> dict[str, str]:
    """What the page around a frame may do: our scripts, and one frame that can go nowhere else."""
    own = "'self'"
    policy = {
        "default-src": "'none'",
        **dict.fromkeys(("script-src", "style-src", "img-src", "connect-src"), own),
        "frame-src": _frame_source(docid),
        **dict.fromkeys(("object-src", "base-uri"), "'none'"),
        "form-action": own,
        "require-trusted-types-for": "'script'",
        "frame-ancestors": frame_ancestors(sites),
    }
    return {"Content-Security-Policy": _directives(policy)}


def _frame_source(docid: str) -> str:
    path = _path(docid, "frame")
    return _here("http", path) if content_host() is None else frame_origin(docid) + path


def frame_headers(docid: str) -> dict[str, str]:
    """What keeps a document's JavaScript in; good as well where the address is opened by itself."""
    return {
        "Content-Security-Policy": _directives(_frame_policy(docid)),
        "Permissions-Policy": ", ".join(
            [*(f"{name}=()" for name in _OFF), *(f"{name}=*" for name in _ON)]
        ),
        "Referrer-Policy": "no-referrer",
        "X-DNS-Prefetch-Control": "off",
        "Vary": "Accept, Sec-Fetch-Dest",
    }


def _frame_policy(docid: str) -> dict[str, str]:
    own = _all_of(_here("http", f"{links().root}/bokeh/{each}/") for each in ("static", "bokehjs"))
    socket, content = _here("ws", _path(docid, "ws")), _here("http", _path(docid, "content"))
    return {
        "sandbox": "allow-scripts allow-downloads",
        "default-src": "'none'",
        "script-src": own if asks_for("strict") else f"{own} 'unsafe-eval' blob:",
        "connect-src": _all_of([socket, content]),
        "style-src": f"'unsafe-inline' {own}",
        "img-src": f"data: blob: {own}",
        "font-src": f"data: {own}",
        "worker-src": "blob:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": _frame_ancestors(),
        "webrtc": "'block'",
    }


def _frame_ancestors() -> str:
    """Who may hold a frame, which shows nothing until its shell gives it a ticket."""
    if not is_usercontent() or is_public():
        return frame_ancestors()
    return frame_ancestors().replace("'self'", asked_shell(), 1)


def _here(scheme: str, path: str) -> str:
    """An address of this server as policies name it; ``http`` there stands for ``https`` too.

    :raises BadRequest: the server was asked under a name that no server has.
    """
    host = request.host
    if _IPV6_HOST.fullmatch(host):
        return "'self'"  # policies have no form for such an address
    if not _HOST.fullmatch(host):
        raise BadRequest("show this document", f"{host[:200]!r} is not the name of a server")
    return f"{scheme}{'s' if request.is_secure else ''}://{host}{path}"


def _all_of(sources: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(sources))


def _directives(policy: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in policy.items())
