"""Documents made again of the parts that :mod:`bokeh_server.protocol.saving` has made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from bokeh_server.protocol.arrays import Blob
from bokeh_server.protocol.contents import Contents
from bokeh_server.protocol.docjson import read_frame
from bokeh_server.protocol.models import WireModel
from bokeh_server.protocol.packing import unpack
from bokeh_server.protocol.patches import invalid_patch
from bokeh_server.protocol.saving import HEAD, MEMORY, ROWS
from bokeh_server.protocol.successors import Memory
from bokeh_server.protocol.values import Reader

__all__ = ["key_and_chunks", "read_parts"]

#: digest -> bytes of every chunk.
Chunks = Mapping[bytes, bytes]


class _Opened:
    """A part, unpacked."""

    def __init__(self, body: bytes) -> None:
        content, self.buffers = unpack(body, "a part of a snapshot")
        whole = orjson.loads(content)
        self.key: str = whole["key"]
        self.value: Any = whole["part"]
        self.stretches: dict[str, tuple[int, list[bytes]]] = {
            number: (skip, [bytes.fromhex(each) for each in digests])
            for number, (skip, *digests) in whole["stretches"].items()
        }

    @property
    def digests(self) -> list[bytes]:
        """The chunks that it needs."""
        return [each for _, digests in self.stretches.values() for each in digests]

    def reader(self, chunks: Chunks) -> Reader:
        """A reader to which long arrays are known."""
        self._fill_in_rows(chunks)
        blobs = {
            number: Blob(_joined(digests, chunks)[skip:], skip)
            for number, (skip, digests) in self.stretches.items()
        }
        return Reader(self.buffers, {}, blobs=blobs)

    def _fill_in_rows(self, chunks: Chunks) -> None:
        for value in (self.value.get("attributes") or {}).values():
            if isinstance(value, dict) and value.get("type") == "map":
                for entry in value.get("entries", ()):
                    entry[1] = self._rows(entry[1], chunks)

    def _rows(self, value: Any, chunks: Chunks) -> Any:
        if not isinstance(value, dict) or value.get("type") != ROWS:
            return value
        skip, digests = self.stretches.pop(value["id"])
        rows = [row for digest in digests for row in orjson.loads(chunks[digest])]
        return rows[skip:]


def _joined(digests: list[bytes], chunks: Chunks) -> bytes:
    return b"".join(chunks[digest] for digest in digests)


def key_and_chunks(body: bytes) -> tuple[str, list[bytes]]:
    """Give the key of a packed part, and the digests of the chunks that it needs."""
    part = _Opened(body)
    return part.key, part.digests


def read_parts(bodies: Iterable[bytes], chunks: Chunks) -> tuple[Contents, Memory]:
    """Make a document of its parts.

    :raises InvalidPatch: something is missing.
    """
    parts = {part.key: part for part in map(_Opened, bodies)}
    try:
        head, memory = parts.pop(HEAD), parts.pop(MEMORY)
        models = _read_models(parts.values(), chunks)
        contents = _read_head(head, head.reader(chunks), models)
    except KeyError as missing:
        raise invalid_patch(f"its snapshot lacks {str(missing)[:80]}") from None
    return contents, Memory.from_json(memory.value)


def _read_models(parts: Iterable[_Opened], chunks: Chunks) -> dict[str, WireModel]:
    models: dict[str, WireModel] = {}
    for part in parts:
        reader = part.reader(chunks)
        reader.value(part.value, "a model")
        reader.define()
        models.update(reader.new)
    return models


def _read_head(head: _Opened, reader: Reader, models: dict[str, WireModel]) -> Contents:
    roots = [{"id": root} for root in head.value["roots"]]
    contents = read_frame({**head.value, "roots": roots}, reader)
    contents.models = models
    needed = {*contents.roots, contents.config.id, *contents.callback_refs}
    needed.update(each for model in models.values() for each in model.all_refs())
    if needed - models.keys():
        raise invalid_patch(f"its snapshot lacks model {min(needed - models.keys())!r}")
    return contents
