"""``autoload.js``: a script that shows a live plot where it stands, in a page of any origin."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, request

from bokeh_server.blueprint.documents.embedders import asking_origin, demand_embedder
from bokeh_server.blueprint.documents.frames import embedded_url
from bokeh_server.blueprint.documents.pages import page_config, target_of
from bokeh_server.blueprint.documents.revisions import asked
from bokeh_server.blueprint.people.access import readable
from bokeh_server.blueprint.people.tickets import make_ticket
from bokeh_server.blueprint.rendering import json_in_html, render
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.errors import BadRequest, CallerError

__all__ = ["add_routes"]

_ELEMENT_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,127}")
_RENEWAL = re.compile(r"[0-9]{1,9}")


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    blueprint.add_url_rule("/bokeh/autoload.js/<elementid>", "autoload", _autoload)


def _autoload(elementid: str) -> Response:
    if not _ELEMENT_ID.fullmatch(elementid):
        raise BadRequest("embed a plot", "the element id has characters in it that are not used")
    config = {"elementid": elementid, "module": _module(), **_renewal(), **_config()}
    answer = Response(
        render("autoload.js", config=json_in_html(config)),
        content_type="text/javascript; charset=utf-8",
    )
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def _module() -> str:
    return links().own["embed.js"].removeprefix(links().root)


def _renewal() -> dict[str, Any]:
    renew = request.args.get("renew")
    return {"renew": renew} if renew is not None and _RENEWAL.fullmatch(renew) else {}


def _config() -> dict[str, Any]:
    """What to show; an error is told in the page, which sees no status of a script."""
    try:
        docid = request.args.get("docid", "")
        identity = readable(docid)
        demand_embedder(identity, asking_origin())
        target = target_of(asked(docid), request.args.get("modelid") or None)
    except CallerError as error:
        return {"error": str(error), "status": error.status}
    sites = {} if identity.sites is None else {"sites": identity.sites}
    if current_state().settings.multi_user:
        # drawn in that page, it would run its author's JavaScript there
        return {"page": embedded_url(docid, target.get("id")).removeprefix(links().root), **sites}
    config = {**page_config(identity, target), **sites}
    config["ticket"] = make_ticket(identity, "embed")
    config["bokehjs"]["base"] = config["bokehjs"]["base"].removeprefix(config.pop("root"))
    return config
