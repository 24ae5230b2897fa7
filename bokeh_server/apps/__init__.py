"""Applications, as ``bokeh serve`` runs them: their sessions, callbacks and hooks.

:class:`AppHost` is all of them in one process. Nothing here knows of Flask or gevent,
and nothing runs on Tornado.
"""

from __future__ import annotations

from bokeh_server.apps.backend import Backend, HandOver
from bokeh_server.apps.connecting import Farewell
from bokeh_server.apps.containing import contained
from bokeh_server.apps.coroutines import Coroutines
from bokeh_server.apps.hosting import AppHost
from bokeh_server.apps.loading import (
    Loadable,
    application_of,
    applications_of,
    expand,
    normal_path,
)
from bokeh_server.apps.opening import Asked
from bokeh_server.apps.options import HostOptions, Lifetimes
from bokeh_server.apps.permits import Guard
from bokeh_server.apps.publishing import Publisher, publish
from bokeh_server.apps.rendering import Embedding, PageFiles, bokehjs_folder
from bokeh_server.apps.requests import AppRequest, Filters, payload_of
from bokeh_server.apps.running import RunningApplication
from bokeh_server.apps.services import NO_SERVICES, Services
from bokeh_server.apps.session import AppSession
from bokeh_server.apps.tokens import Token, Tokens

__all__ = [
    "NO_SERVICES",
    "AppHost",
    "AppRequest",
    "AppSession",
    "Asked",
    "Backend",
    "Coroutines",
    "Embedding",
    "Farewell",
    "Filters",
    "Guard",
    "HandOver",
    "HostOptions",
    "Lifetimes",
    "Loadable",
    "PageFiles",
    "Publisher",
    "RunningApplication",
    "Services",
    "Token",
    "Tokens",
    "application_of",
    "applications_of",
    "bokehjs_folder",
    "contained",
    "expand",
    "normal_path",
    "payload_of",
    "publish",
]
