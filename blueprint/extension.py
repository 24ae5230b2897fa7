"""``BokehServer``: live plots in somebody's Flask app."""

from __future__ import annotations

import os
import weakref

from flask import Flask

from bokeh_server.blueprint import routes
from bokeh_server.blueprint.state import EXTENSION, State
from bokeh_server.config import Settings
from bokeh_server.errors import ConfigurationError

__all__ = ["BokehServer"]


class BokehServer:
    """A Flask extension that serves stored documents, their pages and their sockets.

    Nothing is opened or started before the first request that needs it,
    so an app may be loaded before a server forks its workers.

    :param app: the app; leave it out and call :meth:`init_app` for an app made later.
    :param url_prefix: the path under which everything is served, such as ``"/plots"``.
    :param settings: all settings, ready made; then nothing else is looked at.
    :param overrides: single settings by name. What is not given comes from
        ``app.config["BOKEH_SERVER_<NAME>"]``, then the environment, then the defaults.
    :raises ConfigurationError: a setting is wrong, or the app already has this extension.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        url_prefix: str | None = None,
        settings: Settings | None = None,
        **overrides: object,
    ) -> None:
        self._settings = settings
        self._overrides = {"url_prefix": url_prefix, **overrides}
        self._states: weakref.WeakSet[State] = weakref.WeakSet()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add the routes and an empty state to ``app``."""
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                f"add BokehServer to the app {app.name!r}",
                "it already has one",
                "Use one BokehServer for an app; two apps may have one each",
            )
        settings = self._settings or Settings.from_app_config(
            app.config, os.environ, **self._overrides
        )
        blueprint = routes.make_blueprint(app)
        app.register_blueprint(blueprint, url_prefix=settings.url_prefix or None)
        state = State(settings)
        app.extensions[EXTENSION] = state
        self._states.add(state)
        weakref.finalize(app, state.close)

    def close(self) -> None:
        """Close every app's sockets and database; safe to repeat."""
        for state in list(self._states):
            state.close()
