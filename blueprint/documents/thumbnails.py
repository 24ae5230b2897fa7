"""The picture of a document: sent by the browser of somebody who may change it, shown to those
who may look.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.bodies import integer_argument
from bokeh_server.blueprint.documents import pictures
from bokeh_server.blueprint.people.access import readable, writable
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BadRequest, TooMany
from bokeh_server.storage.documents import MOST_SEQ
from bokeh_server.storage.types import utc_now

if TYPE_CHECKING:
    from bokeh_server.storage import ThumbnailRecord

__all__ = ["add_routes"]

#: seconds between two pictures of one document.
PAUSE = 10
#: the number of the change after which the picture was drawn, and how many seconds ago.
SEQ_HEADER, AGE_HEADER = "Bokeh-Seq", "Bokeh-Age"
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    path = "/bokeh/doc/<docid>/thumbnail"
    blueprint.add_url_rule(path, "thumbnail", _show, methods=["GET"])
    blueprint.add_url_rule(path, "keep_thumbnail", _keep, methods=["PUT"])


def _show(docid: str) -> Response:
    """The picture; 204 for a document that has none."""
    readable(docid)
    found = run_blocking(current_state().store.thumbnails.get, docid)
    if found is None:
        return Response(status=204, headers=_HEADERS)
    answer = Response(found.body, mimetype=found.mimetype, headers=_HEADERS)
    answer.set_etag(hashlib.blake2b(found.body, digest_size=12).hexdigest())
    answer.headers[SEQ_HEADER] = str(found.seq)
    answer.headers[AGE_HEADER] = str(_age(found))
    answer.make_conditional(request)
    return answer


def _keep(docid: str) -> Response:
    writable(docid)
    state = current_state()
    head = state.engine.require(docid).seq
    seq = integer_argument("seq", head, most=MOST_SEQ)
    if seq > head:
        raise BadRequest("keep this picture", f"there is no change {seq} yet: the last is {head}")
    sent = _read()
    found = run_blocking(state.store.thumbnails.get, docid)
    if found is not None and _age(found) < PAUSE:
        raise TooMany(
            "keep this picture", "there is a new one already", "Wait", seconds=PAUSE - _age(found)
        )
    body = pictures.redraw(sent)
    kept = run_blocking(state.store.thumbnails.put, docid, seq, pictures.MIMETYPE, body)
    if kept:
        state.feed.hear(docid, "thumbnail")
    return jsonify(seq=seq, kept=kept)


def _read() -> bytes:
    if request.mimetype != "image/png":
        raise UnsupportedMediaType("Could not read the picture: it is not image/png. Send a PNG.")
    request.max_content_length = pictures.MOST_SENT
    data = request.get_data(cache=False)
    if len(data) >= pictures.MOST_SENT:
        raise RequestEntityTooLarge
    return data


def _age(found: ThumbnailRecord) -> int:
    return max(0, int((utc_now() - found.made).total_seconds()))
