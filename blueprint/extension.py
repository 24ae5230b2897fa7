"""``BokehServer``: live plots in somebody's Flask app."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable

from flask import Flask

from bokeh_server.blueprint import routes
from bokeh_server.blueprint.state import EXTENSION, State
from bokeh_server.blueprint.usercontent import check_content_host, refuse_elsewhere
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
    :param current_user: with ``multi_user``: gives the name of who sent the request, or ``None``,
        where the app has its own logins; then ours are not used.
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
        current_user: Callable[[], str | None] | None = None,
        **overrides: object,
    ) -> None:
        self._settings = settings
        self._find_user = current_user
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
        app.before_request(refuse_elsewhere)
        _check_people(settings, self._find_user)
        check_content_host(settings)
        state = State(settings, self._find_user)
        app.extensions[EXTENSION] = state
        self._states.add(state)
        weakref.finalize(app, state.close)

    def close(self) -> None:
        """Close every app's sockets and database; safe to repeat."""
        for state in list(self._states):
            state.close()


def _check_people(settings: Settings, find_user: Callable[[], str | None] | None) -> None:
    """Refuse settings by which anybody could be taken for somebody else."""
    attempted = "know who people are"
    if find_user is not None and not settings.multi_user:
        why = "current_user is given, and multi_user is off"
        raise ConfigurationError(attempted, why, "Set multi_user=True")
    if settings.user_header and not settings.trusted_proxies:
        why = f"anybody may send the header {settings.user_header} where no proxy is in front"
        raise ConfigurationError(attempted, why, "Set trusted_proxies, or leave user_header out")
