"""Columns of data that can be appended to and patched at the cost of the change."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import orjson

from bokeh_server.protocol.arrays import (
    Array,
    Blob,
    InvalidValue,
    deflate,
    encode_array,
    has_dtype,
    objects,
    plain,
    shown_dtype,
)
from bokeh_server.protocol.chunks import CHUNK_BYTES, CHUNK_ROWS, Cuts, Digests, Stretch
from bokeh_server.protocol.texts import check_dtype, check_items, check_value

__all__ = ["Column", "ColumnBytes", "GrowingArray", "GrowingList", "Undo", "to_array"]

#: puts back what one change to a document has changed.
Undo: TypeAlias = list[Callable[[], None]]

_SMALLEST = 64
#: what integers of 64 bits are in browsers, where they fit.
_NARROWED = {"int64": "int32", "uint64": "uint32"}


class GrowingArray:
    """An array that grows at its end and shrinks at its beginning.

    :param first: how many rows were dropped from its beginning before.
    :param typed: it is a browser's ``typed_array``, which never changes its type.
    """

    __slots__ = ("_array", "_cuts", "_inline", "_owned", "_shown", "_start", "_stop", "typed")

    def __init__(self, array: Array, first: int = 0, *, typed: bool = False) -> None:
        self.typed = typed
        self._array = array
        self._cuts = Cuts(first)
        self._start = 0
        self._stop = len(array)
        self._owned = False
        self._inline: str | None = None
        self._shown: str | None = None

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def values(self) -> Array:
        """The array itself, not a copy."""
        return self._array[self._start : self._stop]

    @property
    def shown(self) -> str:
        """The dtype that it has in browsers."""
        return self._shown or shown_dtype(self.values)

    @property
    def is_shown_as_it_is(self) -> bool:
        """Whether its kept form says of what type it is, which that of 64-bit integers does not."""
        return has_dtype(self._array)

    def wire(self) -> dict[str, Any]:
        """Give its kept form."""
        return self._form(encode_array(self.values, ColumnBytes(self), self._shown))

    def _form(self, rep: dict[str, Any]) -> dict[str, Any]:
        if not self.typed:
            return rep
        return {"type": "typed_array", **{key: rep[key] for key in ("array", "order", "dtype")}}

    def frozen(self, undo: Undo) -> dict[str, Any]:
        """Give its kept form as it is now, for browsers; later changes do not change it."""
        self._remember(undo)
        self._shown = None
        rep = encode_array(self.values, Blob(self.values.tobytes()))
        self._shown = rep["dtype"]
        return self._form(rep)

    def inline(self) -> str:
        """Give its bytes as base64 of gzip, made once per change."""
        if self._inline is None:
            self._inline = deflate(self.values.tobytes())
        return self._inline

    def append(self, new: Array, undo: Undo) -> None:
        """Append, in time that depends on ``new`` alone, but for the occasional move."""
        self._remember(undo)
        dtype = self._array.dtype
        if new.dtype != dtype:
            shown, dtype = self.shown, np.result_type(dtype, new.dtype)
            self._shown = shown if shown in ("object", _NARROWED.get(dtype.name)) else None
        check_dtype(dtype, len(self) + len(new))
        room = self._owned and self._stop + len(new) <= len(self._array)
        if dtype != self._array.dtype or not room:
            self._move(dtype, len(self) + len(new))
        self._array[self._stop : self._stop + len(new)] = new
        self._stop += len(new)

    def append_nothing(self, undo: Undo) -> None:
        """Append no rows, which leaves the type as it is."""
        self._remember(undo)

    def keep_last(self, count: int) -> None:
        """Drop items from the beginning; after an append, which has noted the undo."""
        dropped = max(0, len(self) - count)
        self._start += dropped
        self._cuts.first += dropped

    def stretch(self, known: Digests) -> Stretch:
        """Give its bytes in chunks."""
        values = self.values
        stretch = self._cuts.cut(
            len(values),
            self._rows_of_chunk,
            known,
            lambda start, stop: values[start:stop].tobytes(),
        )
        stretch.skip *= self._row_bytes
        return stretch

    @property
    def _row_bytes(self) -> int:
        return self._array.itemsize * math.prod(self._array.shape[1:])

    @property
    def _rows_of_chunk(self) -> int:
        return max(1, CHUNK_BYTES // max(1, self._row_bytes))

    def assign(self, index: Any, value: Any, undo: Undo) -> None:
        """Set items, as ``array[index] = value`` does.

        :raises InvalidValue: numpy cannot take the value.
        """
        self._own(undo)
        try:
            self._assign(index, value, undo)
        except (IndexError, TypeError, ValueError, OverflowError, FloatingPointError) as fault:
            raise InvalidValue(f"the array cannot take the new value ({fault})") from None

    def _assign(self, index: Any, value: Any, undo: Undo) -> None:
        values = self.values
        if values.dtype.kind == "U":
            check_value(value, len(self))
            values = self._widen(np.asarray(value).astype("U").dtype, undo)
        old = values[index]
        if isinstance(old, np.ndarray):
            old = np.copy(old)
        with np.errstate(invalid="raise"):
            if isinstance(index, tuple):
                value = _shaped(value, old)
            values[index] = value
        undo.append(lambda: values.__setitem__(index, old))
        self._inline = None
        if type(index) is int:
            self._cuts.changed(index, self._rows_of_chunk)
        else:
            self._cuts.changed_all()

    def _widen(self, dtype: Any, undo: Undo) -> Array:
        wider = np.result_type(self._array.dtype, dtype)
        check_dtype(wider, len(self))
        if wider != self._array.dtype:
            self._remember(undo)
            self._move(wider, len(self))
        return self.values

    def _own(self, undo: Undo) -> None:
        if not self._owned:
            self._remember(undo)
            self._move(self._array.dtype, len(self))

    def _move(self, dtype: Any, needed: int) -> None:
        live = self.values
        room = max(_SMALLEST, needed + needed // 2) if live.ndim == 1 else needed
        moved = np.empty((room, *live.shape[1:]), dtype=dtype)
        moved[: len(live)] = live
        if dtype != live.dtype:
            self._cuts.changed_all()
        self._array, self._start, self._stop, self._owned = moved, 0, len(live), True

    def _remember(self, undo: Undo) -> None:
        before = (self._array, self._start, self._stop, self._owned, self._shown, self.typed)
        cuts, first = self._cuts, self._cuts.first

        def put_back() -> None:
            self._array, self._start, self._stop, self._owned, self._shown, self.typed = before
            cuts.first, self._inline = first, None

        undo.append(put_back)
        self._inline = None


def _shaped(value: Any, old: Any) -> Any:
    """Give what numpy puts in the place of a part of an array: an array, or one item."""
    if isinstance(old, np.ndarray):
        return np.asarray(value).reshape(old.shape)
    made = np.asarray(value).reshape(())
    # An array of anything would hold the array itself.
    return made if isinstance(old, np.generic) else made.item()


class ColumnBytes:
    """The bytes of a column, taken when they are written."""

    __slots__ = ("_column",)

    def __init__(self, column: GrowingArray) -> None:
        self._column = column

    def raw(self) -> bytes:
        """Give the bytes."""
        return self._column.values.tobytes()

    def inline(self) -> str:
        """Give base64 of gzip."""
        return self._column.inline()

    def stretch(self, known: Digests) -> Stretch:
        """Give the bytes in chunks."""
        return self._column.stretch(known)

    def __len__(self) -> int:
        return self._column.values.nbytes


class GrowingList:
    """A list of wire values that grows at its end and shrinks at its beginning."""

    __slots__ = ("_cuts", "_items", "_start")

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self._cuts = Cuts()
        self._start = 0

    def __len__(self) -> int:
        return len(self._items) - self._start

    def __getitem__(self, index: int) -> Any:
        return self._items[self._start + index]

    def wire(self) -> list[Any]:
        """Give its kept form."""
        return self._items[self._start :] if self._start else self._items

    def frozen(self, undo: Undo) -> list[Any]:
        """Give its kept form as it is now; later changes do not change it."""
        return [each.frozen(undo) if type(each) is GrowingArray else each for each in self.wire()]

    def to_array(self, beside: Any = None) -> Array:
        """Give what numpy makes of it; see :func:`to_array`.

        :raises InvalidValue: numpy can make nothing of it.
        """
        return to_array(self.wire(), beside)

    def append(self, new: list[Any], undo: Undo) -> None:
        """Append, in time that depends on ``new`` alone."""
        items, start, size = self._items, self._start, len(self._items)
        cuts, first = self._cuts, self._cuts.first

        def put_back() -> None:
            del items[size:]
            self._items, self._start, cuts.first = items, start, first

        undo.append(put_back)
        items.extend(new)

    def append_nothing(self, undo: Undo) -> None:
        """Append no rows."""
        self.append([], undo)

    def keep_last(self, count: int) -> None:
        """Drop items from the beginning; after an append, which has noted the undo."""
        dropped = max(0, len(self) - count)
        self._start += dropped
        self._cuts.first += dropped
        if self._start > max(_SMALLEST, len(self)):
            self._items, self._start = self._items[self._start :], 0

    def assign(self, index: int, value: Any, undo: Undo) -> None:
        """Set one item."""
        items, at = self._items, self._start + index
        old = items[at]
        undo.append(lambda: items.__setitem__(at, old))
        items[at] = value
        self._cuts.changed(index, CHUNK_ROWS)

    def stretch(self, known: Digests) -> Stretch | None:
        """Give it as JSON lists in chunks; ``None`` when it is short, or not JSON alone."""
        if len(self) < 2 * CHUNK_ROWS:
            return None
        items, start = self._items, self._start
        try:
            return self._cuts.cut(
                len(self),
                CHUNK_ROWS,
                known,
                lambda a, b: orjson.dumps(items[start + a : start + b]),
            )
        except TypeError:
            return None


Column: TypeAlias = GrowingArray | GrowingList


def to_array(items: list[Any], beside: Any = None) -> Array:
    """Give what numpy makes of a list of wire values.

    :param beside: the type of what it is joined to: texts become objects at once where that is one
        of objects, and not rows of text on the way.
    :raises InvalidValue: it can make nothing of it.
    """
    values = [plain(item) for item in items]
    if beside == object and all(type(each) is str for each in values):  # noqa: E721 — a dtype
        return objects(values)
    check_items(values)
    try:
        return np.asarray(values)
    except (TypeError, ValueError, OverflowError) as fault:
        raise InvalidValue(f"a list cannot become an array ({fault})") from None
