"""The WebSocket of an application's session. All checks come before the 101."""

from __future__ import annotations

from flask import Response

from bokeh_server.apps import Farewell
from bokeh_server.blueprint.applications.guarding import present_permit
from bokeh_server.blueprint.applications.index import demand_application
from bokeh_server.blueprint.applications.requests import app_request
from bokeh_server.blueprint.foreign import own_names
from bokeh_server.blueprint.sock import Upgrade
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import Forbidden, OriginRefused, SessionExpired
from bokeh_server.sockets.origin import check_origin

__all__ = ["open_socket"]


def open_socket(path: str, upgrade: Upgrade) -> Response:
    """Connect to the session that the request's token names; it is made when there is none."""
    _check_origin(upgrade)
    demand_application(path)
    token, script = upgrade.handshake.token, upgrade.handshake.origin is None
    if token is None:
        why = "the request has no token in Sec-WebSocket-Protocol"
        raise Forbidden("open a live connection", why, "Load the page again")
    try:
        take = current_state().applications.admit(
            path, app_request(), token, script=script, permit=present_permit()
        )
    except SessionExpired:
        if script:
            raise
        return upgrade.adopt(Farewell, subprotocol="bokeh")
    return upgrade.hand_over(take, subprotocol="bokeh")


def _check_origin(upgrade: Upgrade) -> None:
    names, handshake = own_names(), upgrade.handshake
    decision = check_origin(handshake.origin, handshake.host, names.allowed, names=names.own)
    if not decision:
        raise OriginRefused("open a live connection", decision.reason)
