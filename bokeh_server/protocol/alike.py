"""Whether BokehJS makes of rows and patches what numpy, and so Bokeh in Python, makes of them.

A typed array of JavaScript keeps its type where numpy takes a wider one, keeps its length when
fewer rows are to be kept than it has, and takes ``null`` for 0. Where the two would differ,
followers get the data as it is afterwards, instead of the event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bokeh_server.protocol.arrays import Array, decode_array, plain
from bokeh_server.protocol.growing import Column, GrowingArray, GrowingList

__all__ = ["is_same_patch", "is_same_stream", "typed_rows"]

_NUMBERS = frozenset((int, float, bool))
#: arrays whose items are numbers in JavaScript, too.
_PLAIN = frozenset(("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"))
_WIDE = {"int64": "int32", "uint64": "uint32"}


def is_same_stream(old: Column, value: Any, rollover: int | None) -> bool:
    """Whether browsers append as Python does; at the cost of ``value``.

    :param old: a column as it is before.
    :param value: the kept value of the new rows.
    """
    if rollover == 0:  # BokehJS keeps everything then
        return False
    items, array = _rows(value)
    if isinstance(old, GrowingArray) and typed_rows(old, value) is not None:
        return rollover is None or len(old) <= rollover
    if isinstance(old, GrowingList):
        if array is None:
            return True
        return len(old) == 0 and value["type"] == "ndarray" and array.dtype != object
    if old.values.ndim != 1:
        return False
    if old.shown == "object" and len(old):
        return _keeps(old, items, array)
    if len(old) == 0:
        return array is not None and array.dtype.name == old.shown
    if rollover is not None and len(old) > rollover:
        return False
    return not _length(items, array) or _fits(old, _as_array(items, array))


def typed_rows(old: GrowingArray, value: Any) -> Array | None:
    """Give rows in the type of a browser's ``typed_array``, which keeps it while they fit.

    :returns: ``None`` where ``old`` is none, or does not take them.
    """
    if not old.typed:
        return None
    items, array = _rows(value)
    dtype = old.values.dtype
    if array is not None:
        return array if value["type"] == "typed_array" and array.dtype == dtype else None
    numbers = [plain(each) for each in items]
    if not all(map(_fits_float if dtype.kind == "f" else _fits_integer(dtype), numbers)):
        return None
    with np.errstate(over="ignore"):
        return np.array(numbers, dtype=dtype)


def _fits_float(value: Any) -> bool:
    return type(value) in _NUMBERS


def _fits_integer(dtype: np.dtype[Any]) -> Callable[[Any], bool]:
    bounds = np.iinfo(dtype)
    return lambda value: type(value) in (int, bool) and bounds.min <= value <= bounds.max


def _rows(value: Any) -> tuple[list[Any], Array | None]:
    if isinstance(value, list):
        return value, None
    if value["type"] == "array":
        return value.get("entries", []), None
    return [], decode_array(value)


def _length(items: list[Any], array: Array | None) -> int:
    return len(items) if array is None else len(array)


def _as_array(items: list[Any], array: Array | None) -> Array:
    return GrowingList(items).to_array() if array is None else array


def _fits(old: GrowingArray, new: Array) -> bool:
    """Whether rows can be put into a typed array as they are."""
    if new.dtype.kind not in "biuf":
        return False
    name = np.result_type(old.values.dtype, new.dtype).name
    if name == old.shown:
        return True
    return _WIDE.get(name) == old.shown and _is_within(new, old.shown)


def _is_within(new: Array, name: str) -> bool:
    bounds = np.iinfo(name)
    return bool(new.min() >= bounds.min and new.max() <= bounds.max)


def _keeps(old: GrowingArray, items: list[Any], array: Array | None) -> bool:
    """Whether an array of anything takes rows as they are."""
    if array is not None and array.dtype != object:
        return False
    if not items:
        return True if array is None else old.values.dtype == object
    made = GrowingList(items).to_array(old.values.dtype)
    kind = np.result_type(old.values.dtype, made.dtype).kind
    return kind == old.values.dtype.kind and _is_kept(items, made.dtype.kind)


def _is_kept(items: list[Any], kind: str) -> bool:
    types = set(map(type, items))
    if kind == "O":
        return True
    return types == {str} if kind == "U" else bool not in types or len(types) == 1


def is_same_patch(column: Column, change: list[Any]) -> bool:
    """Whether browsers set just what Python sets.

    :param column: as it is before.
    :param change: index and value; both are checked when they are applied.
    """
    index, value = change
    if isinstance(index, list):
        return isinstance(column, GrowingList) and _is_same_inside(column, index, value)
    if isinstance(column, GrowingList):
        return type(index) is int or _is_flat(value)
    if column.values.ndim != 1:
        return False
    values = [value] if type(index) is int else _items(value)
    return values is not None and _takes(column, values)


def _is_flat(value: Any) -> bool:
    items = _items(value)
    return items is not None and (isinstance(value, list) or value.get("dtype") != "bool")


def _items(value: Any) -> list[Any] | None:
    """Give the items of what BokehJS counts by one index; ``None`` when it is nothing such."""
    if isinstance(value, list):
        return value
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "array":
        return list(value.get("entries", ()))
    if kind in ("ndarray", "typed_array"):
        array = decode_array(value)
        return array.tolist() if array.ndim == 1 else None
    return None


def _takes(column: GrowingArray, values: list[Any]) -> bool:
    kind = column.values.dtype.kind
    if kind == "O":
        return True
    if kind == "U":
        return all(type(each) is str for each in values)
    if kind == "b":
        return all(type(each) in _NUMBERS and each in (0, 1) for each in values)
    if column.shown != column.values.dtype.name:
        return all(type(each) is int for each in values) and _is_shown(column, values)
    return all(map(_is_number, values))


def _is_shown(column: GrowingArray, values: list[int]) -> bool:
    if column.shown == "object":
        return True
    bounds = np.iinfo(column.shown)
    return all(bounds.min <= each <= bounds.max for each in values)


def _is_number(value: Any) -> bool:
    return type(value) in _NUMBERS or (type(value) is dict and value.get("type") == "number")


def _is_same_inside(column: GrowingList, index: list[Any], value: Any) -> bool:
    row = index[0] if index else None
    if type(row) is not int or not 0 <= row < len(column) or len(index) > 3:
        return False
    if _dtype(column[row]) not in _PLAIN:
        return False
    return all(map(_is_number, value)) if isinstance(value, list) else _dtype(value) in _PLAIN


def _dtype(value: Any) -> str | None:
    """Give the dtype of an array in the wire's form; ``None`` for anything else."""
    if isinstance(value, GrowingArray):
        return value.shown
    return value.get("dtype") if isinstance(value, dict) else None
