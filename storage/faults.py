"""What a database error means, in the words of :mod:`bokeh_server.errors`."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from bokeh_server.errors import (
    BadRequest,
    BokehServerError,
    Conflict,
    StorageFull,
    StorageUnavailable,
)

__all__ = ["reason", "translated", "was_deadlock"]

_FREE_SPACE = "Free some space on the database's disk and try again"
_TRY_AGAIN = "Try again in a moment; if it goes on, look at the database"
#: SQLSTATE classes and codes of PostgreSQL.
_DISK_FULL = "53100"


def reason(error: BaseException) -> str:
    """The first line of what the driver said, without SQLAlchemy's decoration."""
    original = error.orig if isinstance(error, DBAPIError) else error
    lines = str(original).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(original).__name__


def translated(error: SQLAlchemyError, attempted: str) -> BokehServerError:
    """The error of ours that says what ``error`` means.

    :param attempted: a verb phrase, as in :class:`bokeh_server.errors.BokehServerError`.
    """
    why = reason(error)
    if is_full(error):
        return StorageFull(attempted, f"the disk is full ({why})", _FREE_SPACE)
    if isinstance(error, IntegrityError):
        return Conflict(attempted, f"it disagrees with what is stored ({why})")
    if isinstance(error, DataError):
        return BadRequest(attempted, f"the database cannot hold this value ({why})")
    return StorageUnavailable(attempted, f"the database does not answer ({why})", _TRY_AGAIN)


def is_full(error: SQLAlchemyError) -> bool:
    """Whether the database ran out of disk."""
    original = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return getattr(original, "sqlstate", None) == _DISK_FULL


def was_deadlock(error: BaseException) -> bool:
    """Whether PostgreSQL ended a transaction that waited in a ring with others."""
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) == "40P01"
