"""The keyword arguments of ``bokeh.server.server.Server``, and what becomes of each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bokeh.settings import settings as bokeh_settings

from bokeh_server.config import Settings
from bokeh_server.errors import ConfigurationError

__all__ = ["Options", "read_options"]

_ATTEMPTED = "make a Server"


class _Invalid(ConfigurationError, ValueError):
    """What ``bokeh.server.server.Server`` says by a :exc:`ValueError`."""


def _positive(name: str, value: Any) -> Any:
    if value is None or value <= 0:
        raise _Invalid(_ATTEMPTED, f"{name} must be > 0")
    return value


def _not_negative(name: str, value: Any) -> Any:
    if value is None or value < 0:
        raise _Invalid(_ATTEMPTED, f"{name} must be >= 0")
    return value


#: seconds; long enough to be never.
_NEVER = 86_400.0


def _ping(name: str, value: Any) -> float:
    return _not_negative(name, value) / 1000 or _NEVER


def _message_size(name: str, value: Any) -> int:
    if value is None or value <= 0:
        raise _Invalid(_ATTEMPTED, f"{name} must be positive")
    return int(value)


def _same(name: str, value: Any) -> Any:
    return value


def _opposite(name: str, value: Any) -> bool:
    return not value


#: their name -> ours, and what makes our value of theirs.
_SETTINGS: Mapping[str, tuple[str, Callable[[str, Any], Any]]] = {
    "address": ("address", _same),
    "port": ("port", _same),
    "prefix": ("url_prefix", _same),
    "index": ("index", _same),
    "allow_websocket_origin": ("allow_websocket_origin", _same),
    "extra_websocket_origins": ("allow_websocket_origin", _same),
    "use_xheaders": ("trusted_proxies", lambda _, value: int(bool(value))),
    "ssl_certfile": ("https_certfile", _same),
    "ssl_keyfile": ("https_keyfile", _same),
    "websocket_max_message_size": ("max_body_size", _message_size),
    "websocket_max_message_size_bytes": ("max_body_size", _message_size),
    "keep_alive_milliseconds": ("ping_interval", _ping),
    "check_unused_sessions_milliseconds": ("check_unused_sessions", _positive),
    "unused_session_lifetime_milliseconds": ("unused_session_lifetime", _positive),
    "session_token_expiration": ("session_token_expiration", _positive),
    "ico_path": ("ico_path", _same),
    "xsrf_cookies": ("enable_xsrf_cookies", _same),
    "use_index": ("disable_index", _opposite),
    "redirect_root": ("disable_index_redirect", _opposite),
    "include_headers": ("include_headers", _same),
    "exclude_headers": ("exclude_headers", _same),
    "include_cookies": ("include_cookies", _same),
    "exclude_cookies": ("exclude_cookies", _same),
}
#: what only Tornado has -> what to do on Flask.
_TORNADO = {
    "io_loop": "Leave it out: start() serves on threads of its own, and run_until_shutdown() waits",
    "http_server_kwargs": "Run server.app, which is a WSGI application, in a server of your choice",
    "extra_patterns": "Add routes to server.app, a Flask app, or use "
    "BokehServer(app).add_application(path, application) in an app of yours",
    "num_procs": "Run a Flask app with BokehServer in gunicorn, with as many workers as you like",
    "unix_socket": "Run a Flask app with BokehServer in gunicorn with --bind unix:PATH",
    "ssl_password": "Give a key without a password, or have a proxy do HTTPS",
    "absolute_url": "Leave it out: pages work at whatever address they are asked for",
    "websocket_compression_level": "Leave it out: messages are sent to all viewers as they are",
    "websocket_compression_mem_level": "Leave it out: messages are sent to all viewers as they are",
    "autoreload": "Use bokeh-server --dev",
    "debug": "Set server.app.debug",
}
#: with these values they ask for nothing.
_IDLE: Mapping[str, tuple[Any, ...]] = {"num_procs": (None, 1)}
#: what they log, we do not: looked at, and otherwise without an effect.
_LOGGING: Mapping[str, Callable[[str, Any], Any]] = {
    "stats_log_frequency_milliseconds": _positive,
    "mem_log_frequency_milliseconds": _not_negative,
}


@dataclass(frozen=True)
class Options:
    """What a server is made with.

    :param auth: who people are, as Bokeh's ``AuthProvider`` tells; ``None``: they are not asked.
    :param cookie_secret: signs cookies of the handlers of logins.
    """

    settings: Settings
    auth: Any = None
    cookie_secret: str | None = None


def read_options(given: Mapping[str, Any], data_dir: str) -> Options:
    """The options of keyword arguments.

    :param data_dir: where documents are kept, unless they say.
    :raises ConfigurationError: one makes no sense, or none without Tornado; a wrong value is
        a :exc:`ValueError`, too.
    """
    left = dict(given)
    for pair in ("headers", "cookies"):
        if left.get(f"include_{pair}") and left.get(f"exclude_{pair}"):
            why = f"Declare either an include or an exclude list for the {pair}, not both."
            raise _Invalid(_ATTEMPTED, why.rstrip("."))
    _refuse_tornado(left)
    for name, check in _LOGGING.items():
        if name in left:
            check(name, left.pop(name))
    auth = left.pop("auth_provider", None)
    cookie_secret = left.pop("cookie_secret", None)
    values = _sessions(left)
    for name, (ours, convert) in _SETTINGS.items():
        if name in left and (value := convert(name, left.pop(name))) is not None:
            values[ours] = value
    values["https"] = "https_certfile" in values or "https_keyfile" in values
    defaults = {"data_dir": data_dir, "secret_key": secrets.token_urlsafe(48)}
    return Options(Settings.from_keywords(**{**defaults, **values, **left}), auth, cookie_secret)


def _refuse_tornado(left: dict[str, Any]) -> None:
    for name, remedy in _TORNADO.items():
        if name in left and left.pop(name) not in _IDLE.get(name, (None, False)):
            raise ConfigurationError(_ATTEMPTED, f"{name} is a matter of Tornado", remedy)


def _sessions(left: dict[str, Any]) -> dict[str, Any]:
    """Which ids of sessions are taken, and what signs them."""
    signed = left.pop("sign_sessions", None)
    signed = bokeh_settings.sign_sessions() if signed is None else signed
    generates, secret = left.pop("generate_session_ids", True), left.pop("secret_key", None)
    if signed and secret is None and bokeh_settings.secret_key_bytes() is None:
        why = "sign_sessions needs a key, and there is none"
        raise _Invalid(_ATTEMPTED, why, "Give secret_key, or set BOKEH_SECRET_KEY")
    mode = "unsigned" if not signed else ("signed" if generates else "external-signed")
    if not signed and not generates:
        mode = "external"
    text = secret.decode() if isinstance(secret, bytes) else secret
    return {"session_ids": mode, **({"secret_key": text} if text else {})}
