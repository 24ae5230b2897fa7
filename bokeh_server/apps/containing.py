"""What the code of an application may raise, kept from ending more than what it was called for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from bokeh_server.errors import ApplicationFailed

__all__ = ["contained"]

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("bokeh_server")


def contained(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of an application, for which ``sys.exit()`` is a failure like any other.

    Elsewhere it would end a thread without a word, an event loop, or the whole server.

    :raises ApplicationFailed: it raised what is no :exc:`Exception`.
    """
    try:
        return function(*args, **kwargs)
    except Exception:
        raise
    except BaseException as error:
        if _is_ours(error):
            raise
        log.error("Code of an application raised %r", error, exc_info=True)
        why = f"it raised {error!r}, which would end the server"
        raise ApplicationFailed("run code of an application", why, "Let it return") from error


def _is_ours(error: BaseException) -> bool:
    """Whether somebody stops this greenlet, or the process from its terminal."""
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread()
    return type(error).__module__ == "greenlet"
