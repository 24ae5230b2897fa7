"""Who did what: to one document, to all of somebody's, and to everybody's for an admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from bokeh_server.accounts import folded
from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.bodies import choice_argument, integer_argument
from bokeh_server.blueprint.people.access import demand_admin, demand_user, is_admin, owned
from bokeh_server.blueprint.people.tickets import asks_for
from bokeh_server.blueprint.people.wording import WORDS, browser_name
from bokeh_server.blueprint.rendering import own_page
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.wishes import wants_page
from bokeh_server.errors import NotFound
from bokeh_server.permissions import Action
from bokeh_server.storage import ACTIONS, EventRecord

__all__ = ["add_routes"]

_MOST, _USUAL = 500, 100
_MOST_ID = 2**63 - 1


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    blueprint.add_url_rule("/bokeh/doc/<docid>/events", "document_events", _of_document)
    blueprint.add_url_rule("/bokeh/events", "events", _of_all)


@dataclass(frozen=True, slots=True)
class _Page:
    """Some events, the newest first, and whether there are more on either side.

    :param reader: who reads them; ``None``: somebody who looks after the server.
    """

    reader: str | None
    records: list[EventRecord]
    older: bool
    newer: bool

    def json(self) -> list[dict[str, Any]]:
        return [_json(record, self.reader) for record in self.records]


def _of_document(docid: str) -> Response:
    """What was done to a document while it was its owner's."""
    identity = owned(docid)
    _demand_people()
    page = _read(identity.owner, docid)
    return jsonify(events=page.json(), more=page.older)


def _of_all() -> Response:
    attempted = "read what was done"
    name = demand_user(attempted, Action.OWN)
    _demand_people()
    everybody = asks_for("all")
    if everybody:
        demand_admin(f"{attempted} by everybody")
    page = _read(None if everybody else name, request.args.get("docid") or None)
    if wants_page():
        return _show(name, page, everybody=everybody)
    return jsonify(events=page.json(), more=page.older)


def _demand_people() -> None:
    if not current_state().settings.multi_user:
        why = "this server knows nobody but you, and notes nothing"
        raise NotFound("read what was done", why, "Start it with --multi-user")


def _read(owner: str | None, docid: str | None) -> _Page:
    action = choice_argument("action", ("", *ACTIONS)) or None
    actor = folded(request.args.get("actor")) or None
    limit = max(1, integer_argument("limit", _USUAL, most=_MOST))
    before = integer_argument("before", _MOST_ID, most=_MOST_ID)
    after = integer_argument("after", _MOST_ID, most=_MOST_ID)
    turned = "after" in request.args
    store, before_given = current_state().store.events, "before" in request.args
    found = run_blocking(
        lambda: store.find(
            owner=owner,
            docid=docid,
            actor=actor,
            action=action,
            before=before if before_given else None,
            after=after if turned else None,
            limit=limit + 1,
        )
    )
    more = len(found) > limit
    if turned:
        return _Page(owner, found[1:] if more else found, older=True, newer=more)
    return _Page(owner, found[:limit], older=more, newer="before" in request.args)


def _json(record: EventRecord, reader: str | None) -> dict[str, Any]:
    """An event for its reader, who is not told where others were, nor by which token."""
    full = reader is None or record.docid is None or record.actor == reader
    return {
        "id": record.id,
        "at": record.at.isoformat(),
        "actor": record.actor,
        "via": record.via if full else record.via.partition(" ")[0],
        "address": record.address if full else "",
        "action": record.action,
        "docid": record.docid,
        "owner": record.owner,
        "title": record.title,
        "detail": record.detail,
    }


def _show(name: str, page: _Page, *, everybody: bool) -> Response:
    asked = {key: request.args.get(key, "") for key in ("docid", "actor", "action")}
    kept = {key: value for key, value in asked.items() if value}
    if everybody:
        kept["all"] = "1"
    first, last = (page.records[0].id, page.records[-1].id) if page.records else (0, 0)
    return own_page(
        "events.html",
        name=name,
        events=page.json(),
        words=WORDS,
        browser_name=browser_name,
        asked=asked,
        of=_title_of(page.records, asked["docid"]),
        everybody=everybody,
        may_all=is_admin(),
        older="?" + urlencode({**kept, "before": last}) if page.older and last else None,
        newer="?" + urlencode({**kept, "after": first}) if page.newer and first else None,
        days=current_state().settings.keep_events_days,
    )


def _title_of(records: list[EventRecord], docid: str) -> str | None:
    """What the document is called whose events alone are shown."""
    if not docid:
        return None
    return next((each.title for each in records if each.title), docid)
