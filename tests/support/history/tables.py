"""Tables as they were at some revision, of which only the columns that are filled are named."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["table"]


def table(name: str, names: str, times: str) -> sa.TableClause:
    """A table of the columns ``names`` and, for moments, ``times``; each separated by spaces."""
    moments = (sa.column(each, sa.DateTime(timezone=True)) for each in times.split())
    return sa.table(name, *(sa.column(each) for each in names.split()), *moments)
