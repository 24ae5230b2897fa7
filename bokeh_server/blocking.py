"""Run a function that blocks the whole process (fsync, hashing, large JSON) out of the way.

Under gevent's monkey patching every thread is a greenlet on one native thread,
so a blocking call would stop all of them; there the call goes to gevent's thread pool.
With real threads it runs where it is.

What runs in that pool must share no lock of :mod:`threading` with anybody.
Under gevent these are made for greenlets, and a native thread that waits for one may wait for ever,
also when the lock is one of a library, or that of a module which is being imported.
So whatever is imported or set up once is so before, by whoever calls; ``tests/test_blocking.py``
watches a server for it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, cast

__all__ = ["HEAVY_BYTES", "in_turns", "is_gevent", "run_blocking", "run_sized"]

T = TypeVar("T")

#: work on more bytes than these takes longer than handing it over to another thread.
HEAVY_BYTES = 1024 * 1024


def is_gevent() -> bool:
    """Whether gevent has replaced :mod:`threading`, so that threads are greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def run_blocking(function: Callable[..., T], *args: object) -> T:
    """Call ``function(*args)`` while other greenlets run; its exception is raised here."""
    if not is_gevent():
        return function(*args)
    pool = sys.modules["gevent"].get_hub().threadpool
    result, error = pool.apply(_outcome, (function, args))
    if error is not None:
        raise error
    return cast(T, result)


def run_sized(size: int, function: Callable[..., T], *args: object) -> T:
    """Call ``function(*args)`` where it is, or as :func:`run_blocking` does when it is much work.

    :param size: bytes that it works on.
    """
    return run_blocking(function, *args) if size > HEAVY_BYTES else function(*args)


def in_turns(items: Iterable[T], size: int = 100) -> Iterator[T]:
    """Go through many items, and let other greenlets run after every so many."""
    for number, item in enumerate(items):
        if number and number % size == 0:
            time.sleep(0)
        yield item


def _outcome(
    function: Callable[..., T], args: tuple[object, ...]
) -> tuple[T | None, BaseException | None]:
    # The pool would print a traceback for whatever is raised in it, also for what is expected.
    try:
        return function(*args), None
    except BaseException as error:
        return None, error
