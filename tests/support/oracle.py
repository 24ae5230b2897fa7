"""A server without sockets for the client's tests: Bokeh's own documents keep what is stored."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from bokeh.core.serialization import Buffer, Serialized
from bokeh.document import Document
from bokeh.model import Model

from bokeh_server.client._comparing import same_value
from bokeh_server.client._encoding import Encoder, document_parts
from bokeh_server.client._http import Http
from bokeh_server.errors import ConnectionFailed, InvalidPatch, TitleTaken, UnknownDocument
from bokeh_server.protocol.packing import unpack

__all__ = ["OracleHttp", "OracleServer", "same_documents"]


class Answer:
    """What :class:`requests.Response` has of use here."""

    def __init__(self, value: Any, content: bytes = b"") -> None:
        self.value = value
        self.content = content or orjson.dumps(value)

    def json(self) -> Any:
        """The JSON of the answer."""
        return self.value


class StoredDocument:
    """One document as Bokeh itself would keep it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.document = Document()
        self.seq = 0
        self.keys: dict[str, int] = {}

    def write(self, key: str, change: Callable[[], None]) -> int:
        """Make a change once per key."""
        if key not in self.keys:
            try:
                change()
            except Exception as error:
                raise InvalidPatch("apply this", repr(error)) from error
            self.seq += 1
            self.keys[key] = self.seq
        return self.keys[key]


class OracleServer:
    """Documents by docid; the bodies that were received.

    :ivar bodies: ``(path, JSON, buffers)`` of everything stored.
    :ivar lose: how many answers to lose, after the work was done.
    """

    def __init__(self) -> None:
        self.documents: dict[str, StoredDocument] = {}
        self.bodies: list[tuple[str, Any, dict[str, bytes]]] = []
        self.requests = 0
        self.lose = 0
        self.sizes: list[int] = []

    def answer(self, method: str, path: str, options: dict[str, Any]) -> Answer:
        """Do what the HTTP table of the internals says, as far as the client uses it."""
        self.requests += 1
        parts = [unquote(each) for each in path.strip("/").split("/")][1:]
        if parts == ["doc"]:
            return self._titles(method, options)
        stored = self.documents.get(parts[1])
        if stored is None:
            raise UnknownDocument(f"open document {parts[1]}", "there is no such document")
        if len(parts) == 2:
            return Answer(self._info(parts[1]))
        if method == "GET" and parts[2] == "content":
            return self._content(stored)
        return self._store(parts, stored, options)

    def _titles(self, method: str, options: dict[str, Any]) -> Answer:
        title = options["params"]["title"] if method == "GET" else options["json"]["title"]
        found = [key for key, each in self.documents.items() if each.title == title]
        if method == "GET":
            if not found:
                raise UnknownDocument("find this document", "you have none of this title")
            return Answer(self._info(found[0]))
        if found:
            raise TitleTaken("create this document", "you have one of this title")
        docid = uuid.uuid4().hex
        self.documents[docid] = StoredDocument(title)
        return Answer(self._info(docid))

    def _info(self, docid: str) -> dict[str, Any]:
        stored = self.documents[docid]
        return {
            "docid": docid,
            "title": stored.title,
            "seq": stored.seq,
            "roots": [root.id for root in stored.document.roots],
        }

    def _content(self, stored: StoredDocument) -> Answer:
        encoder = Encoder()
        document = stored.document
        parts = document_parts(document, encoder.encode)
        doc = {**parts, "title": document.title, "roots": encoder.encode(document.roots)}
        return Answer(None, encoder.pack({"doc": doc, "seq": stored.seq}))

    def _store(self, parts: list[str], stored: StoredDocument, options: dict[str, Any]) -> Answer:
        self.sizes.append(len(options["data"]))
        body, buffers = unpack(options["data"])
        value = orjson.loads(body)
        self.bodies.append((parts[2], orjson.loads(body), dict(buffers)))
        held = [Buffer(key, data) for key, data in buffers.items()]

        def change() -> None:
            if parts[2] == "content":
                stored.document.replace_with_json(Serialized(value["doc"], held))
            else:
                merge_columns(stored.document, value["events"])
                stored.document.apply_json_patch(Serialized(value, held))

        seq = stored.write(options["headers"]["Idempotency-Key"], change)
        if self.lose:
            self.lose -= 1
            raise ConnectionFailed("reach the server", "the answer was lost")
        return Answer({"seq": seq})

    def only(self) -> Document:
        """The one document there is."""
        (stored,) = self.documents.values()
        return stored.document

    def events(self) -> list[dict[str, Any]]:
        """The events of the last patch."""
        path, value, _ = self.bodies[-1]
        assert path == "changes"
        return value["events"]


def merge_columns(document: Document, events: list[dict[str, Any]]) -> None:
    """Write the columns that are not replaced into an event: Bokeh in Python forgets them."""
    for event in events:
        if event["kind"] == "ColumnDataChanged" and event["cols"] is not None:
            source = document.get_model_by_id(event["model"]["id"])
            rest = {key: value for key, value in source.data.items() if key not in event["cols"]}
            encoded = Encoder(inline=True).encode(rest)
            event["data"]["entries"] = [*encoded.get("entries", []), *event["data"]["entries"]]


class OracleHttp(Http):
    """Requests that go to an :class:`OracleServer` in this process."""

    server: OracleServer
    is_direct = False  # it has no sockets

    def request(
        self, method: str, url: str, *, retries: tuple[float, ...] = (0, 0), **options: Any
    ) -> Any:
        """Answer at once; try again as the real one does, without waiting."""
        for _ in retries:
            try:
                return self.server.answer(method, urlsplit(url).path, options)
            except ConnectionFailed:
                pass
        return self.server.answer(method, urlsplit(url).path, options)


def _encoder_of(models: dict[str, Model]) -> Encoder:
    return Encoder(set(models.values()).__contains__, inline=True)


def same_documents(one: Document, other: Document) -> None:
    """Assert that two documents say the same: title, roots, models and every attribute set."""
    assert one.title == other.title
    assert [root.id for root in one.roots] == [root.id for root in other.roots]
    mine = {model.id: model for model in one.models}
    theirs = {model.id: model for model in other.models}
    assert mine.keys() == theirs.keys()
    first, second = _encoder_of(mine), _encoder_of(theirs)
    for model_id, model in mine.items():
        twin = theirs[model_id]
        assert type(model) is type(twin)
        for name in names_set(model) | names_set(twin):
            values = first.attribute(model, name), second.attribute(twin, name)
            assert same_value(*values, {}), (model, name, *values)


def names_set(model: Any) -> set[str]:
    """The attributes that are not left at their defaults."""
    return set(model.properties_with_values(include_defaults=False))
