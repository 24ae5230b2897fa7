"""Values of every kind, as scripts set them and as browsers send them.

A value may hold a :class:`Known` or a :class:`Fresh`, which :func:`filled` makes models of.
"""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from bokeh.core.property.vectorization import Field, Value
from bokeh.document import Document
from bokeh.models import Div
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

__all__ = ["DTYPES", "Fresh", "Known", "arrays", "columns", "filled", "numbers", "values", "words"]

#: what numpy has and Bokeh can send, the kinds that are sent as lists included.
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "bool",
          "int64", "uint64", "float16", "datetime64[ms]", "timedelta64[s]", "U4")  # fmt: skip

words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5)
numbers = st.floats() | st.integers(-(2**60), 2**60) | st.sampled_from([0, -1, 2**53, 1e308])
dates = st.dates() | st.datetimes() | st.timedeltas(max_value=dt.timedelta(9999))
shapes = st.one_of(
    st.tuples(st.integers(0, 4)),
    st.tuples(st.integers(0, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 2)),
)


@dataclass(frozen=True)
class Known:
    """A model that the document has."""

    number: int


@dataclass(frozen=True)
class Fresh:
    """A model that the document does not have; one that refers to a known one, or to itself."""

    text: str
    tag: Known | None
    cyclic: bool


def _elements(dtype: np.dtype[Any]) -> st.SearchStrategy[Any] | None:
    return words.map(lambda text: text[:4].replace("\x00", "")) if dtype.kind == "U" else None


@st.composite
def arrays(draw: st.DrawFn, shape: tuple[int, ...] | None = None) -> Any:
    """An array of any dtype and shape."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    size = draw(shapes) if shape is None else shape
    made = draw(hnp.arrays(dtype, size, elements=_elements(dtype)))
    if draw(st.booleans()) and made.ndim > 1:
        made = np.asfortranarray(made)
    return made


@st.composite
def object_arrays(draw: st.DrawFn, count: int | None = None) -> Any:
    """An array of anything, lists included.

    Not of lists alone: Bokeh in Python reads those as a table, and makes one long row of it when
    rows are added.
    """
    size = draw(st.integers(0, 3)) if count is None else count
    made = np.empty(size, dtype=object)
    for index in range(size):
        plain = numbers | words | st.none()
        made[index] = draw(plain | st.lists(numbers, max_size=2) if index else plain)
    return made


typed_arrays = st.builds(array, st.sampled_from("bBhHiI"), st.lists(st.integers(0, 99), max_size=3))
models = st.builds(Known, st.integers(0, 40)) | st.builds(
    Fresh, words, st.none() | st.builds(Known, st.integers(0, 40)), st.booleans()
)
slices = st.builds(slice, *[st.none() | st.integers(-9, 9)] * 3)
# No models in them: Bokeh in Python forgets those, and could not read a reference to one.
vectors = st.builds(Field, words) | st.builds(Value, numbers | words)
leaves = st.one_of(
    st.none(), st.booleans(), numbers, words, dates, st.binary(max_size=4), slices, models,
    arrays(), object_arrays(), typed_arrays, vectors,
)  # fmt: skip
keys = words | st.integers(-3, 3) | st.floats(allow_nan=False)
hashable = st.one_of(st.none(), st.booleans(), numbers, words)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(words, inner, max_size=3),
        st.dictionaries(keys, inner, max_size=2),
        st.sets(hashable, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b"]), inner).map(lambda some: _namespace(some)),
    )


def _namespace(some: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**some)


#: anything that a property may hold which takes anything.
values = st.recursive(leaves, _containers, max_leaves=6)


def columns(count: int) -> st.SearchStrategy[Any]:
    """A column of so many rows."""

    def lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(items, min_size=count, max_size=count)

    return st.one_of(
        lists(numbers),
        lists(numbers),
        lists(words | st.none()),
        lists(st.one_of(numbers, words, st.none(), dates, st.booleans())),
        lists(st.lists(numbers, max_size=2)),
        lists(arrays((2, 3)) | arrays((2,))),
        # No models: Bokeh in Python forgets those that only a column holds.
        lists(st.dictionaries(words, numbers, max_size=1)),
        arrays((count,)),
        arrays((count,)),
        arrays((count, 2)),
        object_arrays(count),
        lists(dates).map(lambda items: np.array(items, dtype=object)),
    )


def filled(value: Any, document: Document) -> Any:
    """Give a value with models of a document in place of what stands for them."""
    if isinstance(value, Known):
        known = sorted(document.models, key=lambda model: model.id)
        return known[value.number % len(known)]
    if isinstance(value, Fresh):
        return _fresh(value, document)
    return _inside(value, lambda inner: filled(inner, document))


def _fresh(value: Fresh, document: Document) -> Div:
    made = Div(text=value.text)
    tags = [] if value.tag is None else [filled(value.tag, document)]
    made.tags = [*tags, made] if value.cyclic else tags
    return made


def _inside(value: Any, change: Callable[[Any], Any]) -> Any:
    if type(value) in (list, tuple):
        return type(value)(change(each) for each in value)
    if type(value) is dict:
        return {key: change(each) for key, each in value.items()}
    if type(value) is SimpleNamespace:
        return SimpleNamespace(**_inside(vars(value), change))
    return value
