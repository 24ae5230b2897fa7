"""JSON: documents by title and docid; their content as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from bokeh_server.blocking import in_turns, run_sized
from bokeh_server.blueprint.bodies import (
    fingerprint,
    parse_body,
    read_packed,
    read_title,
    short_header,
)
from bokeh_server.blueprint.documents.embedders import demand_embedder
from bokeh_server.blueprint.documents.revisions import asked, asked_revision
from bokeh_server.blueprint.documents.summaries import summary
from bokeh_server.blueprint.foreign import demand_own_name
from bokeh_server.blueprint.people.access import (
    current_actor,
    current_key,
    demand_user,
    owned,
    readable,
    user_name,
    writable,
)
from bokeh_server.blueprint.people.bearers import asker, ticket_for
from bokeh_server.blueprint.people.events import event_of, keep, note, note_open
from bokeh_server.blueprint.people.standing import checker
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BadRequest, UnknownDocument
from bokeh_server.permissions import Action
from bokeh_server.protocol.packing import CONTENT_TYPE, pack

if TYPE_CHECKING:
    from bokeh_server.permissions import Pass
    from bokeh_server.sockets.tickets import Ticket
    from bokeh_server.storage import DocumentRecord

__all__ = ["add_routes", "document_info", "list_documents", "shared_documents"]

#: carries the ticket of a page that is not ours, which must not stand in an address.
TICKET_HEADER = "Bokeh-Ticket"


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    add("/bokeh/doc/", "find_document", _find, methods=["GET"])
    add("/bokeh/doc/", "create_document", _create, methods=["POST"])
    add("/bokeh/doc/<docid>/", "document", _show, methods=["GET"])
    add("/bokeh/doc/<docid>/", "rename_document", _rename, methods=["PATCH"])
    add("/bokeh/doc/<docid>/", "delete_document", _delete, methods=["DELETE"])
    content = "/bokeh/doc/<docid>/content"
    own: dict[str, Any] = {"provide_automatic_options": False}
    add(content, "content", _content, methods=["GET"], **own)
    add(content, "replace_content", _replace, methods=["PUT"], **own)
    add(content, "ask_content", _preflight, methods=["OPTIONS"], **own)
    add("/bokeh/<docid>/publish", "publish", _publish, methods=["POST"])
    add("/bokeh/<docid>/unpublish", "unpublish", _unpublish, methods=["POST"])


def list_documents() -> list[dict[str, Any]]:
    """The documents of whoever asks, the last changed first."""
    demand_own_name("list documents")
    name = demand_user("list documents")
    engine, actor = current_state().engine, current_actor()
    return [summary(record, actor, engine) for record in in_turns(engine.list(name))]


def shared_documents() -> list[dict[str, Any]]:
    """The documents of others that whoever asks may use, the last changed first."""
    state = current_state()
    if not state.settings.multi_user:
        return []
    actor, engine = current_actor(), state.engine
    records = engine.shared_with(demand_user("list documents"))
    roles = [(record, engine.identity(record.docid)) for record in in_turns(records)]
    told = in_turns([(record, found) for record, found in roles if found])
    return [summary(record, actor, engine, found.roles) for record, found in told]


def document_info(record: DocumentRecord) -> dict[str, Any]:
    """Everything about a document but its models."""
    engine = current_state().engine
    document = engine.open(record.docid)
    identity = engine.identity(record.docid)
    info = summary(record, current_actor(), engine, identity.roles if identity else {})
    return {**info, "seq": document.seq, "roots": document.roots()}


def _find() -> Response:
    demand_own_name("look for a title")
    held = current_key()
    if held is not None:
        return jsonify(document_info(_opened_by(held)))
    name = demand_user("look for a title")
    record = current_state().engine.find(name, request.args.get("title", ""))
    if record is None:
        raise UnknownDocument(
            "find this document", "you have none of this title", "POST the title to create it"
        )
    return jsonify(document_info(record))


def _opened_by(key: Pass) -> DocumentRecord:
    """The document of a key; a title, where one is given, has to be its own."""
    record = current_state().engine.require(key.docid)
    if request.args.get("title", record.title) != record.title:
        raise UnknownDocument(
            "find this document", "the key is for another one", f"That is {record.title!r}"
        )
    return record


def _create() -> tuple[Response, int]:
    name = demand_user("create a document", Action.OWN)
    title, event = read_title(), event_of("create")
    record = current_state().engine.create(name, title, event=event)
    return jsonify(document_info(record)), 201


def _show(docid: str) -> Response:
    readable(docid)
    return jsonify(document_info(current_state().engine.require(docid)))


def _rename(docid: str) -> Response:
    title = read_title() if owned(docid) else ""
    event = event_of("rename", docid, title)
    record = current_state().engine.rename(
        docid,
        title,
        actor=user_name(docid),
        key=short_header("Idempotency-Key"),
        request=fingerprint(),
    )
    keep(event)
    return jsonify(document_info(record))


def _delete(docid: str) -> tuple[str, int]:
    owned(docid)
    current_state().engine.delete(docid, event_of("delete", docid))
    return "", 204


def _content(docid: str) -> Response:
    ticket = _ticket(docid)
    standing = asker(docid, ticket)
    identity = checker(standing, Action.READ, asked_revision())()
    note_open(docid, standing.actor)
    if ticket is not None and ticket.kind == "embed":
        demand_embedder(identity, request.headers.get("Origin"))
    inline = request.accept_mimetypes.best == "application/json"
    seq, content, buffers = asked(docid).content(inline=inline)
    size = len(content) + sum(map(len, buffers.values()))
    body = run_sized(size, _whole, seq, content, None if inline else buffers)
    answer = Response(body, content_type="application/json" if inline else CONTENT_TYPE)
    answer.headers["Vary"] = "Accept"
    if ticket is not None and ticket.kind != "page":
        answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


def _ticket(docid: str) -> Ticket | None:
    """The ticket with which a frame or an embedded plot asks, that any page may read it."""
    token = request.headers.get(TICKET_HEADER)
    return None if token is None else ticket_for(docid, token, "read this document")


def _preflight(docid: str) -> Response:
    """Let pages of any origin ask with a ticket; they learn nothing without one."""
    answer = Response(status=204)
    answer.headers["Allow"] = "GET, HEAD, OPTIONS, PUT"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Access-Control-Allow-Methods"] = "GET"
    answer.headers["Access-Control-Allow-Headers"] = TICKET_HEADER
    return answer


def _whole(seq: int, content: bytes, buffers: Mapping[str, bytes] | None) -> bytes:
    body = b'{"doc":%b,"seq":%d}' % (content, seq)
    return body if buffers is None else pack(body, buffers)


def _replace(docid: str) -> Response:
    writable(docid)
    content, buffers = read_packed()
    seq = (
        current_state()
        .engine.open(docid)
        .replace(
            _document_in(content),
            buffers,
            actor=user_name(docid),
            origin=short_header("Bokeh-Origin"),
            key=short_header("Idempotency-Key"),
            request=fingerprint(),
        )
    )
    note("replace", docid, f"change {seq}")
    return jsonify(seq=seq)


def _document_in(content: bytes) -> dict[str, Any]:
    value = parse_body(content)
    document = value.get("doc") if isinstance(value, dict) else None
    if not isinstance(document, dict):
        raise BadRequest("replace this document", 'the body is not {"doc": {...}}')
    return document


def _publish(docid: str) -> Response:
    return _set_published(docid, True)


def _unpublish(docid: str) -> Response:
    return _set_published(docid, False)


def _set_published(docid: str, published: bool) -> Response:
    owned(docid)
    event = event_of("publish" if published else "unpublish", docid)
    current_state().engine.publish(docid, published, event)
    return jsonify(published=published)
