"""Long lists of values in few queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["AT_ONCE", "batched"]

#: a query may have only so many parameters.
AT_ONCE = 1000

T = TypeVar("T")


def batched(values: Iterable[T]) -> Iterator[list[T]]:
    """The same values, as many at a time as a query takes."""
    rest = iter(values)
    while some := list(islice(rest, AT_ONCE)):
        yield some
