"""What is loaded, or comes to a subscription, is what is stored, types included."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Range1d

from bokeh_server.client import Session
from support.oracle import same_documents

Y = np.array([1, 2, 3], dtype="int32")
COLUMNS: list[Any] = [
    [1, 2, 3],
    [1.0, 2.0, 3.0],
    np.array([1.0, 2.0, 3.0]),
    np.array([1, 2, 3], dtype="int16"),
    np.array([1, 2, 3], dtype=">i4").astype(">f4"),
]


def shared(session: Session, other: Session) -> tuple[Any, Any]:
    """A source and a range, stored by one script and loaded by another."""
    mine, theirs = Document(), Document()
    mine.add_root(ColumnDataSource({"y": Y}))
    mine.add_root(Range1d(start=0, end=1, tags=[1, 0.0, (1, 2)]))
    other.use_doc(docid=session.use_doc(f"exact {time.monotonic_ns()}"))
    session.store_document(mine)
    other.load_document(theirs)
    return mine, theirs


def stored(session: Session, revision: int) -> Any:
    """The source as it was stored."""
    return session.load_revision(revision).roots[0]


def kind(column: Any) -> Any:
    """What a column is, and of what."""
    return column.dtype if isinstance(column, np.ndarray) else [type(each) for each in column]


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_type_of_a_column(session: Session, other: Session, column: Any) -> None:
    """A column of equal values and another type is taken over, so that a patch does the same."""
    mine, theirs = shared(session, other)
    mine.roots[0].data["y"] = column
    session.store_objects(mine.roots[0])
    other.load_document(theirs)
    source = theirs.roots[0]
    assert kind(source.data["y"]) == kind(stored(session, 2).data["y"])
    source.patch({"y": [(0, 9.75)]})
    other.store_objects(source)
    assert list(source.data["y"]) == list(stored(session, 3).data["y"])
    assert kind(source.data["y"]) == kind(stored(session, 3).data["y"])


def set_tags(document: Any) -> None:
    """Make the tags what Bokeh takes for the same, by way of others."""
    document.roots[1].tags = []
    document.roots[1].tags = [1.0, -0.0, [1, 2]]


def exact_tags(document: Any) -> bool:
    """Whether these tags are there, to the sign of zero."""
    one, zero, _ = document.roots[1].tags
    return type(one) is float and math.copysign(1.0, zero) < 0


def test_numbers(session: Session, other: Session) -> None:
    """1 becomes 1.0 and 0.0 becomes -0.0; loading again tells no callback of anything."""
    mine, theirs = shared(session, other)
    set_tags(mine)
    session.store_objects(mine.roots[1])
    heard: list[Any] = []
    theirs.on_change(heard.append)
    other.load_document(theirs)
    assert exact_tags(theirs)
    assert len(heard) == 1
    other.link(theirs).complete = False
    other.load_document(theirs)
    assert len(heard) == 1
    same_documents(mine, theirs)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_subscription(session: Session, other: Session) -> None:
    """Types come to a subscription as well."""
    mine, theirs = shared(session, other)
    with other.subscribe(theirs):
        mine.roots[0].data["y"] = [1, 2, 3]
        set_tags(mine)
        session.store_document(mine)
        until(lambda: exact_tags(theirs) and isinstance(theirs.roots[0].data["y"], list))
        same_documents(mine, theirs)
