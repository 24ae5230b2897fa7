"""Which state of a document a request is about: as it is, or as it once was."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from flask import request

from bokeh_server.blueprint.bodies import integer_argument
from bokeh_server.blueprint.state import current_state
from bokeh_server.storage.documents import MOST_SEQ

if TYPE_CHECKING:
    from bokeh_server.documents import Revision, Still

__all__ = ["asked", "asked_revision", "is_revision"]


def asked_revision() -> int | None:
    """The revision that the address names, if it does.

    :raises BadRequest: it is not a number.
    """
    if "revision" not in request.args:
        return None
    return integer_argument("revision", 0, most=MOST_SEQ)


def asked(docid: str) -> Still:
    """The document as it was at the revision that the address names, else as it is.

    :raises UnknownRevision: it has no such change yet.
    :raises NoLongerKept: the revision is not kept any more.
    """
    seq, engine = asked_revision(), current_state().engine
    return engine.open(docid) if seq is None else engine.revision(docid, seq)


def is_revision(document: Still) -> TypeGuard[Revision]:
    """Whether it is a document as it once was."""
    # Here, as whoever only adds us to an app does not load the engine.
    from bokeh_server.documents import Revision

    return isinstance(document, Revision)
