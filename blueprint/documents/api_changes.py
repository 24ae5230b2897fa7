"""JSON: the log of a document, to append to, to read, and to go back in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson
from flask import Blueprint, Response, jsonify, request

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.bodies import (
    choice_argument,
    fingerprint,
    integer_argument,
    read_object,
    read_patch,
    short_header,
)
from bokeh_server.blueprint.people.access import readable, user_name, writable
from bokeh_server.blueprint.people.events import note
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BadRequest, NoLongerKept
from bokeh_server.protocol.models import inline_buffers
from bokeh_server.protocol.packing import CONTENT_TYPE, pack, unpack
from bokeh_server.storage.documents import MOST_SEQ

if TYPE_CHECKING:
    from bokeh_server.documents import Group, Span
    from bokeh_server.storage import ChangeRecord

__all__ = ["add_routes"]

_MOST_CHANGES = 1000
#: most bytes of stored changes in one answer, unless its first has more.
_MOST_BYTES = 4 * 1024 * 1024
#: the note, before a stored change's events, by which a key that is used again is judged.
_REQUEST = re.compile(
    rb'^(\{(?:"restored":\d+,)?(?:"gone":\[(?:"(?:[^"\\]|\\.)*",?)*\],)?)"request":"[^"]*",'
)


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    path = "/bokeh/doc/<docid>/changes"
    add = blueprint.add_url_rule
    add(path, "changes", _read, methods=["GET"])
    add(path, "append_change", _append, methods=["POST"])
    add("/bokeh/doc/<docid>/history", "history", _history, methods=["GET"])
    add("/bokeh/doc/<docid>/restore", "restore", _restore, methods=["POST"])


def _append(docid: str) -> Response:
    writable(docid)
    patch = read_patch()
    answer = (
        current_state()
        .engine.open(docid)
        .append(
            patch,
            actor=user_name(docid),
            origin=short_header("Bokeh-Origin"),
            key=short_header("Idempotency-Key"),
            request=fingerprint(),
        )
    )
    if answer.gone:
        return jsonify(seq=answer.seq, gone=answer.gone)
    return jsonify(seq=answer.seq)


def _restore(docid: str) -> Response:
    writable(docid)
    body, _ = read_object()
    revision = body.get("revision")
    if type(revision) is not int or not 0 <= revision <= MOST_SEQ:
        raise BadRequest("restore a revision", 'the body is not {"revision": N}')
    seq = (
        current_state()
        .engine.open(docid)
        .restore(
            revision,
            actor=user_name(docid),
            origin=short_header("Bokeh-Origin"),
            key=short_header("Idempotency-Key"),
            request=fingerprint(),
        )
    )
    note("restore", docid, f"revision {revision} as change {seq}")
    return jsonify(seq=seq)


# --- reading -----------------------------------------------------------------------------------


def _read(docid: str) -> Response:
    readable(docid)
    span, records, more = _page(docid)
    head = {"seq": span.head, "oldest": span.first_change, "oldest_revision": span.oldest}
    packed = request.accept_mimetypes.best == CONTENT_TYPE
    body = run_blocking(_packed if packed else _inline, {**head, "more": more}, records)
    answer = Response(body, content_type=CONTENT_TYPE if packed else "application/json")
    answer.headers["Vary"] = "Accept"
    return answer


def _page(docid: str) -> tuple[Span, Sequence[ChangeRecord], bool]:
    """The changes that the address asks for, and whether more come after them in their order."""
    newest = choice_argument("order", ("oldest", "newest")) == "newest"
    after = integer_argument("after", 0, most=MOST_SEQ)
    before = integer_argument("before", MOST_SEQ, most=MOST_SEQ)
    limit = integer_argument("limit", _MOST_CHANGES, most=_MOST_CHANGES)
    state = current_state()
    span = state.engine.span(docid)
    _demand_kept(docid, after, before, span)

    def page() -> tuple[list[ChangeRecord], bool]:
        return state.store.changes.page(
            docid, after, limit=limit, size=_MOST_BYTES, before=before, newest=newest
        )

    records, more = run_blocking(page)
    if records and not newest and records[0].seq > after + 1:
        # compacted a moment ago
        _demand_kept(docid, after, before, state.engine.span(docid))
    return span, records, more


def _demand_kept(docid: str, after: int, before: int, span: Span) -> None:
    """Tell a reader who goes on from a change that the next ones are gone.

    :raises NoLongerKept: there is a gap between ``after`` and what can be read.
    """
    if "after" in request.args and after + 1 < min(span.first_change, before):
        raise NoLongerKept(
            f"read the changes after {after} of document {docid[:80]}",
            "they are older than what is kept",
            f"Changes from {span.first_change} on can be read, "
            f"and revisions {span.oldest} to {span.head} opened",
        )


def _inline(head: dict[str, Any], records: Sequence[ChangeRecord]) -> bytes:
    changes = b",".join(map(_change_json, records))
    return orjson.dumps(head)[:-1] + b',"changes":[%b]}' % changes


def _change_json(record: ChangeRecord) -> bytes:
    content, buffers = unpack(record.body, "a stored change")
    # Both are objects, and become one: what orjson reads may be nested too deep for it to write.
    events = _REQUEST.sub(rb"\1", inline_buffers(content, buffers).strip())
    return orjson.dumps(_signed(record))[:-1] + b"," + events[1:]


def _packed(head: dict[str, Any], records: Sequence[ChangeRecord]) -> bytes:
    """The changes as they are stored: each is a buffer, packed itself, by its number."""
    content = orjson.dumps({**head, "changes": [_signed(record) for record in records]})
    return pack(content, {str(record.seq): record.body for record in records})


def _signed(record: ChangeRecord) -> dict[str, Any]:
    return {"seq": record.seq, "actor": record.actor, "at": record.at.isoformat()}


# --- in plain words ----------------------------------------------------------------------------


def _history(docid: str) -> Response:
    """The log in plain words, newest first."""
    readable(docid)
    after = integer_argument("after", 0, most=MOST_SEQ)
    before = integer_argument("before", MOST_SEQ, most=MOST_SEQ)
    choice_argument("order", ("newest",))
    limit = integer_argument("limit", _MOST_CHANGES, most=_MOST_CHANGES)
    span = current_state().engine.span(docid)
    _demand_kept(docid, after, before, span)
    tag = f"{span.head}-{span.oldest}-{span.first_change}"
    if request.if_none_match.contains_weak(tag):
        return _kept(Response(status=304), tag)
    state = current_state()
    groups, more = state.teller.tell(
        state.engine.open(docid),
        state.store.changes,
        max(after + 1, span.first_change),
        min(before - 1, span.head),
    )
    answer = jsonify(
        seq=span.head,
        oldest=span.first_change,
        oldest_revision=span.oldest,
        more=more or len(groups) > limit,
        groups=[_group_json(group) for group in groups[::-1][:limit]],
    )
    return _kept(answer, tag)


def _kept(answer: Response, tag: str) -> Response:
    answer.set_etag(tag, weak=True)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


def _group_json(group: Group) -> dict[str, Any]:
    value = {
        "first": group.first,
        "last": group.last,
        "actor": group.actor,
        "began": group.began.isoformat(),
        "at": group.at.isoformat(),
        "what": group.what,
    }
    return value if group.restored is None else {**value, "restored": group.restored}
