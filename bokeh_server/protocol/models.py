"""Models as a document keeps them, and how they are written as JSON."""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import orjson

from bokeh_server.protocol.arrays import Blob, deflate
from bokeh_server.protocol.columns import Columns
from bokeh_server.protocol.growing import ColumnBytes, GrowingArray
from bokeh_server.protocol.packing import Buffers

__all__ = ["Piece", "Ref", "WireModel", "Writer", "inline_buffers", "to_pieces"]

#: caching the JSON of larger models would keep their data in memory twice.
_CACHED_SIZE = 65_536

_GROWING = (Columns, GrowingArray)
_LEAVES = (Blob, ColumnBytes)
_PLOT_TYPES = frozenset(("Figure", "Plot", "GMap"))


class Ref:
    """A reference to a model, inside a kept value."""

    __slots__ = ("id",)

    def __init__(self, model_id: str) -> None:
        self.id = model_id

    def __repr__(self) -> str:
        return f"Ref({self.id!r})"


_PLACES = (Ref, *_LEAVES)

#: JSON, or what stands between two stretches of it.
Piece: TypeAlias = bytes | Ref | Blob | ColumnBytes


class WireModel:
    """One model.

    :ivar name: its type: ``"Slider"``.
    :ivar attributes: kept values; change them by :meth:`set` only.
    :ivar depth: no value of it has more levels of JSON than this.
    """

    __slots__ = ("_pieces", "_refs", "attributes", "depth", "id", "name")

    def __init__(self, model_id: str, name: str) -> None:
        self.id = model_id
        self.name = name
        self.attributes: dict[str, Any] = {}
        self.depth = 0
        self._refs: dict[str, tuple[str, ...]] = {}
        self._pieces: list[Piece] | None = None

    @property
    def label(self) -> str:
        """How error messages call it."""
        return f"{self.name} {self.id!r}"

    @property
    def is_plot(self) -> bool:
        """Whether it is drawn as a plot, subclasses of Bokeh's own included."""
        return self.name in _PLOT_TYPES or (
            "renderers" in self.attributes and "x_range" in self.attributes
        )

    @property
    def title(self) -> str | None:
        """The name that its author gave it."""
        name = self.attributes.get("name")
        return name if isinstance(name, str) else None

    def set(self, attr: str, value: Any, refs: tuple[str, ...], depth: int) -> None:
        """Set an attribute.

        :param refs: ids of the models that ``value`` refers to, in order.
        """
        self.attributes[attr] = value
        self.depth = max(self.depth, depth)
        if refs:
            self._refs[attr] = refs
        else:
            self._refs.pop(attr, None)
        self._pieces = None

    def put_back(self, attr: str, value: Any, refs: tuple[str, ...], depth: int) -> None:
        """Take back what set an attribute that had another value.

        :param depth: that of the model before.
        """
        self.depth = 0
        self.set(attr, value, refs, depth)

    def unset(self, attr: str, depth: int) -> None:
        """Take back what set an attribute that had its default.

        :param depth: that of the model before.
        """
        self.attributes.pop(attr, None)
        self._refs.pop(attr, None)
        self._pieces = None
        self.depth = depth

    def touch(self) -> None:
        """Note that the inside of a value has changed."""
        self._pieces = None

    def refs(self, attr: str) -> tuple[str, ...]:
        """Give the ids that one attribute refers to."""
        return self._refs.get(attr, ())

    def all_refs(self) -> Iterator[str]:
        """Give the ids that it refers to, in the order in which it is written."""
        if self._refs:
            for attr in self.attributes:
                yield from self._refs.get(attr, ())

    def pieces(self) -> list[Piece]:
        """Give its definition, ready to be written."""
        if self._pieces is not None:
            return self._pieces
        pieces = to_pieces(self.definition())
        if sum(len(piece) for piece in pieces if isinstance(piece, bytes)) <= _CACHED_SIZE:
            self._pieces = pieces
        return pieces

    def definition(self) -> dict[str, Any]:
        """Give its definition as a kept value."""
        head = {"type": "object", "name": self.name, "id": self.id}
        return {**head, "attributes": self.attributes} if self.attributes else head


