"""How much memory text takes as an array: numpy makes every row as long as the longest.

What comes is refused where that is too much. What was accepted once is taken again, whatever the
limit is by now and whatever else the document holds: see :func:`as_stored`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from bokeh_server.protocol.arrays import InvalidValue

__all__ = ["as_stored", "check_dtype", "check_items", "check_value", "is_stored"]

#: bytes of an array of text.
MOST_BYTES = 256 * 1024 * 1024

_stored: ContextVar[bool] = ContextVar("bokeh_server_stored", default=False)


@contextmanager
def as_stored() -> Iterator[None]:
    """Take what comes in the block as it was accepted once."""
    token = _stored.set(True)
    try:
        yield
    finally:
        _stored.reset(token)


def is_stored() -> bool:
    """Whether what comes was accepted once."""
    return _stored.get()


def check_dtype(dtype: Any, rows: int) -> None:
    """Refuse an array of text of this type.

    :raises InvalidValue: it would take too much memory.
    """
    if dtype.kind == "U":
        _check(dtype.itemsize // 4, rows)


def check_items(items: Sequence[Any]) -> None:
    """Refuse items of which numpy would make too large an array of text, before it does.

    :param items: as numpy is given them.
    :raises InvalidValue: it would take too much memory.
    """
    _check(*_measure(items))


def check_value(value: Any, rows: int) -> None:
    """Refuse a value that would make all rows of an array of text too long.

    :raises InvalidValue: it would take too much memory.
    """
    longest, count = _measure([value])
    _check(longest, max(rows, count))


def _check(longest: int, rows: int) -> None:
    size = 4 * longest * rows
    if size > MOST_BYTES and not is_stored():
        raise InvalidValue(
            f"as an array {rows:,} texts as long as the longest, of {longest:,} characters, would"
            f" take {size:,} bytes; send the column as a list, or shorter texts"
        )


def _measure(items: Sequence[Any]) -> tuple[int, int]:
    """The longest text at any depth and how many items there are; (0, 0) where no text comes out.

    With anything beside texts and numbers numpy makes an array of objects.
    """
    longest = count = 0
    left = list(items)
    while left:
        item = left.pop()
        if isinstance(item, list):
            left += item
            continue
        if isinstance(item, np.ndarray) and item.dtype.kind in "biufU":
            text, number = (item.dtype.itemsize // 4 if item.dtype.kind == "U" else 0), item.size
        elif isinstance(item, str):
            text, number = len(item), 1
        elif isinstance(item, int | float | np.number):
            text, number = 0, 1
        else:
            return 0, 0
        longest, count = max(longest, text), count + number
    return longest, count
