"""Who people are, as a module of the user's tells: the hooks of Bokeh's ``--auth-module``."""

from __future__ import annotations

import importlib.util
import inspect
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bokeh_server.errors import ConfigurationError

__all__ = ["AuthHooks", "hooks_of_module", "hooks_of_provider", "is_relative"]

_NAMES = {
    "get_user": "get_user",
    "get_user_async": "get_user_async",
    "login_url": "login_url",
    "get_login_url": "get_login_url",
    "logout_url": "logout_url",
    "login_handler": "LoginHandler",
    "logout_handler": "LogoutHandler",
}
_ATTEMPTED = "use the auth module"


class _Invalid(ConfigurationError, ValueError):
    """What Bokeh says by a :exc:`ValueError`."""


@dataclass(frozen=True)
class AuthHooks:
    """What a module, or an ``AuthProvider`` of Bokeh's, defines; each may be missing.

    Functions are called with a request handler of Tornado's.

    :param login_url: where people log in, under our prefix; or at another server.
    :param login_handler: a Tornado ``RequestHandler`` that answers there. The same of logout.
    :param endpoints: further addresses under our prefix, as patterns of Tornado's, with handlers.
    """

    get_user: Callable[[Any], Any] | None = None
    get_user_async: Callable[[Any], Any] | None = None
    login_url: str | None = None
    get_login_url: Callable[[Any], str] | None = None
    logout_url: str | None = None
    login_handler: type | None = None
    logout_handler: type | None = None
    endpoints: tuple[tuple[str, type], ...] = ()

    def __post_init__(self) -> None:
        asks = self.get_user or self.get_user_async
        if self.get_user and self.get_user_async:
            raise _invalid("Only one of get_user or get_user_async should be supplied")
        if asks and not (self.login_url or self.get_login_url):
            raise _invalid(
                "When user authentication is enabled, one of login_url or get_login_url "
                "must be supplied"
            )
        if self.login_url and self.get_login_url:
            raise _invalid("At most one of login_url or get_login_url should be supplied")
        if self.login_handler and self.get_login_url:
            raise _invalid("LoginHandler cannot be used with a get_login_url() function")
        for name in ("login", "logout"):
            self._check_handler(name)
        for endpoint in self.endpoints:
            _check_endpoint(endpoint)

    def _check_handler(self, name: str) -> None:
        handler, url = getattr(self, f"{name}_handler"), getattr(self, f"{name}_url")
        if handler is None:
            return
        class_name = f"{name.capitalize()}Handler"
        if not _is_of_tornado(handler):
            raise _invalid(f"{class_name} must be a Tornado RequestHandler")
        if not url or not is_relative(url):
            raise _invalid(f"{class_name} can only be used with a relative {name}_url")


def is_relative(url: str) -> bool:
    """Whether an address is at this server."""
    return not url.startswith(("http://", "https://", "//"))


def _is_of_tornado(handler: object) -> bool:
    from tornado.web import RequestHandler

    return inspect.isclass(handler) and issubclass(handler, RequestHandler)


def _check_endpoint(endpoint: tuple[Any, ...]) -> None:
    if len(endpoint) != 2 or not _is_of_tornado(endpoint[1]):
        raise _invalid(f"{endpoint!r} of its endpoints is no pair of a URL and a RequestHandler")
    url = endpoint[0]
    try:
        re.compile(url[1:])
    except (re.error, TypeError):
        url = ""
    if not url.startswith("/"):
        raise _invalid(f"{endpoint[0]!r} of its endpoints is no URL that begins with a slash")


def _invalid(why: str) -> _Invalid:
    return _Invalid(_ATTEMPTED, why)


def hooks_of_module(path: Path) -> AuthHooks:
    """The hooks that a file defines.

    :raises ConfigurationError: there is no such file, it fails, or its hooks make no sense.
    """
    attempted = f"load the auth module {path}"
    if not path.is_file():
        raise _Invalid(attempted, f"no file exists at module_path: {str(path)!r}", "Check the path")
    spec = importlib.util.spec_from_file_location(f"bokeh_auth_{secrets.token_hex(8)}", path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(attempted, "it is no Python file", "Give one")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigurationError(attempted, repr(error), "Mend it") from error
    return _hooks({ours: getattr(module, name, None) for ours, name in _NAMES.items()})


def hooks_of_provider(provider: Any) -> AuthHooks | None:
    """The hooks of an ``AuthProvider`` of Bokeh's; ``None``: it asks nobody.

    :raises ConfigurationError: they make no sense.
    """
    hooks = _hooks({name: getattr(provider, name, None) for name in _NAMES})
    usual = ((hooks.login_url, hooks.login_handler), (hooks.logout_url, hooks.logout_handler))
    given = (tuple(each) for each in getattr(provider, "endpoints", ()))
    hooks = replace(hooks, endpoints=tuple(each for each in given if each not in usual))
    return None if hooks == AuthHooks() else hooks


def _hooks(found: Mapping[str, Any]) -> AuthHooks:
    return AuthHooks(**found)