def to_pieces(value: Any) -> list[Piece]:
    """Write a kept value as JSON, with what depends on the receiver left out in between."""
    leaves: list[Piece] = []
    mark = _mark()

    def leave_out(item: Any) -> Any:
        if isinstance(item, _GROWING):
            return item.wire()
        if not isinstance(item, _PLACES):
            raise TypeError(f"no wire value holds a {type(item).__name__}")
        leaves.append(item)
        return mark

    text = orjson.dumps(value, default=leave_out)
    if not leaves:
        return [text]
    pieces: list[Piece] = []
    for part, leaf in zip(text.split(b'"%b"' % mark.encode()), [*leaves, b""], strict=True):
        pieces += (part, leaf)
    return pieces


@functools.cache
def _mark() -> str:
    # Never sent, so that nobody can put it into a value. Two threads that come first at once may
    # get two, so whoever writes with one has to look for the very same.
    return uuid.uuid4().hex


#: how bytes stand in what :class:`Writer` has written; within a string its quotes are escaped.
_BYTES_IN_BUFFER = re.compile(rb'\{"type":"bytes","data":\{"id":"(\d+)"\}\}')


def inline_buffers(content: bytes, buffers: Buffers) -> bytes:
    """Give what ``Writer(inline=True)`` would have written.

    The JSON is not parsed, so that it may be nested as deep as documents are.

    :param content: what a :class:`Writer` has written, with its ``buffers``.
    """

    def inline(found: re.Match[bytes]) -> bytes:
        data = buffers.get(found[1].decode())
        return found[0] if data is None else orjson.dumps({"type": "bytes", "data": deflate(data)})

    return _BYTES_IN_BUFFER.sub(inline, content) if buffers else content


class Writer:
    """Write kept values as Bokeh's JSON: a model in full at first, then by its id.

    :ivar buffers: what the JSON refers to; empty with ``inline``.
    :ivar deepest: no value is nested deeper than this many levels of JSON.

    :param models: the models to write in full where they come first; others go by id.
    :param inline: write bytes as base64 of gzip, for receivers that get no buffers.
    """

    def __init__(self, models: Mapping[str, WireModel], *, inline: bool = False) -> None:
        self.buffers: dict[str, bytes] = {}
        self.deepest = 0
        self._models = models
        self._inline = inline
        self._written: set[str] = set()
        self._parts: list[bytes] = []

    def write(self, value: Any) -> None:
        """Add a kept value."""
        if type(value) is bytes:
            self._parts.append(value)
            return
        stack = [iter(to_pieces(value))]
        depths = [0]
        while stack:
            model = self._write_until_model(stack[-1])
            if model is None:
                stack.pop()
                depths.pop()
                continue
            depths.append(depths[-1] + model.depth + 2)
            self.deepest = max(self.deepest, depths[-1])
            stack.append(iter(model.pieces()))

    def write_model(self, model: WireModel) -> None:
        """Add a model in full; the models that it refers to by their ids."""
        self._written.add(model.id)
        rest = self._write_until_model(iter(model.pieces()))
        if rest is not None:
            raise AssertionError("write_model is for writers that write no models in full")

    def text(self) -> bytes:
        """Give what was written."""
        return b"".join(self._parts)

    def _write_until_model(self, pieces: Iterator[Piece]) -> WireModel | None:
        for piece in pieces:
            if type(piece) is bytes:
                self._parts.append(piece)
            elif isinstance(piece, Ref):
                model = self._first(piece.id)
                if model is not None:
                    return model
                self._parts.append(orjson.dumps({"id": piece.id}))
            elif isinstance(piece, _LEAVES):
                self._parts.append(orjson.dumps({"type": "bytes", "data": self._bytes(piece)}))
        return None

    def _first(self, model_id: str) -> WireModel | None:
        model = None if model_id in self._written else self._models.get(model_id)
        if model is not None:
            self._written.add(model_id)
        return model

    def _bytes(self, leaf: Blob | ColumnBytes) -> object:
        if self._inline:
            return leaf.inline()
        key = str(len(self.buffers))
        self.buffers[key] = leaf.raw()
        return {"id": key}
