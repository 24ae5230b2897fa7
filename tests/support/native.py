"""Watches what gevent's native threads do that only greenlets may."""

from __future__ import annotations

import os
import sys
from _thread import get_native_id
from typing import Any

__all__ = ["IMPORTED", "SHARED", "watch"]

IMPORTED, SHARED = "imported in a native thread:", "shared with a native thread:"
#: callers that a line names.
DEPTH = 6


def watch() -> None:
    """Patch with gevent, and write what is seen to standard error from then on.

    There is a line for every module that a native thread imports, and for every lock of
    :mod:`threading` that it may wait for, because another thread has taken it before.
    """
    import gevent.monkey

    gevent.monkey.patch_all()
    hub = get_native_id()

    def heard(event: str, args: tuple[Any, ...]) -> None:
        if event == "import" and get_native_id() != hub:
            _say(f"{IMPORTED} {args[0]}")

    _watch_locks()
    sys.addaudithook(heard)


def _watch_locks() -> None:
    from gevent.thread import LockType

    acquire = LockType.acquire
    takers: dict[int, tuple[object, int]] = {}

    def watched(self: Any, blocking: bool = True, timeout: float = -1) -> bool:
        # The lock is kept, so that no other one gets its id.
        _, first = takers.setdefault(id(self), (self, get_native_id()))
        if blocking and first != get_native_id():
            _say(f"{SHARED} a lock")
        return bool(acquire(self, blocking, timeout))

    LockType.acquire = watched
    LockType.__enter__ = lambda self: watched(self)


def _say(what: str) -> None:
    frame, callers = sys._getframe(2), []
    while frame is not None and len(callers) < DEPTH:
        code = frame.f_code
        callers.append(f"{code.co_name} ({code.co_filename}:{frame.f_lineno})")
        frame = frame.f_back  # type: ignore[assignment]
    os.write(2, f"{what} < {' < '.join(callers)}\n".encode())
