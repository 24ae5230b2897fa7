"""Going back: what was changed in a stored document, as it once was, and as it shall be again."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from bokeh.core.serialization import Buffer, DeserializationError, Serialized
from bokeh.document import Document

from bokeh_server.client._sending import Sending
from bokeh_server.client._server import Server
from bokeh_server.errors import InvalidPatch
from bokeh_server.protocol.packing import unpack

__all__ = ["Change", "GoingBack"]

#: most changes that a server gives at once.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a stored document.

    :param seq: its number; the revision after it has the same.
    :param actor: who made it.
    :param at: when, in UTC.
    :param events: what it was, as Bokeh's patch events in wire form, arrays as base64 in them.
    :param restored: the revision that it brought back, if that is what it did.
    """

    seq: int
    actor: str
    at: datetime
    events: list[dict[str, Any]]
    restored: int | None = None


class GoingBack(Sending, ABC):
    """What a session knows of how documents were."""

    def history(
        self, document: Document | None = None, after: int | None = None, limit: int = 100
    ) -> list[Change]:
        """What was changed in a stored document, oldest first.

        :param document: a local document; the document in use when not given.
        :param after: the changes after this one; the last ones when not given.
        :param limit: at most so many.
        :raises NoLongerKept: the changes after ``after`` are older than what is kept.
        """
        home, docid = self._stored_as(document)
        return _read_log(home, docid, after, limit)

    def load_revision(self, revision: int, document: Document | None = None) -> Document:
        """A stored document as it was after change ``revision``, as a new local document.

        It is stored nowhere: what is done to it changes nothing on the server.

        :param document: a local document; the document in use when not given.
        :raises UnknownRevision: there is no such change yet.
        :raises NoLongerKept: it is older than what is kept.
        """
        home, docid = self._stored_as(document)
        return _load_revision(home, docid, revision)

    def restore(self, revision: int, document: Document | None = None) -> int:
        """Make a stored document again what it was after change ``revision``, as a new change.

        The local document that is stored there follows.

        :param document: a local document; the document in use when not given.
        :returns: the number of the new change; restoring the one before it undoes it.
        :raises TypeError: ``revision`` is not a number.
        :raises UnknownRevision: there is no such change yet.
        :raises NoLongerKept: it is older than what is kept.
        """
        if type(revision) is not int:
            raise TypeError(
                f"Could not restore a revision: {revision!r} is not the number of a change."
            )
        home, docid = self._stored_as(document)
        seq = _send_restore(home, docid, revision)
        local = home._occupants.of(docid) if document is None else document
        if local is not None:
            home.load_document(local)
        return seq

    @abstractmethod
    def load_document(self, doc: Document) -> None:
        """Bring a document up to what is stored."""

    @abstractmethod
    def _stored_as(self, document: Document | None) -> tuple[GoingBack, str]:
        """The session that stores a local document, and its docid; for none that in use."""


def _read_log(server: Server, docid: str, after: int | None, limit: int) -> list[Change]:
    """Read the log, oldest first: what comes after ``after``, else the last changes."""
    url = server.http.url("doc", docid, "changes")
    found: list[Change] = []
    bound: dict[str, Any] = {"order": "newest"} if after is None else {"after": after}
    while len(found) < limit:
        query = urlencode({**bound, "limit": min(PAGE, limit - len(found))})
        answer = server.http.get(f"{url}?{query}")
        found += map(_change, answer["changes"])
        if not answer["more"] or not answer["changes"]:
            break
        bound["before" if after is None else "after"] = found[-1].seq
    return sorted(found, key=lambda change: change.seq)


def _change(value: dict[str, Any]) -> Change:
    at = datetime.fromisoformat(value["at"])
    return Change(value["seq"], value["actor"], at, value["events"], value.get("restored"))


def _load_revision(server: Server, docid: str, revision: int) -> Document:
    """Make a local document of a revision; it is stored nowhere."""
    url = f"{server.http.url('doc', docid, 'content')}?revision={revision}"
    content, buffers = unpack(server.http.get_packed(url), "the document that the server sent")
    parts = [Buffer(key, data) for key, data in buffers.items()]  # type: ignore[arg-type]
    try:
        return Document.from_json(Serialized(orjson.loads(content)["doc"], parts))
    except DeserializationError as error:
        raise InvalidPatch(
            f"read revision {revision}", str(error), "Import the module that defines this model"
        ) from None


def _send_restore(server: Server, docid: str, revision: int) -> int:
    """Have a revision restored; the number of the change that does it."""
    url = server.http.url("doc", docid, "restore")
    headers = {"Accept": "application/json", "Idempotency-Key": uuid.uuid4().hex}
    answer = server.http.request("POST", url, json={"revision": revision}, headers=headers)
    return int(answer.json()["seq"])
