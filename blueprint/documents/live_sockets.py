"""The WebSockets: of a document, and of the index page. All checks come before the 101."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from bokeh_server.blocking import run_sized
from bokeh_server.blueprint.bodies import fingerprint_of
from bokeh_server.blueprint.documents.embedders import demand_embedder
from bokeh_server.blueprint.documents.feed import FeedHandler
from bokeh_server.blueprint.documents.presence import PresenceHandler
from bokeh_server.blueprint.foreign import own_names
from bokeh_server.blueprint.people.access import demand_user, readable, user_name, writable
from bokeh_server.blueprint.people.bearers import asker, ticket_for
from bokeh_server.blueprint.people.callers import current_caller
from bokeh_server.blueprint.people.events import expect_changes, note_open
from bokeh_server.blueprint.people.standing import checker, follow_actor, present_standing
from bokeh_server.blueprint.sock import Sock, Upgrade
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BadRequest, NotAuthenticated, OriginRefused
from bokeh_server.permissions import Action
from bokeh_server.protocol.packing import unpack
from bokeh_server.protocol.patches import parse_patch
from bokeh_server.sockets.bokeh_handler import BokehHandler
from bokeh_server.sockets.changes_handler import ChangesHandler
from bokeh_server.sockets.origin import check_origin
from bokeh_server.sockets.tickets import is_session_token

if TYPE_CHECKING:
    from bokeh_server.sockets import Connection
    from bokeh_server.sockets.tickets import Kind, Right, Ticket

__all__ = ["add_routes"]

_MAX_ORIGIN_ID = 200


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    sock = Sock(lambda: current_state().sockets)
    sock.route("/bokeh/doc/<docid>/ws", bp=blueprint, endpoint="document_socket")(_document)
    sock.route("/bokeh/doc/<docid>/changes", bp=blueprint, endpoint="changes_socket")(_changes)
    sock.route("/bokeh/doc/<docid>/viewers", bp=blueprint, endpoint="viewers_socket")(_viewers)
    sock.route("/bokeh/ws", bp=blueprint, endpoint="index_socket")(_index)
    sock.route("/bokeh/<path:rest>", bp=blueprint, endpoint="no_socket")(_nothing_here)


def _document(upgrade: Upgrade, docid: str) -> Response:
    ticket = _ticket(upgrade, docid)
    _check_origin(upgrade, ticket.kind if ticket else None)
    standing = asker(docid, ticket)
    right = _right(upgrade, ticket)
    checker(standing, Action.READ if right == "read" else Action.WRITE)()
    _check_embedder(upgrade, docid, ticket)
    document = current_state().engine.open(docid)
    rechecks = current_state().rechecks
    options = request.args
    origin = _origin_id(options.get("origin"))
    check = checker(standing, Action.WRITE)
    note_open(docid, standing.actor)
    if right == "write":
        expect_changes(docid, standing.actor)

    def make_handler(connection: Connection) -> BokehHandler:
        rechecks.join(standing, connection)
        return BokehHandler(
            connection,
            document,
            right=right,
            check=check,
            leave=lambda: rechecks.leave(standing, connection),
            actor=standing.actor.signature(docid),
            origin=origin,
            script=options.get("script") == "1",
            inline=options.get("repull") == "1",
            ranges=options.get("ranges") == "1",
        )

    return upgrade.adopt(make_handler, subprotocol="bokeh")


def _changes(upgrade: Upgrade, docid: str) -> Response:
    """Take a script's changes; a page sends its own by Bokeh's protocol."""
    _check_origin(upgrade, None)
    if upgrade.handshake.origin is not None or upgrade.handshake.token is not None:
        raise NotAuthenticated("store changes", "this connection is for scripts")
    writable(docid)
    document = current_state().engine.open(docid)
    actor = user_name(docid)
    origin, path = _origin_id(request.args.get("origin")), request.path

    check = checker(present_standing(docid), Action.WRITE)

    def append(body: bytes, key: str) -> dict[str, object]:
        check()
        content, buffers = run_sized(len(body), unpack, body, "a change")
        patch = run_sized(len(content), parse_patch, content, buffers)
        same = fingerprint_of("POST", path, body)
        answer = document.append(patch, actor=actor, origin=origin, key=key, request=same)
        return {"seq": answer.seq, **({"gone": answer.gone} if answer.gone else {})}

    return upgrade.adopt(lambda connection: ChangesHandler(connection, append, origin=origin or ""))


def _ticket(upgrade: Upgrade, docid: str) -> Ticket | None:
    """The ticket that came with the request, which must be one for this document.

    Bokeh's own client, which is no browser, always offers a token that it made itself.
    """
    token = upgrade.handshake.token
    if token is None or (upgrade.handshake.origin is None and is_session_token(token)):
        return None
    return ticket_for(docid, token, "open a live connection")


def _check_origin(upgrade: Upgrade, kind: Kind | None) -> None:
    names, handshake = own_names(), upgrade.handshake
    decision = check_origin(handshake.origin, handshake.host, names.allowed, kind, names=names.own)
    if not decision:
        raise OriginRefused("open a live connection", decision.reason)


def _check_embedder(upgrade: Upgrade, docid: str, ticket: Ticket | None) -> None:
    """A ticket for embedding is good on the sites alone that the owner allows now."""
    identity = current_state().engine.identity(docid)
    if ticket is not None and ticket.kind == "embed" and identity is not None:
        demand_embedder(identity, upgrade.handshake.origin)


def _right(upgrade: Upgrade, ticket: Ticket | None) -> Right:
    """What the connection is to do.

    A script has no page that could have given it a ticket; a browser always has one.
    """
    if ticket is None and upgrade.handshake.origin is not None:
        raise NotAuthenticated(
            "open a live connection", "the request has no ticket", "Load the page again"
        )
    return "write" if ticket is None else ticket.right


def _origin_id(value: str | None) -> str | None:
    if value is not None and not 0 < len(value) <= _MAX_ORIGIN_ID:
        raise BadRequest("open a live connection", f"origin has over {_MAX_ORIGIN_ID} characters")
    return value


def _index(upgrade: Upgrade) -> Response:
    _check_origin(upgrade, None)
    demand_user("follow the list of documents")
    feed, rechecks, is_good = current_state().feed, current_state().rechecks, _still_known()
    actor = replace(current_caller().actor, passes=())  # which lead to documents, and list none
    standing = replace(present_standing(None), actor=actor)

    def make_handler(connection: Connection) -> FeedHandler:
        rechecks.join(standing, connection)
        leave = partial(rechecks.leave, standing, connection)
        return FeedHandler(connection, feed, actor, is_good, leave)

    return upgrade.adopt(make_handler)


def _still_known() -> Callable[[], bool]:
    """Whether who sent this request is known still, at any time after it."""
    known = current_caller().known
    if known is None:
        return lambda: True
    accounts = current_state().accounts
    return lambda: accounts.is_good(known)


def _viewers(upgrade: Upgrade, docid: str) -> Response:
    """Tell the bar of a page who is watching; with its login, so that no frame can ask."""
    _check_origin(upgrade, None)
    readable(docid)
    presence, find_actor = current_state().presence, follow_actor(present_standing(docid))
    return upgrade.adopt(
        lambda connection: PresenceHandler(connection, presence, docid, find_actor)
    )


def _nothing_here(upgrade: Upgrade, rest: str) -> Response:
    raise NotFound
