"""The data of a data source, kept so that a change costs what is changed.

Streaming and patching follow Bokeh's ``PropertyValueColumnData``: lists are extended,
and as soon as one side is an array the column becomes one, of the type numpy gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bokeh_server.protocol.alike import is_same_patch, is_same_stream, typed_rows
from bokeh_server.protocol.arrays import (
    Array,
    Blob,
    InvalidValue,
    decode_array,
    objects,
    plain,
    wire_item,
)
from bokeh_server.protocol.growing import Column, GrowingArray, GrowingList, Undo
from bokeh_server.protocol.texts import is_stored

__all__ = ["Columns", "column_lengths", "entries"]

_GROWING = (GrowingArray, GrowingList)
_SIZED = (list, *_GROWING)


class Columns:
    """The data of a data source, ready for streaming and patching."""

    __slots__ = ("_columns",)

    def __init__(self, value: Any) -> None:
        self._columns: dict[str, Column] = {
            name: _to_column(name, column) for name, column in entries(value)
        }

    def items(self) -> Iterable[tuple[str, Column]]:
        """Give the columns by name."""
        return self._columns.items()

    def wire(self) -> dict[str, Any]:
        """Give its kept form."""
        if not self._columns:
            return {"type": "map"}
        pairs = [[name, column.wire()] for name, column in self._columns.items()]
        return {"type": "map", "entries": pairs}

    def saved(self) -> dict[str, Any]:
        """Give its kept form but for the columns, which are as they are, for a snapshot."""
        if not self._columns:
            return {"type": "map"}
        return {"type": "map", "entries": [list(pair) for pair in self._columns.items()]}

    def frozen(self, undo: Undo) -> dict[str, Any]:
        """Give its kept form as it is now, for browsers; later changes do not change it."""
        pairs = [[name, column.frozen(undo)] for name, column in self._columns.items()]
        return {"type": "map", "entries": pairs} if pairs else {"type": "map"}

    def put(self, arrays: Mapping[str, GrowingArray]) -> None:
        """Put columns in the places of those of the same names, as a snapshot has them."""
        self._columns.update(arrays)

    def replace(self, new: Iterable[tuple[str, Any]], undo: Undo) -> None:
        """Replace some columns, or add them."""
        for name, column in new:
            self._set(name, _to_column(name, column), undo)

    def stream(self, new: Any, rollover: int | None, undo: Undo) -> bool:
        """Append rows to all columns.

        :param rollover: most rows to keep.
        :returns: whether BokehJS does the same.
        :raises InvalidValue: columns are missing or too many, or their lengths disagree.
        """
        pairs = dict(entries(new))
        _check_stream(pairs, set(self._columns))
        same = True
        for name, column in pairs.items():
            if name not in self._columns:
                self._set(name, GrowingList([]), undo)
            try:
                same &= is_same_stream(self._columns[name], column, rollover)
                self._append(name, column, undo)
            except InvalidValue as fault:
                raise InvalidValue(f"column {name!r}: {fault}") from None
            if rollover is not None:
                self._columns[name].keep_last(rollover)
        return same

    def _append(self, name: str, value: Any, undo: Undo) -> None:
        old = self._columns[name]
        if isinstance(old, GrowingList):
            items = _as_items(value)
            if items is not None:
                old.append(items, undo)
                return
        elif (rows := typed_rows(old, value)) is not None:
            old.append(rows, undo)
            return
        new = _to_column(name, value)
        if len(old) == 0:
            self._set(name, new, undo)
        elif len(new) == 0:
            old.append_nothing(undo)
        else:
            self._append_array(name, old, new, undo)

    def _append_array(self, name: str, old: Column, new: Column, undo: Undo) -> None:
        beside = old.values.dtype if isinstance(old, GrowingArray) else None
        array = new.values if isinstance(new, GrowingArray) else new.to_array(beside)
        if isinstance(old, GrowingList):
            old = GrowingArray(old.to_array(array.dtype))
            self._set(name, old, undo)
        if array.ndim != 1 or old.values.ndim != 1:
            raise InvalidValue("only flat arrays can be streamed")
        try:
            old.append(array, undo)
            old.typed = False
        except (TypeError, ValueError) as fault:
            raise InvalidValue(f"the array cannot take the new rows ({fault})") from None

    def patch(self, patches: Any, undo: Undo) -> bool:
        """Set items of some columns.

        :param patches: column name -> list of ``[index, value]`` as kept values.
        :returns: whether BokehJS does the same.
        :raises InvalidValue: a column does not exist, or an index or value does not fit.
        """
        same = True
        for name, changes in entries(patches):
            column = self._columns.get(name)
            if column is None:
                raise InvalidValue(f"there is no column {name!r} to patch")
            if not isinstance(changes, list):
                raise InvalidValue(f"the patches of column {name!r} are not a list")
            for change in changes:
                try:
                    same &= _patch(column, change, undo)
                except InvalidValue as fault:
                    raise InvalidValue(f"column {name!r}: {fault}") from None
        return same

    def _set(self, name: str, column: Column, undo: Undo) -> None:
        columns = self._columns
        if name in columns:
            old = columns[name]
            undo.append(lambda: columns.__setitem__(name, old))
        else:
            undo.append(lambda: columns.__delitem__(name))
        columns[name] = column


def column_lengths(value: Any) -> dict[str, int]:
    """Give the lengths of the columns in a kept value, :class:`Columns` or not.

    :raises InvalidValue: it is not a map of columns.
    """
    if isinstance(value, Columns):
        return {name: len(column) for name, column in value.items()}
    return {name: _length(name, column) for name, column in entries(value)}


def entries(value: Any) -> Iterable[tuple[str, Any]]:
    """Give the columns of a kept value that is not :class:`Columns`.

    :raises InvalidValue: it is not a map with strings as keys.
    """
    if not isinstance(value, dict):
        raise InvalidValue("the data is not a map of columns")
    if value.get("type") == "map":
        pairs = [(name, column) for name, column in value.get("entries", ())]
    elif "type" in value:
        raise InvalidValue("the data is not a map of columns")
    else:
        pairs = list(value.items())
    names = {name for name, _ in pairs if isinstance(name, str)}
    if len(names) != len(pairs):
        raise InvalidValue("the names of the columns are not different strings")
    return pairs


def _length(name: str, column: Any) -> int:
    if isinstance(column, _SIZED):
        return len(column)
    kind = column.get("type") if isinstance(column, dict) else None
    if kind == "array":
        return len(column.get("entries", ()))
    if kind == "ndarray":
        return int(column["shape"][0])
    if kind == "typed_array":
        return len(decode_array(column))
    raise InvalidValue(f"column {name!r} is neither a list nor an array")


def _to_column(name: str, value: Any) -> Column:
    if isinstance(value, list):
        return GrowingList(list(value))
    if isinstance(value, _GROWING):
        return value
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "array":
        return GrowingList(list(value.get("entries", ())))
    if kind in ("ndarray", "typed_array"):
        array = decode_array(value)
        first = _dropped_before(value["array"], array)
        return GrowingArray(array, first, typed=kind == "typed_array")
    raise InvalidValue(f"column {name!r} is neither a list nor an array")


def _dropped_before(data: Any, array: Array) -> int:
    """How many rows were dropped before, so that a snapshot is cut where the last one was."""
    first = data.first if isinstance(data, Blob) else 0
    return first // array.itemsize if array.ndim == 1 else 0


def _as_items(value: Any) -> list[Any] | None:
    """Give what a list column is extended by, or ``None`` where it becomes an array."""
    if isinstance(value, list):
        return value
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "array":
        return list(value.get("entries", ()))
    if kind == "typed_array":
        return [wire_item(item) for item in decode_array(value).tolist()]
    return None


def _check_stream(new: dict[str, Any], names: set[str]) -> None:
    missing, extra = sorted(names - new.keys()), sorted(new.keys() - names)
    if names and missing:
        raise InvalidValue(f"all columns have to be streamed, and {', '.join(missing)} is missing")
    if names and extra:
        raise InvalidValue(f"there is no column {', '.join(extra)} to stream to")
    if len({_length(name, column) for name, column in new.items()}) > 1:
        raise InvalidValue("the new columns differ in length")
    for name, column in new.items():
        if isinstance(column, dict) and len(column.get("shape", [0])) != 1:
            raise InvalidValue(f"column {name!r}: only flat arrays can be streamed")


def _patch(column: Column, change: Any, undo: Undo) -> bool:
    if not isinstance(change, list) or len(change) != 2:
        raise InvalidValue("a patch is not a pair of index and value")
    index, value = change
    same = is_same_patch(column, change)
    if type(index) is int:
        _check_index(index, len(column))
        _patch_one(column, index, value, undo)
    elif isinstance(index, dict) and index.get("type") == "slice":
        _patch_slice(column, _to_slice(index, len(column)), value, undo)
    elif isinstance(index, list):
        _patch_inside(column, index, value, undo)
    else:
        raise InvalidValue(f"{str(index)[:100]} is not an index")
    return same


def _check_index(index: int, length: int) -> None:
    if not 0 <= index < length:
        raise InvalidValue(f"index {index} is out of range; there are {length:,} rows")


def _patch_one(column: Column, index: int, value: Any, undo: Undo) -> None:
    if isinstance(column, GrowingList):
        column.assign(index, value, undo)
    else:
        is_objects = column.values.dtype == object
        column.assign(index, value if is_objects else plain(value), undo)


def _to_slice(rep: dict[str, Any], length: int) -> slice:
    start, stop, step = rep["start"], rep["stop"], rep["step"]
    if any(end is not None and end < 0 for end in (start, stop, step)) or step == 0:
        raise InvalidValue("a slice may not have negative ends or steps, nor a step of 0")
    if start is not None and stop is not None and start > stop:
        raise InvalidValue(f"the slice from {start} to {stop} ends before it starts")
    if stop is not None and stop > length:
        raise InvalidValue(f"the slice to {stop} is out of range; there are {length:,} rows")
    return slice(start, stop, step)


def _patch_slice(column: Column, where: slice, value: Any, undo: Undo) -> None:
    rows = range(*where.indices(len(column)))
    if isinstance(column, GrowingArray):
        column.assign(where, _for_slice(column, value, len(rows)), undo)
        return
    items = _as_values(value)
    if len(items) != len(rows):
        raise InvalidValue(f"{len(items)} values were given for a slice of {len(rows)} rows")
    given = items if isinstance(items, list) else [wire_item(each) for each in items.tolist()]
    for row, item in zip(rows, given, strict=True):
        column.assign(row, item, undo)


def _for_slice(column: GrowingArray, value: Any, count: int) -> Any:
    """Give what numpy puts into rows: a value for each, or one for all."""
    if not isinstance(value, list | dict) or _is_number(value):
        return plain(value)
    items = _as_values(value)
    if column.values.ndim == 1 and len(items) not in (1, count):
        raise InvalidValue(f"{len(items)} values were given for a slice of {count} rows")
    if column.values.dtype == object and column.values.ndim == 1:
        return objects(items if isinstance(items, list) else _plain_items(items))
    return plain(items) if isinstance(items, list) else items


def _plain_items(values: Array) -> list[Any]:
    """Give the items of an array as wire values: what numpy has of them cannot be written."""
    if values.ndim != 1 and not is_stored():
        raise InvalidValue(f"an array of shape {list(values.shape)} does not fit into rows")
    return [_wire_items(each) for each in values.tolist()]


def _wire_items(item: Any) -> Any:
    return [_wire_items(each) for each in item] if isinstance(item, list) else wire_item(item)


def _is_number(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "number"


def _as_values(value: Any) -> list[Any] | Array:
    if isinstance(value, list):
        return value
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "array":
        return list(value.get("entries", ()))
    if kind in ("ndarray", "typed_array"):
        return decode_array(value)
    raise InvalidValue("a slice needs a list of values")


def _patch_inside(column: Column, index: list[Any], value: Any, undo: Undo) -> None:
    """Patch a region of one array in the column."""
    if len(index) < 2 or type(index[0]) is not int:
        raise InvalidValue(f"{str(index)[:100]} is not an index into an array of the column")
    row, inside = index[0], index[1:]
    _check_index(row, len(column))
    if isinstance(column, GrowingArray):
        shape = column.values.shape[1:]
        column.assign((row, *_sub_indices(inside, shape)), plain(value), undo)
        return
    cell = _array_cell(column, row, undo)
    cell.assign(_sub_indices(inside, cell.values.shape), plain(value), undo)


def _array_cell(column: GrowingList, row: int, undo: Undo) -> GrowingArray:
    cell = column[row]
    if isinstance(cell, dict) and cell.get("type") == "ndarray":
        cell = GrowingArray(decode_array(cell))
        column.assign(row, cell, undo)
    if not isinstance(cell, GrowingArray):
        raise InvalidValue(f"row {row} is not an array, so that no part of it can be patched")
    return cell


def _sub_indices(index: list[Any], shape: tuple[int, ...]) -> tuple[int | slice, ...]:
    if len(index) != len(shape):
        raise InvalidValue(f"{len(index)} indices were given into an array of shape {list(shape)}")
    return tuple(_sub_index(each, size) for each, size in zip(index, shape, strict=True))


def _sub_index(index: Any, size: int) -> int | slice:
    if type(index) is int:
        _check_index(index, size)
        return index
    if isinstance(index, dict) and index.get("type") == "slice":
        return _to_slice(index, size)
    raise InvalidValue(f"{str(index)[:100]} is not an index")
