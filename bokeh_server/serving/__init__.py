"""Serving a Flask app from Python: with gevent where it has patched this process, else on threads.

:class:`Server` has the names of ``bokeh.server.server.Server``, so that code written for that runs
with one import changed.
"""

from __future__ import annotations

from bokeh_server.serving.notebooks import output_notebook
from bokeh_server.serving.server import Server

__all__ = ["Server", "output_notebook"]
