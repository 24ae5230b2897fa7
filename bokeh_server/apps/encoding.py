"""Bokeh's documents and events as messages that are ready to send, each written once for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson
from bokeh.core.serialization import Buffer, Serialized, Serializer
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent

from bokeh_server.protocol import Patch
from bokeh_server.protocol.messages import Body, encode, encode_body

__all__ = ["encode_document", "encode_event", "plain_document", "replace_by", "serialized"]


def encode_event(document: Document, event: DocumentPatchedEvent, seq: int) -> bytes:
    """One event as a ``PATCH-DOC``.

    Models that nobody has been sent yet are in it as a whole.
    """
    models = document.models
    serializer = Serializer(references=models.synced_references)
    content = _dumps({"events": serializer.encode([event])})
    models.flush_synced(lambda model: not serializer.has_ref(model))
    return encode("PATCH-DOC", content, _bytes_of(serializer.buffers), msgid=str(seq))


def encode_document(document: Document, *, inline: bool = False) -> Body:
    """What a ``PULL-DOC-REPLY`` says.

    :param inline: arrays within the JSON: BokehJS forgets the buffers when it pulls again.
    """
    if inline:
        return encode_body(_dumps({"doc": document.to_json(deferred=False)}), {})
    whole = cast(Any, document.to_json(deferred=True))
    content, buffers = (
        (whole.content, whole.buffers) if isinstance(whole, Serialized) else (whole, [])
    )
    return encode_body(_dumps({"doc": content}), _bytes_of(buffers))


def plain_document(document: Document) -> dict[str, Any]:
    """A document as a reader of JSON sees it, with its arrays within."""
    plain: dict[str, Any] = orjson.loads(_dumps(document.to_json(deferred=False)))
    return plain


def serialized(patch: Patch) -> Serialized[Any]:
    """A patch as it arrived, as Bokeh takes it."""
    return Serialized({"events": patch.events}, _buffers(patch.buffers))


def replace_by(document: Document, doc: dict[str, Any], buffers: Mapping[str, bytes]) -> None:
    """Put another document's content in the place of what a document has."""
    document.replace_with_json(cast(Any, Serialized(cast(Any, doc), _buffers(buffers))))


def _buffers(buffers: Mapping[str, bytes]) -> list[Buffer]:
    return [Buffer(ID(name), data) for name, data in buffers.items()]


def _bytes_of(buffers: Iterable[Buffer]) -> dict[str, bytes]:
    return {buffer.id: buffer.to_bytes() for buffer in buffers}


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATACLASS)


def _plain(value: Any) -> Any:
    if isinstance(value, Buffer):
        return value.ref
    if isinstance(value, float):  # one of numpy's
        return float(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
