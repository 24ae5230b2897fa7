"""Publish, share and run live Bokeh plots from Flask.

The names below are imported when first used,
so that a script that only publishes never loads Flask or SQLAlchemy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokeh_server.apps import publish
    from bokeh_server.blueprint import BokehServer
    from bokeh_server.client import Session
    from bokeh_server.serving import Server, output_notebook

__all__ = ["BokehServer", "Server", "Session", "__version__", "output_notebook", "publish"]

__version__ = "0.1.0"

_HOMES = {
    "BokehServer": "bokeh_server.blueprint",
    "Server": "bokeh_server.serving",
    "Session": "bokeh_server.client",
    "output_notebook": "bokeh_server.serving",
    "publish": "bokeh_server.apps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
