"""Patches as BokehJS sends them: typed arrays, buffers by number, several events at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from protocol.value_strategies import numbers, words

from bokeh_server.protocol import WireDocument
from bokeh_server.protocol.arrays import deflate, wire_item

__all__ = ["PagePatch", "page_patches"]

Json = Any
#: gives content and buffers of a patch for a document as it is.
PagePatch = Callable[[WireDocument, int], tuple[dict[str, Any], dict[str, bytes]]]

TYPED = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


@dataclass(frozen=True)
class Model:
    """A model of the document, by number and sort."""

    number: int
    sort: str = ""


@dataclass(frozen=True)
class New:
    """A model in full; another of the same name in one patch is the same again."""

    name: str
    text: str
    tags: list[Any]


@dataclass(frozen=True)
class Bytes:
    """Bytes in a buffer, or inline."""

    data: bytes
    inline: bool


@dataclass
class Writer:
    """Puts ids and buffers in place of what stands for them.

    :param number: makes the ids of new models differ from those of other patches.
    """

    wire: WireDocument
    number: int
    buffers: dict[str, bytes] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)

    def write(self, value: Json) -> Json:
        """Give JSON."""
        if isinstance(value, Model):
            return {"id": self.find(value)}
        if isinstance(value, New):
            return self._new(value)
        if isinstance(value, Bytes):
            return {"type": "bytes", "data": self._bytes(value)}
        if isinstance(value, list):
            return [self.write(each) for each in value]
        if isinstance(value, dict):
            return {key: self.write(each) for key, each in value.items()}
        return value

    def find(self, model: Model) -> str:
        """The id of a model; of the configuration there is none in Python."""
        if model.sort:
            return self.wire.find(model.sort) or "none"
        hidden = {"DocumentConfig", "Notifications"}
        known = [each for each in self.wire.typed() if self.wire.type_of(each) not in hidden]
        return known[model.number % len(known)] if known else "none"

    def _new(self, model: New) -> Json:
        model_id = f"{model.name}-{self.number}"
        if model_id in self.written:
            return {"id": model_id}
        self.written.add(model_id)
        attributes = {"text": model.text, "tags": self.write(model.tags)}
        return {"type": "object", "name": "Div", "id": model_id, "attributes": attributes}

    def _bytes(self, value: Bytes) -> Json:
        if value.inline:
            return deflate(value.data)
        key = str(len(self.buffers))
        self.buffers[key] = value.data
        return {"id": key}


def _number(value: float) -> Json:
    return wire_item(value)


@st.composite
def blobs(draw: st.DrawFn, data: bytes) -> Bytes:
    """Bytes either way."""
    return Bytes(data, draw(st.booleans()))


@st.composite
def binary(draw: st.DrawFn, shape: tuple[int, ...]) -> Json:
    """Numbers in a ``typed_array`` or ``ndarray`` of any type and byte order."""
    flat = len(shape) == 1
    kind = draw(st.sampled_from(["typed_array", "ndarray"])) if flat else "ndarray"
    dtype = draw(st.sampled_from(TYPED if kind == "typed_array" else (*TYPED, "bool")))
    order = draw(st.sampled_from(["little", "little", "little", "big"]))
    array = draw(hnp.arrays(np.dtype(dtype).newbyteorder("<" if order == "little" else ">"), shape))
    rep = {"type": kind, "array": draw(blobs(array.tobytes())), "order": order, "dtype": dtype}
    return rep if kind == "typed_array" else {**rep, "shape": list(shape)}


@st.composite
def listed(draw: st.DrawFn, shape: tuple[int, ...]) -> Json:
    """An ``ndarray`` of anything, in one flat list."""
    count = int(np.prod(shape))
    items = draw(st.lists(scalars, min_size=count, max_size=count))
    return {"type": "ndarray", "array": items, "dtype": "object", "shape": list(shape),
            "order": "little"}  # fmt: skip


scalars = st.none() | st.booleans() | words | numbers.map(_number)
known = st.builds(Model, st.integers(0, 40))
fresh = st.deferred(
    lambda: st.builds(
        New, st.sampled_from("ABC"), words, st.lists(known | fresh | st.just(_TWIN), max_size=2)
    )
)
_TWIN = New("A", "twin", [])
models = known | fresh
ends = st.none() | st.integers(-5, 5)
slices = st.builds(lambda a, b, c: {"type": "slice", "start": a, "stop": b, "step": c}, *[ends] * 3)
shapes = st.sampled_from([(0,), (2,), (3,), (2, 2), (1, 2, 1)])
leaves = st.one_of(
    scalars,
    scalars,
    models,
    slices,
    shapes.flatmap(binary),
    shapes.flatmap(listed),
    known.map(lambda model: {"type": "ref", "id": model}),
    st.binary(max_size=3).flatmap(blobs),
    # What nobody can read: refused by Bokeh, and so by us.
    st.sampled_from([{"type": "date", "iso": "2026-01-01T00:00:00.000Z"}] * 1)
    | st.just({"type": "symbol", "name": "x"})
    | scalars,
)


def _structures(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    pairs = st.lists(st.tuples(scalars, inner).map(list), min_size=1, max_size=2)
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=2).map(lambda items: {"type": "array", "entries": items}),
        st.just({"type": "map"}),
        st.just({"type": "array"}),
        pairs.map(lambda entries: {"type": "map", "entries": entries}),
        st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        st.lists(scalars, max_size=3).map(lambda items: {"type": "set", "entries": items}),
        scalars.map(lambda value: {"type": "value", "value": value}),
        words.map(lambda name: {"type": "field", "field": name, "units": "data"}),
    )


values = st.recursive(leaves, _structures, max_leaves=5)
#: without models: Bokeh in Python forgets those in columns, and in a ``value``.
cell_values = st.recursive(scalars | shapes.flatmap(listed), _structures, max_leaves=4)


def _columns(count: int) -> st.SearchStrategy[Json]:
    numeric = st.lists(numbers.map(_number), min_size=count, max_size=count)
    return st.one_of(
        numeric,
        numeric,
        st.lists(cell_values, min_size=count, max_size=count),
        binary((count,)),
        listed((count,)),
        st.lists(binary((2, 2)) | binary((3,)), min_size=count, max_size=count),
    )


def _event(kind: str, model: str, **rest: Any) -> dict[str, Any]:
    return {"kind": kind, "model": Model(0, model), **rest}


def _set(model: str, attr: str) -> Callable[[Json], dict[str, Any]]:
    return lambda value: _event("ModelChanged", model, attr=attr, new=value)


@st.composite
def data_events(draw: st.DrawFn, names: str = "abc") -> dict[str, Any]:
    """All columns, or some of them, anew."""
    count = draw(st.integers(0, 3))
    entries = [[name, draw(_columns(count))] for name in names]
    data = {"type": "map", "entries": entries}
    if draw(st.booleans()):
        return _event("ModelChanged", "source", attr="data", new=data)
    return _event("ColumnDataChanged", "source", attr="data", data=data, cols=None)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """Rows that are appended to columns a, b and c."""
    count = draw(st.integers(0, 3))
    entries = [[name, draw(_columns(count))] for name in "abc"]
    rollover = draw(st.none() | st.integers(0, 5))
    data = {"type": "map", "entries": entries}
    return _event("ColumnsStreamed", "source", attr="data", data=data, rollover=rollover)


@st.composite
def cells(draw: st.DrawFn) -> dict[str, Any]:
    """Items, slices and regions that are set."""
    index = draw(st.integers(0, 2))
    part = {"type": "slice", "start": draw(st.none() | st.just(0)), "stop": index, "step": None}
    change = draw(
        st.one_of(
            st.tuples(st.just(index), scalars | cell_values),
            st.tuples(st.just(part), _columns(index)),
            st.tuples(st.just(part), scalars),
            st.tuples(
                st.just([index, 0, 1]), st.lists(numbers.map(_number), min_size=1, max_size=1)
            ),
            st.tuples(st.just([index, 0]), _columns(2)),
            st.tuples(st.just([index, {**part, "stop": 2}, 0]), binary((2,)) | _columns(2)),
        )
    )
    patches = {"type": "map", "entries": [[draw(st.sampled_from("abc")), [list(change)]]]}
    return _event("ColumnsPatched", "source", attr="data", patches=patches)


events: st.SearchStrategy[dict[str, Any]] = st.one_of(
    values.map(_set("experiment", "note")),
    values.map(_set("experiment", "note")),
    st.lists(values, max_size=2).map(_set("slider", "tags")),
    st.lists(models, max_size=3).map(_set("experiment", "parts")),
    st.lists(models, max_size=3).map(_set("layout", "children")),
    st.tuples(st.just("k"), values).map(
        lambda pair: _set("experiment", "by_name")({"type": "map", "entries": [list(pair)]})
    ),
    data_events(),
    rows(),
    rows(),
    cells(),
    cells(),
    words.map(lambda title: {"kind": "TitleChanged", "title": title}),
    models.map(lambda model: {"kind": "RootAdded", "model": model}),
    st.sampled_from(["plot", "nobody"]).map(lambda name: _event("RootRemoved", name)),
    values.map(lambda data: {"kind": "MessageSent", "msg_type": "mine", "msg_data": data}),
)


def _patch(some: list[dict[str, Any]]) -> PagePatch:
    def make(wire: WireDocument, number: int) -> tuple[dict[str, Any], dict[str, bytes]]:
        writer = Writer(wire, number)
        return {"events": writer.write(some)}, writer.buffers

    return make


#: the first sets the columns to which the others append.
page_patches: st.SearchStrategy[list[PagePatch]] = st.builds(
    lambda first, rest: [_patch([first]), *map(_patch, rest)],
    data_events(),
    st.lists(st.lists(events, min_size=1, max_size=3), min_size=1, max_size=6),
)
