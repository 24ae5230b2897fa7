"""Serving a Flask app from Python: with gevent where it has patched this process, else on threads.

:class:`Server` has the names of ``bokeh.server.server.Server``, so that code written for that runs
with one import changed. It is imported when it is first used: the command, which takes other
modules of this room, has no need of Bokeh's models as it starts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokeh_server.serving.notebooks import output_notebook
    from bokeh_server.serving.server import Server

__all__ = ["Server", "output_notebook"]

_HOMES = {
    "Server": "bokeh_server.serving.server",
    "output_notebook": "bokeh_server.serving.notebooks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
