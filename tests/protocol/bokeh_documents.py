"""Real Bokeh documents for the tests: as senders of patches, as followers and as judges."""

from __future__ import annotations

import base64
import gzip
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson
from bokeh.core.json_encoder import serialize_json
from bokeh.core.property.bases import Property
from bokeh.core.serialization import Buffer, Serialized, Serializer
from bokeh.document import Document
from bokeh.document.events import ColumnDataChangedEvent, DocumentPatchedEvent
from bokeh.protocol.messages.patch_doc import patch_doc

from bokeh_server.protocol.arrays import wire_item

Content = dict[str, Any]


class Sender:
    """A Bokeh document whose changes are kept as the patches that Bokeh would send."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.sent: list[tuple[Content, dict[str, bytes]]] = []
        document.models.flush_synced()
        document.on_change(self._changed)

    def _changed(self, event: object) -> None:
        if isinstance(event, DocumentPatchedEvent):
            message = patch_doc.create([event])
            buffers = {str(each.id): each.to_bytes() for each in message.buffers}
            self.sent.append((json.loads(message.content_json), buffers))

    def take(self) -> tuple[Content, dict[str, bytes]] | None:
        """Everything since the last time as one patch."""
        sent, self.sent = self.sent, []
        if not sent:
            return None
        events = [event for content, _ in sent for event in content["events"]]
        return {"events": events}, {key: data for _, some in sent for key, data in some.items()}


def doc_json(document: Document) -> tuple[Content, dict[str, bytes]]:
    """The document's JSON and buffers as they would arrive."""
    serialized = document.to_json()
    buffers = {str(each.id): each.to_bytes() for each in serialized.buffers}
    return json.loads(serialize_json(serialized)), buffers


def from_json(content: bytes | Content, buffers: Mapping[str, bytes]) -> Document:
    """Bokeh's document from JSON and buffers."""
    value = json.loads(content) if isinstance(content, bytes) else content
    with _quiet():
        return Document.from_json(_serialized(dict(value), buffers))


def apply(document: Document, content: bytes | Content, buffers: Mapping[str, bytes]) -> None:
    """Apply a patch as Bokeh does, but for one upstream fault.

    ``ColumnDataChanged`` with ``cols`` makes Bokeh in Python lose the other columns; BokehJS
    keeps them, and so do we. And it raises where Bokeh drops a patch in silence, because that
    refers to a model that was there once.
    """
    value = orjson.loads(content) if isinstance(content, bytes) else json.loads(json.dumps(content))
    document.models.seen = lambda _model_id: False
    with _quiet(), _all_columns_kept(), _everything_set():
        document.apply_json_patch(_serialized(value, buffers))


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _all_columns_kept() -> Iterator[None]:
    original = ColumnDataChangedEvent.__dict__["_handle_event"]

    def handle(document: Document, event: ColumnDataChangedEvent) -> None:
        if event.cols is not None and isinstance(event.data, dict):
            event.data = {**getattr(event.model, event.attr), **event.data}
        original.__func__(document, event)

    ColumnDataChangedEvent._handle_event = staticmethod(handle)
    try:
        yield
    finally:
        ColumnDataChangedEvent._handle_event = original


@contextmanager
def _everything_set() -> Iterator[None]:
    """Set what equals what is there, too: Bokeh leaves whole numbers where they become floats."""
    original = Property.matches
    Property.matches = lambda _self, _new, _old: False
    try:
        yield
    finally:
        Property.matches = original


def _serialized(value: Content, buffers: Mapping[str, bytes]) -> Serialized[Any]:
    return Serialized(value, [Buffer(key, data) for key, data in buffers.items()])


def view(document: Document) -> Any:
    """What a document says, comparable: written, read and written again.

    Only then are values that equal the defaults left out everywhere. Classes are of the process.
    """
    with _quiet():
        return _written(Document.from_json(document.to_json()))


def assert_same(one: Document, other: Document) -> None:
    """Assert that two documents say the same; as quick as it can be told."""
    if _written(one) != _written(other):
        assert view(one) == view(other)


def _written(document: Document) -> Any:
    with _quiet():
        content = document.to_json(deferred=False)
    content.pop("defs", None)
    return _comparable(json.loads(serialize_json(content)))


def value_view(value: object) -> Any:
    """What one value says, models by their ids."""
    with _quiet():
        encoded = Serializer(deferred=False, references=set(_models(value))).encode(value)
    return _comparable(json.loads(json.dumps(encoded)))


def _models(value: object) -> set[Any]:
    from bokeh.model.util import collect_models

    return set(collect_models(value))


def _comparable(value: Any) -> Any:
    """Sets have no order; a flat array of a browser is one of numpy's."""
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    if not isinstance(value, dict):
        return value
    rep = {key: _comparable(each) for key, each in value.items()}
    if rep.get("type") == "set":
        rep["entries"] = sorted(rep.get("entries", []), key=json.dumps)
    return _numbers(rep) if rep.get("type") in ("typed_array", "ndarray") else rep


def _numbers(rep: Content) -> Any:
    """An array: the type of whole numbers is a matter of how far they go, or went."""
    data, dtype, shape = rep["array"], rep["dtype"], rep.get("shape")
    if isinstance(data, dict):
        array = np.frombuffer(gzip.decompress(base64.b64decode(data["data"])), dtype)
        data = [wire_item(each) for each in array.tolist()]
    whole = all(type(each) is int for each in data)
    dtype = "whole" if whole and dtype in ("int32", "uint32", "object") else dtype
    return {"array": data, "dtype": dtype, "shape": shape or [len(data)]}
