"""``BokehServer``: live plots in somebody's Flask app."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask

from bokeh_server.blueprint import routes
from bokeh_server.blueprint.parts import MAKERS
from bokeh_server.blueprint.state import EXTENSION, State
from bokeh_server.blueprint.usercontent import check_content_host, refuse_elsewhere
from bokeh_server.config import Settings
from bokeh_server.errors import ConfigurationError

if TYPE_CHECKING:
    from bokeh_server.apps import Loadable
    from bokeh_server.blueprint.people.auth_provider import AuthHooks

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
    :param auth_provider: an ``AuthProvider`` of Bokeh's, in place of the setting ``auth_module``.
    :param cookie_secret: signs cookies of the auth module's handlers; otherwise the variable
        ``BOKEH_COOKIE_SECRET`` has it, or a key is made.
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
        auth_provider: Any = None,
        cookie_secret: str | None = None,
        **overrides: object,
    ) -> None:
        self._settings = settings
        self._find_user = current_user
        self._auth_provider = auth_provider
        self._cookie_secret = cookie_secret
        self._overrides = {"url_prefix": url_prefix, **overrides}
        self._states: weakref.WeakSet[State] = weakref.WeakSet()
        self._app: weakref.ref[Flask] | None = None
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
        state = State(settings, MAKERS, self._find_user)
        state.auth_hooks = _auth_hooks(settings, self._auth_provider)
        state.cookie_secret = self._cookie_secret
        if state.auth_hooks is not None:
            _add_login(app, state, state.auth_hooks)
        app.extensions[EXTENSION] = state
        self._states.add(state)
        self._app = weakref.ref(app) if len(self._states) == 1 else None
        weakref.finalize(app, state.close)

    def add_application(
        self,
        path: str,
        application: Loadable,
        *,
        app: Flask | None = None,
        argv: Sequence[str] = (),
        users: Iterable[str] | None = None,
    ) -> None:
        """Serve an application, as ``bokeh serve`` does.

        :param path: its address, such as ``"/sliders"``, under the prefix.
        :param application: a script, folder or notebook; a function of a document;
            or an ``Application`` of Bokeh's.
        :param app: the Flask app, where this extension is that of several.
        :param argv: what a script finds in ``sys.argv[1:]``.
        :param users: with ``multi_user``: the names of those who may use it.
        :raises ConfigurationError: it cannot be loaded, the address is taken, or the app has
            begun to answer requests.
        """
        from bokeh_server.apps import application_of, normal_path
        from bokeh_server.apps.workers import demand_source

        found = app or (self._app() if self._app is not None else None)
        attempted = f"serve an application at {path!r}"
        if found is None:
            why = "this extension has no app yet, or several"
            raise ConfigurationError(attempted, why, "Call init_app first, and give app=")
        state: State = found.extensions[EXTENSION]
        if isinstance(users, str):
            why = f"users={users!r} is one text, and each of its letters would be somebody"
            raise ConfigurationError(attempted, why, f"Give a list: users=[{users!r}]")
        place = normal_path(path)
        if place in state.added:
            raise ConfigurationError(attempted, "there is one already", "Use another address")
        if state.takes_pushes and place == "/":
            raise ConfigurationError(attempted, "push_session has it", "Add it before")
        loaded = application_of(application, argv)
        if state.settings.app_workers:
            demand_source(place, loaded)
        _add_routes(found, state, place)
        state.added[place] = loaded
        state.audiences[place] = None if users is None else frozenset(map(str.lower, users))

    def accept_pushes(self, app: Flask) -> None:
        """Have scripts send documents to ``/`` by ``bokeh.client.push_session``, to sessions of an
        application that is empty; to be called when all others were added.

        :raises ConfigurationError: with ``multi_user``, for a document may have JavaScript.
        """
        state: State = app.extensions[EXTENSION]
        if state.settings.multi_user:
            why = "they would be in the pages of other people"
            remedy = "Publish them with output_server"
            raise ConfigurationError("take documents of push_session", why, remedy)
        if "/" not in state.added:
            _add_routes(app, state, "/")
            state.takes_pushes = True

    def close(self) -> None:
        """Close every app's sockets and database; safe to repeat."""
        for state in list(self._states):
            state.close()


def _add_routes(app: Flask, state: State, path: str) -> None:
    from bokeh_server.blueprint.applications.routes import make_app_blueprint, make_assets_blueprint

    def surround(blueprint: Blueprint) -> None:
        routes.surround(app, blueprint)

    prefix = state.settings.url_prefix
    if f"{routes.NAME}_applications" not in app.blueprints:
        # As `bokeh serve` has it, unless the app has files of its own there.
        own = () if app.has_static_folder and not prefix else ("/static",)
        roots = ("/bokeh/static", *own)
        assets = make_assets_blueprint(f"{routes.NAME}_applications", roots, surround)
        app.register_blueprint(assets, url_prefix=prefix or None)
    name = f"{routes.NAME}_application_{len(state.added)}"
    app.register_blueprint(make_app_blueprint(name, path, surround), url_prefix=prefix or None)


def _auth_hooks(settings: Settings, provider: object) -> AuthHooks | None:
    """What says who people are, where Bokeh's way to say it is used.

    :raises ConfigurationError: they have accounts with us, too; or the hooks make no sense.
    """
    if settings.auth_module is None and provider is None:
        return None
    if settings.multi_user:
        why = "with multi_user people log in with us"
        remedy = "Leave one of the two out; current_user= says who people are in a Flask app"
        raise ConfigurationError("use an auth module", why, remedy)
    from bokeh_server.blueprint.people.auth_provider import hooks_of_module, hooks_of_provider

    if provider is not None:
        return hooks_of_provider(provider)
    assert settings.auth_module is not None, "it is one of the two"
    return hooks_of_module(settings.auth_module)


def _add_login(app: Flask, state: State, hooks: AuthHooks) -> None:
    from bokeh_server.blueprint.people.auth import make_auth_blueprint

    blueprint = make_auth_blueprint(f"{routes.NAME}_auth", hooks)
    routes.surround(app, blueprint)
    app.register_blueprint(blueprint, url_prefix=state.settings.url_prefix or None)


def _check_people(settings: Settings, find_user: Callable[[], str | None] | None) -> None:
    """Refuse settings by which anybody could be taken for somebody else."""
    attempted = "know who people are"
    if find_user is not None and not settings.multi_user:
        why = "current_user is given, and multi_user is off"
        raise ConfigurationError(attempted, why, "Set multi_user=True")
    if settings.user_header and not settings.trusted_proxies:
        why = f"anybody may send the header {settings.user_header} where no proxy is in front"
        raise ConfigurationError(attempted, why, "Set trusted_proxies, or leave user_header out")
