"""Real Bokeh documents for the tests: as senders of patches, as followers and as judges."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Buffer, Serialized
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.protocol.messages.patch_doc import patch_doc

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
    return Document.from_json(_serialized(value, buffers))


def apply(document: Document, content: bytes | Content, buffers: Mapping[str, bytes]) -> None:
    """Apply a patch as Bokeh does, but for one upstream fault.

    ``ColumnDataChanged`` with ``cols`` makes Bokeh in Python lose the other columns; BokehJS
    keeps them, and so do we.
    """
    value = orjson.loads(content) if isinstance(content, bytes) else json.loads(json.dumps(content))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for event in _with_all_columns(document, value["events"]):
            document.apply_json_patch(event(buffers))


def _with_all_columns(
    document: Document, events: list[Content]
) -> list[Callable[[Mapping[str, bytes]], Serialized[Any]]]:
    if not any(event.get("cols") is not None for event in events):
        return [lambda buffers: _serialized({"events": events}, buffers)]
    return [_one_event(document, event) for event in events]


def _one_event(
    document: Document, event: Content
) -> Callable[[Mapping[str, bytes]], Serialized[Any]]:
    def make(buffers: Mapping[str, bytes]) -> Serialized[Any]:
        kept = dict(event)
        if kept.get("cols") is not None:
            model = document.models[kept["model"]["id"]]
            columns = dict(_inline(dict(model.data)).get("entries", []))
            columns.update(kept["data"].get("entries", []))
            kept["data"] = {"type": "map", "entries": [list(pair) for pair in columns.items()]}
        return _serialized({"events": [kept]}, buffers)

    return make


def _inline(value: object) -> Any:
    from bokeh.core.serialization import Serializer

    return json.loads(json.dumps(Serializer(deferred=False).encode(value)))


def _serialized(value: Content, buffers: Mapping[str, bytes]) -> Serialized[Any]:
    return Serialized(value, [Buffer(key, data) for key, data in buffers.items()])


def view(document: Document) -> Any:
    """What a document says, comparable: written, read and written again.

    Only then are values that equal the defaults left out everywhere. Classes are of the process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = Document.from_json(document.to_json())
        content = json.loads(serialize_json(again.to_json(deferred=False)))
    content.pop("defs", None)
    return content
