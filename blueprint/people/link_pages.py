"""The page that a share link leads to, and what exchanges its secret for a cookie.

The secret is behind the ``#`` of the address, which browsers send nowhere; a script sends it here.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from flask import Blueprint, Response, jsonify, request

from bokeh_server.blueprint.bodies import read_object
from bokeh_server.blueprint.foreign import refuse_unsigned
from bokeh_server.blueprint.people.access import demand_people
from bokeh_server.blueprint.people.events import note_follow
from bokeh_server.blueprint.people.link_cookies import set_link
from bokeh_server.blueprint.rendering import json_in_html, render
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.storage import LinkRecord

__all__ = ["SECRET_PAGE", "add_routes"]

#: the headers of a page whose address has a secret in it.
SECRET_PAGE = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "Referrer-Policy": "no-referrer",
}


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    add("/bokeh/link/<link_id>", "link_page", _page, methods=["GET"])
    add("/bokeh/link/<link_id>", "follow_link", _follow, methods=["POST"])


def _page(link_id: str) -> Response:
    """The same for every link, good or not."""
    demand_people("follow a link")
    page = render("link.html", config=json_in_html({"root": links().root}))
    return Response(page, mimetype="text/html", headers=SECRET_PAGE)


def _follow(link_id: str) -> Response:
    demand_people("follow a link")
    refuse_unsigned()
    given = read_object()[0].get("secret")
    secret = given if isinstance(given, str) else ""
    record = current_state().links.follow(link_id, secret, address=request.remote_addr or "")
    note_follow(record)
    answer = jsonify(url=_shown(record))
    set_link(answer, record, secret)
    return answer


def _shown(record: LinkRecord) -> str:
    """The page of what the link shows."""
    query = "" if record.revision is None else f"?{urlencode({'revision': record.revision})}"
    return f"{links().root}/bokeh/doc/{quote(record.docid, safe='')}/show{query}"
