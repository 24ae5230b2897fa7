"""A SQLite file, copied while a server writes to it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from bokeh_server.errors import ConfigurationError

__all__ = ["check_room", "copy_file", "file_size", "open_file"]

MEGABYTE = 1024 * 1024
#: how long to wait for somebody who writes.
PATIENCE_SECONDS = 10.0


def copy_file(path: Path, target: Path, *, replace: bool = False) -> int:
    """Copy the database in ``path`` as it is at one moment; whoever writes to it goes on meanwhile.

    The copy is one private file, complete and on disk, or there is none.

    :param replace: take the place of a file that is there.
    :returns: its bytes.
    :raises ConfigurationError: it cannot be copied, or not written there.
    """
    if _is_own(path, target):
        raise ConfigurationError(
            f"back up {path} to {target}", "that is the database itself", "Choose another place"
        )
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _copy(path, draft)
        if not replace:
            target.touch(mode=0o600, exist_ok=False)  # the name is ours from now on
        draft.replace(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
        remedy = "Choose another place, or make room there"
        if isinstance(error, FileExistsError):
            remedy = "Choose another place, or add --force to replace it"
        raise ConfigurationError(f"back up {path} to {target}", why, remedy) from error
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def _is_own(path: Path, target: Path) -> bool:
    """Whether a file is one of a database's: itself, or its log, there or not."""
    # SQLite keeps its log beside the file that a link leads to.
    ends = ("", "-wal", "-shm", "-journal")
    files = (path, path.resolve())
    own = [each.with_name(each.name + end) for each in files for end in ends]
    if any(each.exists() and target.exists() and target.samefile(each) for each in own):
        return True
    return target.resolve() in [each.resolve() for each in own]


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to a file that is there, which leaves transactions and the log alone."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE_SECONDS, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # the server moves the log back
    return connection


def file_size(connection: sqlite3.Connection) -> int:
    """The bytes of a database, with what is still in its log."""
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return pages * size


def check_room(directory: Path, needed: int, attempted: str) -> None:
    """Make sure that so many bytes are free.

    :raises ConfigurationError: they are not.
    """
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise ConfigurationError(
            attempted,
            f"it takes {needed / MEGABYTE:,.1f} MB, and {free / MEGABYTE:,.1f} MB are free",
            f"Make room in {directory}; nothing was changed",
        )


def _copy(path: Path, draft: Path) -> None:
    with closing(open_file(path)) as source:
        check_room(draft.parent, file_size(source), f"back up {path}")
        draft.touch(mode=0o600)
        with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
            source.backup(copy)
            # One file, which can be read even where nothing may be written.
            copy.execute("PRAGMA journal_mode = DELETE")
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(f"the database is damaged: {found}")
    _sync(draft)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
