"""JSON: share links and document keys, for the owner of a document."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from flask import Blueprint, Response, jsonify, request

from bokeh_server.accounts import Wish
from bokeh_server.blueprint.bodies import read_object
from bokeh_server.blueprint.people.access import demand_people, owned, user_name
from bokeh_server.blueprint.people.events import event_of
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.errors import BadRequest
from bokeh_server.permissions import Role
from bokeh_server.storage import LinkRecord
from bokeh_server.storage.documents import MOST_SEQ

__all__ = ["add_routes"]

_MOST_DAYS = 3650
_LEAST_DAYS = 1 / 24 / 60


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    path = "/bokeh/doc/<docid>/links"
    add(path, "links", _list, methods=["GET"])
    add(path, "make_link", _make, methods=["POST"])
    add(f"{path}/<link_id>", "revoke_link", _revoke, methods=["DELETE"])


def _list(docid: str) -> Response:
    owned(docid)
    return jsonify(links=[_link_json(each) for each in current_state().links.of(docid)])


def _make(docid: str) -> tuple[Response, int]:
    owned(docid)
    demand_people("make a link")
    wish = _wish(read_object()[0])
    record, secret = current_state().links.make(
        docid, user_name(docid), wish, event_of("link", docid)
    )
    shown = {"key": secret} if record.kind == "key" else {"url": _address(record, secret)}
    return jsonify(**_link_json(record), **shown), 201


def _address(record: LinkRecord, secret: str) -> str:
    """Where the link leads; browsers keep to themselves what is behind the ``#``."""
    return f"{request.host_url.rstrip('/')}{links().root}/bokeh/link/{record.id}#{secret}"


def _revoke(docid: str, link_id: str) -> Response:
    owned(docid)
    current_state().links.revoke(link_id, docid, event_of("unlink", docid, link_id))
    return Response(status=204)


def _wish(given: dict[str, Any]) -> Wish:
    kind = given.get("kind", "link")
    if kind not in ("link", "key"):
        raise BadRequest("make a link", "its kind is not one of link, key")
    title = given.get("title") or ""
    if not isinstance(title, str):
        raise BadRequest(f"make a {kind}", "its title is not text")
    return Wish(cast(Any, kind), title.strip(), _role(given), _revision(given), _lifetime(given))


def _role(given: dict[str, Any]) -> Role:
    try:
        return Role(given.get("role", "viewer"))
    except ValueError:
        known = ", ".join(each.value for each in Role)
        raise BadRequest("make a link", f"the role is not one of {known}") from None


def _revision(given: dict[str, Any]) -> int | None:
    revision = given.get("revision")
    if revision is not None and (type(revision) is not int or not 0 <= revision <= MOST_SEQ):
        raise BadRequest("make a link", "the revision is not the number of one")
    return revision


def _lifetime(given: dict[str, Any]) -> timedelta | None:
    days = given.get("days")
    if days is None:
        return None
    if type(days) not in (int, float) or not _LEAST_DAYS <= days <= _MOST_DAYS:
        raise BadRequest("make a link", f"days is not a number from a minute to {_MOST_DAYS}")
    return timedelta(days=days)


def _link_json(record: LinkRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "kind": record.kind,
        "title": record.title,
        "role": record.role,
        "revision": record.revision,
        "creator": record.creator,
        "created": record.created.isoformat(),
        "used": record.used.isoformat() if record.used else None,
        "expires": record.expires.isoformat() if record.expires else None,
    }
