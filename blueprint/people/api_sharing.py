"""JSON: who besides its owner may use a document."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from bokeh_server.accounts import folded
from bokeh_server.blueprint.bodies import read_object
from bokeh_server.blueprint.people.access import current_actor, demand_people, owned, readable
from bokeh_server.blueprint.people.callers import given_name, has_login_page
from bokeh_server.blueprint.people.events import event_of
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BadRequest, NotFound
from bokeh_server.permissions import Role
from bokeh_server.sites import check_sites
from bokeh_server.storage import GrantRecord

__all__ = ["add_routes"]


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    path = "/bokeh/doc/<docid>/grants"
    add(path, "grants", _list, methods=["GET"])
    add(f"{path}/<username>", "grant", _give, methods=["PUT"])
    add(f"{path}/<username>", "revoke_grant", _take, methods=["DELETE"])
    add("/bokeh/doc/<docid>/viewers", "viewers", _viewers, methods=["GET"])
    add("/bokeh/doc/<docid>/sites", "sites", _embed, methods=["PUT"])


def _list(docid: str) -> Response:
    identity = owned(docid)
    grants = [_grant_json(record) for record in current_state().engine.shares(docid)]
    return jsonify(
        owner=identity.owner, published=identity.published, grants=grants, sites=identity.sites
    )


def _viewers(docid: str) -> Response:
    identity = readable(docid)
    return jsonify(current_state().presence.look(identity, current_actor()))


def _give(docid: str, username: str) -> Response:
    identity = owned(docid)
    demand_people("share this document")
    name, role = folded(username), _role()
    if name == identity.owner:
        raise BadRequest("share this document", "its owner may do everything already")
    event = event_of("share", docid, f"{name}: {role}")
    # Who is known by a proxy or the app has no account before they do something here.
    make = not has_login_page() and given_name(name) is not None
    current_state().engine.share(docid, name, role, event, make=make)
    return jsonify(username=name, role=role)


def _take(docid: str, username: str) -> Response:
    owned(docid)
    name = folded(username)
    if not current_state().engine.unshare(docid, name, event_of("unshare", docid, name)):
        raise NotFound("take this right back", "they have none", "List who has one")
    return Response(status=204)


def _embed(docid: str) -> Response:
    owned(docid)
    body, _ = read_object()
    if "sites" not in body:
        raise BadRequest("choose who may embed this document", "the body has no sites")
    sites = check_sites(body["sites"])
    told = "every site" if sites is None else " ".join(sites) or "no site"
    current_state().engine.embed(docid, sites, event_of("sites", docid, told))
    return jsonify(sites=sites)


def _role() -> str:
    body, _ = read_object()
    role = body.get("role")
    known = [each.value for each in Role]
    if role not in known:
        raise BadRequest("share this document", f"the role is not one of {', '.join(known)}")
    return str(role)


def _grant_json(record: GrantRecord) -> dict[str, str]:
    return {
        "username": record.name,
        "role": record.role,
        "created": record.created.isoformat(),
    }
