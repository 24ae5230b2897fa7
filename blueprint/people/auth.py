"""The login of an auth module, before everything that this server shows.

There is one login for the whole server: also for documents, which are then those of all who are
logged in, for a server that asks who people are is not expected to show anything to others.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, g, redirect, request
from werkzeug.routing import PathConverter
from werkzeug.wrappers import Response as AnyResponse

from bokeh_server.blueprint.people.auth_provider import AuthHooks, is_relative
from bokeh_server.blueprint.people.auth_users import ModuleUser, user_of
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import Forbidden

if TYPE_CHECKING:
    from flask.sansio.blueprints import BlueprintSetupState

    from bokeh_server.blueprint.people.auth_handlers import Handlers
    from bokeh_server.config import Settings

__all__ = ["Auth", "demand_login", "make_auth", "make_auth_blueprint", "module_user"]

_KEPT = "_bokeh_server_module_user"
#: what is for everybody: scripts, styles and pictures of pages, and whether the server lives.
_OPEN = {"bokehjs", "bokehjs_file", "own_file", "healthz", "readyz", "ping"}
_OPEN |= {"login", "logout", "static_file", "favicon"}
_OPEN_ENDS = ("_js", "_css", "_extension", "_of_module")
#: a handler says itself which it takes.
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
#: an address that is no pattern; dots in a pattern fit dots, too.
_PLAIN = re.compile(r"[\w/.~-]+")


class Auth:
    """The hooks of an auth module on this server.

    :param cookie_secret: signs cookies of its handlers.
    """

    def __init__(self, hooks: AuthHooks, cookie_secret: bytes, settings: Settings) -> None:
        self.hooks = hooks
        self._cookie_secret = cookie_secret
        self._settings = settings
        self._found: Handlers | None = None

    @property
    def handlers(self) -> Handlers:
        """What makes Tornado's handlers; it is imported with the first request."""
        if self._found is None:
            from bokeh_server.blueprint.people.auth_handlers import Handlers

            xsrf = self._settings.enable_xsrf_cookies
            self._found = Handlers({"cookie_secret": self._cookie_secret, "xsrf_cookies": xsrf})
        return self._found

    @property
    def logout_url(self) -> str | None:
        """Where people log out."""
        return self._under_prefix(self.hooks.logout_url)

    def user(self) -> Any:
        """Who sent this request; nothing: nobody who is known."""
        hook = self.hooks.get_user or self.hooks.get_user_async
        if hook is None:
            return "default_user"
        return self.handlers.ask(hook)

    def login_address(self) -> str:
        """Where whoever sent this request is to log in, and comes back from."""
        hooks = self.hooks
        if hooks.get_login_url is not None:
            url = str(self.handlers.ask(hooks.get_login_url))
        else:
            url = self._under_prefix(hooks.login_url) or "/"
        if "?" in url:
            return url
        root, query = quote(request.script_root), request.query_string.decode("latin-1")
        back = root + quote(request.path) + (f"?{query}" if query else "")
        if not is_relative(url):
            back = request.host_url.rstrip("/") + back
        return f"{url}?{urlencode({'next': back})}"

    def _under_prefix(self, url: str | None) -> str | None:
        if url is None or not is_relative(url):
            return url
        return f"{quote(request.script_root)}{self._settings.url_prefix}{url}"

    def close(self) -> None:
        """End."""
        if self._found is not None:
            self._found.close()


def make_auth(hooks: AuthHooks, settings: Settings, secret: bytes, given: str | None) -> Auth:
    """The login of a server.

    :param given: signs cookies; without it ``BOKEH_COOKIE_SECRET`` does, or a key made of ours.
    """
    text = given or os.environ.get("BOKEH_COOKIE_SECRET", "")
    return Auth(hooks, text.encode() or hmac.digest(secret, b"cookies", hashlib.sha256), settings)


def module_user() -> ModuleUser | None:
    """Who sent this request, as the auth module tells; ``None``: nobody, or there is no module."""
    auth = current_state().auth
    if auth is None:
        return None
    if _KEPT not in g:
        setattr(g, _KEPT, user_of(auth.user()))
    found: ModuleUser | None = getattr(g, _KEPT)
    return found


def demand_login() -> AnyResponse | None:
    """Before every request, where there is an auth module: the way to the login.

    :raises Forbidden: it can lead nobody there.
    """
    auth = current_state().auth
    if auth is None or _is_open(request.endpoint or "") or request.method == "OPTIONS":
        return None
    if module_user() is not None:
        return None
    if request.method in ("GET", "HEAD") and _leads():
        return redirect(auth.login_address())
    raise Forbidden(f"{request.method} this address", "nobody is logged in", "Log in")


def _is_open(endpoint: str) -> bool:
    name = endpoint.rpartition(".")[2]
    return name in _OPEN or name.endswith(_OPEN_ENDS)


def _leads() -> bool:
    """Whether a person asks who can log in; not a script of a page, nor a WebSocket."""
    name = (request.endpoint or "").rpartition(".")[2]
    if "upgrade" in request.headers.get("Connection", "").lower() or name == "autoload":
        return False
    return request.headers.get("Sec-Fetch-Dest", "document") in ("document", "iframe", "frame")


def make_auth_blueprint(name: str, hooks: AuthHooks) -> Blueprint:
    """The blueprint of the login and logout pages that a module defines, and of its endpoints."""
    blueprint = Blueprint(name, __name__)
    add = partial(blueprint.add_url_rule, methods=_METHODS, provide_automatic_options=False)
    pages = {"login": hooks.login_handler, "logout": hooks.logout_handler}
    for endpoint, handler in pages.items():
        url = getattr(hooks, f"{endpoint}_url")
        if handler is not None and url is not None:
            add(url, endpoint, partial(_answer, handler))
    for number, (url, handler) in enumerate(hooks.endpoints):
        endpoint = f"{number}_of_module"
        if _PLAIN.fullmatch(url):
            add(url, endpoint, partial(_answer, handler))
        else:
            fits = f"{name}_{endpoint}"
            blueprint.record_once(
                partial(_add_converter, name=fits, regex=url[1:].removesuffix("$"))
            )
            add(f"/<{fits}:rest>", endpoint, partial(_answer, handler, re.compile(url)))
    return blueprint


def _add_converter(setup: BlueprintSetupState, name: str, regex: str) -> None:
    """Have a pattern of Tornado's in rules of Flask's."""
    kind = type(name, (PathConverter,), {"regex": regex, "part_isolating": False})
    setup.app.url_map.converters[name] = kind


def _answer(handler: type, pattern: re.Pattern[str] | None = None, rest: str = "") -> Response:
    auth = current_state().auth
    assert auth is not None, "its routes are there"
    return auth.handlers.answer(handler, pattern and pattern.fullmatch(f"/{rest}"))
