"""What ``bokeh-server db`` does for SQLite files beside a running server: copies, disk space."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bokeh_server.errors import ConfigurationError, StorageUnavailable
from bokeh_server.storage.backup import check_room, copy_file, file_size, open_file
from bokeh_server.storage.upgrade import current
from bokeh_server.storage.urls import database_file, parse_url, shown

__all__ = ["back_up", "vacuum"]

#: pages given back in one transaction, which writers wait for.
SLICE = 500
#: ``PRAGMA auto_vacuum`` of a file that can be made smaller little by little.
INCREMENTAL = 2


def back_up(url: str, target: Path, *, replace: bool = False) -> int:
    """Copy a SQLite database; see :func:`bokeh_server.storage.backup.copy_file`.

    :returns: the bytes of the copy.
    :raises ConfigurationError: it cannot be copied, or not written there, or is no SQLite file.
    """
    remedy = f"Run: pg_dump --format=custom --file={target} 'URL'"
    return copy_file(_our_file(url, "back up", remedy), target, replace=replace)


def vacuum(url: str, say: Callable[[str], None] = lambda _line: None) -> tuple[int, int]:
    """Make a SQLite file as small as what is in it; little by little, while others write.

    A file that an earlier release made is written anew once, while which nobody can write.

    :param say: is told what happens, one line at a time.
    :returns: bytes before, and after.
    :raises ConfigurationError: it is no SQLite file, or there is no room to write it anew.
    :raises StorageUnavailable: others keep it locked, or its disk is full.
    """
    remedy = "It uses the space again by itself; VACUUM FULL gives it back to the disk"
    path = _our_file(url, "make smaller", remedy)
    try:
        with closing(open_file(path)) as connection:
            return _shrink(connection, path, say)
    except sqlite3.Error as error:
        raise StorageUnavailable(
            f"make {path} smaller", str(error), "Stop the server and try again"
        ) from error


def _our_file(url: str, attempted: str, remedy: str) -> Path:
    parsed = parse_url(url)
    path = database_file(parsed)
    if path is None:
        raise ConfigurationError(
            f"{attempted} {shown(parsed)}", "that is for SQLite files only", remedy
        )
    if current(url) is None:
        raise ConfigurationError(
            f"{attempted} {path}", "there is no bokeh-server database in it", "Check the URL"
        )
    return path


def _shrink(
    connection: sqlite3.Connection, path: Path, say: Callable[[str], None]
) -> tuple[int, int]:
    connection.execute("PRAGMA secure_delete = ON")
    before = file_size(connection)
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == INCREMENTAL:
        while _give_back(connection):
            pass
    else:
        check_room(path.parent, before, f"write {path} anew")
        say("Writing the file anew, this once; whoever wants to write waits.")
        connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        connection.execute("VACUUM")
    return before, file_size(connection)


def _give_back(connection: sqlite3.Connection) -> bool:
    """Give some free pages back to the disk, and tell whether there are more."""
    started = time.monotonic()
    # A script, because the pragma gives back one page at each step of its statement.
    connection.executescript(f"BEGIN IMMEDIATE; PRAGMA incremental_vacuum({SLICE}); COMMIT")
    time.sleep(time.monotonic() - started)  # the server's turn
    left: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return left > 0
