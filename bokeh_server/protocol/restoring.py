"""Documents made again of the parts that :mod:`bokeh_server.protocol.saving` has made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import orjson

from bokeh_server.protocol.arrays import Blob
from bokeh_server.protocol.columns import Columns
from bokeh_server.protocol.contents import Contents
from bokeh_server.protocol.docjson import read_frame
from bokeh_server.protocol.growing import GrowingArray
from bokeh_server.protocol.models import WireModel
from bokeh_server.protocol.packing import unpack
from bokeh_server.protocol.patches import invalid_patch
from bokeh_server.protocol.saving import HEAD, KEPT, MEMORY, ROWS
from bokeh_server.protocol.successors import Memory
from bokeh_server.protocol.values import Reader

__all__ = ["read_parts"]

#: digest -> bytes of every chunk.
Chunks = Mapping[bytes, bytes]


class _Opened:
    """A part, unpacked."""

    def __init__(self, body: bytes) -> None:
        content, self.buffers = unpack(body, "a part of a snapshot")
        whole = orjson.loads(content)
        self.key: str = whole["key"]
        self.value: Any = whole["part"]
        #: by attribute and column, those of which the JSON does not say all.
        self.arrays: dict[str, dict[str, GrowingArray]] = {}
        self.stretches: dict[str, tuple[int, list[bytes]]] = {
            number: (skip, [bytes.fromhex(each) for each in digests])
            for number, (skip, *digests) in whole["stretches"].items()
        }

    def reader(self, chunks: Chunks) -> Reader:
        """A reader to which long arrays are known."""
        self._fill_in(chunks)
        blobs = {number: self._blob(number, chunks) for number in self.stretches}
        return Reader(self.buffers, {}, blobs=blobs)

    def _fill_in(self, chunks: Chunks) -> None:
        for attr, value in (self.value.get("attributes") or {}).items():
            if isinstance(value, dict) and value.get("type") == "map":
                for entry in value.get("entries", ()):
                    kind = entry[1].get("type") if isinstance(entry[1], dict) else None
                    if kind == ROWS:
                        entry[1] = self._rows(entry[1], chunks)
                    elif kind == KEPT:
                        self.arrays.setdefault(attr, {})[entry[0]] = self._array(entry[1], chunks)
                        entry[1] = []

    def _rows(self, value: dict[str, Any], chunks: Chunks) -> list[Any]:
        skip, digests = self.stretches.pop(value["id"])
        rows = [row for digest in digests for row in orjson.loads(chunks[digest])]
        return rows[skip:]

    def _array(self, value: dict[str, Any], chunks: Chunks) -> GrowingArray:
        blob = self._blob(value["array"]["data"]["id"], chunks)
        array = np.frombuffer(blob.data, dtype=value["dtype"])
        return GrowingArray(array.reshape(value["shape"]), blob.first // array.itemsize)

    def _blob(self, number: str, chunks: Chunks) -> Blob:
        if number in self.buffers:
            return Blob(self.buffers[number])
        skip, digests = self.stretches[number]
        return Blob(b"".join(chunks[digest] for digest in digests)[skip:], skip)

    def define(self, chunks: Chunks) -> dict[str, WireModel]:
        """Give the model that the part is, by its id."""
        reader = self.reader(chunks)
        reader.value(self.value, "a model")
        reader.define()
        for model in reader.new.values():
            for attr, arrays in self.arrays.items():
                columns = Columns(model.attributes[attr])
                columns.put(arrays)
                model.set(attr, columns, model.refs(attr), model.depth)
        return reader.new


def read_parts(bodies: Iterable[bytes], chunks: Chunks) -> tuple[Contents, Memory]:
    """Make a document of its parts.

    :raises InvalidPatch: something is missing.
    """
    parts = {part.key: part for part in map(_Opened, bodies)}
    try:
        head, memory = parts.pop(HEAD), parts.pop(MEMORY)
        models = {
            key: model for part in parts.values() for key, model in part.define(chunks).items()
        }
        contents = _read_head(head, head.reader(chunks), models)
    except KeyError as missing:
        raise invalid_patch(f"its snapshot lacks {str(missing)[:80]}") from None
    return contents, Memory.from_json(memory.value)


def _read_head(head: _Opened, reader: Reader, models: dict[str, WireModel]) -> Contents:
    roots = [{"id": root} for root in head.value["roots"]]
    contents = read_frame({**head.value, "roots": roots}, reader)
    contents.models = models
    needed = {*contents.roots, contents.config.id, *contents.callback_refs}
    needed.update(each for model in models.values() for each in model.all_refs())
    if needed - models.keys():
        raise invalid_patch(f"its snapshot lacks model {min(needed - models.keys())!r}")
    return contents
