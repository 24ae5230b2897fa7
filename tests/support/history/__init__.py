"""Data as each revision of the schema kept it, written by code that knows nothing of later ones.

A new revision needs a module here that fills a database of it: `tests/migrations` fails without.
It spells out tables and forms of bodies, so that it stays what it is when the code moves on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from support.history import r0001, r0002, r0003, r0004
from support.history.kept import Kept

__all__ = ["FILLERS", "Kept"]

#: by revision: fills the tables, and tells what must come out of them for ever after.
FILLERS: Mapping[str, Callable[[Connection], list[Kept]]] = {
    "0001": r0001.fill,
    "0002": r0002.fill,
    "0003": r0003.fill,
    "0004": r0004.fill,
}
