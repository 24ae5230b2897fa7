"""Settings: each declared once, and each value knows where it came from.

A later source wins over an earlier one:

.. code-block:: text

    default < configuration file < environment < command line
    default < environment < app.config["BOKEH_SERVER_*"] < keyword arguments      (embedded)

The declaration in :class:`Settings` is the only one: the option ``--url-prefix``,
the variable ``BOKEH_SERVER_URL_PREFIX``, the key ``url_prefix`` of the configuration file
and the table that ``bokeh-server config`` prints are all made from it.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from bokeh_server import parsers
from bokeh_server.app_settings import AppSettings, declare
from bokeh_server.errors import ConfigurationError
from bokeh_server.parsers import LOG_LEVELS, Parser

__all__ = [
    "DEFAULT",
    "ENVIRONMENT_PREFIX",
    "LOG_LEVELS",
    "Setting",
    "Settings",
    "default_config_dir",
    "default_data_dir",
    "hide_password",
    "load_settings",
    "setting_names",
]

ENVIRONMENT_PREFIX = "BOKEH_SERVER_"
CONFIG_FILE_NAME = "bokeh-server.toml"
DATABASE_FILE_NAME = "bokeh-server.sqlite3"

#: the source of a value that nobody set.
DEFAULT = "default"

_UNSET_PATH = Path()


def default_data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where a server keeps its database when nobody says: the user's data directory."""
    return _user_dir(environ, "XDG_DATA_HOME", ".local/share") / "bokeh-server"


def default_config_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where ``bokeh-server.toml`` is looked for when nobody says."""
    return _user_dir(environ, "XDG_CONFIG_HOME", ".config") / "bokeh-server"


def _user_dir(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support"
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get(variable) or home / fallback)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known about one setting, apart from its value.

    :param name: its key in the configuration file and its keyword argument.
    :param default: its value when nobody sets it.
    :param parse: makes a value of whatever a source gave; raises :exc:`ValueError`.
    :param secret: its value is never printed.
    """

    name: str
    default: Any
    help: str
    parse: Parser
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable that sets it, also its key in ``app.config``."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        """The command-line option that sets it."""
        return "--" + self.name.replace("_", "-")


@dataclass(frozen=True, repr=False)
class Settings(AppSettings):
    """Everything that can be set, with the defaults.

    Make one with :func:`load_settings` (the command), :meth:`from_keywords` or
    :meth:`from_app_config` (embedded), so that values are checked and sources kept.
    """

    address: str = declare(parsers.text, "127.0.0.1", "Address to listen on; 0.0.0.0 or :: for all")
    port: int = declare(parsers.port, 5006, "Port to listen on; 0 takes a free one")
    url_prefix: str = declare(parsers.prefix, "", "Path under which everything is served")
    multi_user: bool = declare(
        parsers.flag, False, "Have people register and log in, each with documents of their own"
    )
    registration: str = declare(
        parsers.registration,
        "open",
        f"Who may make an account, with --multi-user: {', '.join(parsers.REGISTRATIONS)}",
    )
    login_days: float = declare(
        parsers.days, 14.0, "Days after which a login that is not used ends"
    )
    user_header: str = declare(
        parsers.header,
        "",
        "Header in which a trusted proxy tells who the user is, in place of logins",
    )
    database: str = declare(
        parsers.text, "", "Database URL; sqlite:///<data-dir>/bokeh-server.sqlite3 when empty"
    )
    data_dir: Path = declare(
        parsers.directory, _UNSET_PATH, "Directory for the database and the secret key"
    )
    allow_websocket_origin: tuple[str, ...] = declare(
        parsers.hosts, (), "HOST[:PORT] of a page elsewhere that may open WebSockets; * matches"
    )
    trusted_host: tuple[str, ...] = declare(
        parsers.hosts, (), "Host name under which this server answers, besides localhost"
    )
    usercontent_host: str = declare(
        parsers.usercontent,
        "",
        "Host name for frames, which run other people's JavaScript, with --multi-user; "
        "*.HOST gives every document one of its own",
    )
    trusted_proxies: int = declare(
        parsers.count,
        0,
        "Number of reverse proxies in front whose X-Forwarded headers are believed",
    )
    https: bool = declare(parsers.flag, False, "Serve HTTPS; needs a certificate and its key")
    https_certfile: Path | None = declare(parsers.path, None, "Certificate chain, PEM")
    https_keyfile: Path | None = declare(parsers.path, None, "Private key of the certificate, PEM")
    debug: bool = declare(
        parsers.flag, False, "Log more, and show errors in full; not for production"
    )
    log_level: str = declare(parsers.level, "info", f"Least level to log: {', '.join(LOG_LEVELS)}")
    show: bool = declare(parsers.flag, False, "Open the index page in a browser")
    max_body_size: int = declare(
        parsers.size, 128 * 2**20, "Largest request body or WebSocket message, in bytes or as 64MB"
    )
    ping_interval: float = declare(
        parsers.seconds,
        25.0,
        "Seconds between pings on a WebSocket; a dead peer is closed after two",
    )
    request_timeout: float = declare(
        parsers.seconds, 30.0, "Seconds a client may take to send its request before it is dropped"
    )
    keep_changes: int = declare(
        parsers.number, 10_000, "Changes of each document that are kept; more if they are recent"
    )
    keep_days: float = declare(
        parsers.days, 7.0, "Days for which changes are kept; more if they are among the last"
    )
    user_documents: int = declare(
        parsers.number, 0, "Documents that a user may have, with --multi-user; 0: any number"
    )
    user_bytes: int = declare(
        parsers.room, 0, "What a user's documents may take, in bytes or as 5GB; 0: no limit"
    )
    keep_events_days: float = declare(
        parsers.days, 365.0, "Days for which it is kept what people did, with --multi-user"
    )
    secret_key: str = declare(
        parsers.text,
        "",
        "Key that signs tickets; made once and kept in data-dir when empty",
        secret=True,
    )
    former_secret_keys: tuple[str, ...] = declare(
        parsers.keys,
        (),
        "Keys that secret_key was before, whose tickets are good still",
        secret=True,
    )
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.data_dir == _UNSET_PATH:
            object.__setattr__(self, "data_dir", default_data_dir())
        if not self.database:
            path = (self.data_dir / DATABASE_FILE_NAME).absolute()
            object.__setattr__(self, "database", f"sqlite:///{path.as_posix()}")

    def __repr__(self) -> str:
        shown = (f"{name}={self.shown(name)}" for name in self.declared())
        return f"Settings({', '.join(shown)})"

    @classmethod
    def declared(cls) -> dict[str, Setting]:
        """Every setting by its name, in the order in which they are listed."""
        found = {each.name: _setting(each) for each in fields(cls) if "parse" in each.metadata}
        of_applications = {each.name for each in fields(AppSettings)}
        return {name: found[name] for name in sorted(found, key=of_applications.__contains__)}

    @classmethod
    def from_keywords(cls, **values: object) -> Settings:
        """Make settings of keyword arguments; :exc:`ConfigurationError` names the bad one."""
        return _Gatherer().add_all(values, "keyword argument {name}").build()

    @classmethod
    def from_app_config(
        cls,
        config: Mapping[str, object],
        environ: Mapping[str, str] | None = None,
        **values: object,
    ) -> Settings:
        """Make settings of ``app.config["BOKEH_SERVER_*"]`` and, over them, keyword arguments.

        :param environ: environment variables, which are under both.
        """
        gatherer = _Gatherer()
        gatherer.add_prefixed(environ or {}, "environment variable {variable}")
        gatherer.add_prefixed(config, 'app.config["{variable}"]')
        return gatherer.add_all(values, "keyword argument {name}").build()

    def source(self, name: str) -> str:
        """Where the value of setting ``name`` came from, as it is shown to people."""
        return self.sources.get(name, DEFAULT)

    def shown(self, name: str) -> str:
        """The value of setting ``name`` as it may be printed: without passwords."""
        value = getattr(self, name)
        if self.declared()[name].secret:
            return "(hidden)" if value else "(none)"
        if isinstance(value, tuple):
            return ", ".join(value) or "(none)"
        return hide_password(str(value)) if value not in ("", None) else "(none)"

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.https else "http"


def _setting(declared: Field[Any]) -> Setting:
    default = None if declared.default is MISSING else declared.default
    known = declared.metadata
    return Setting(declared.name, default, known["help"], known["parse"], known["secret"])


class _Gatherer:
    """Values as they are collected, a later source over an earlier one."""

    def __init__(self) -> None:
        self.declared = Settings.declared()
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    def add(self, name: str, value: object, source: str) -> None:
        try:
            self.values[name] = self.declared[name].parse(value)
        except ValueError as error:
            raise ConfigurationError(
                f"read {name} from {source}", str(error), self.declared[name].help
            ) from None
        self.sources[name] = source

    def add_all(self, values: Mapping[str, object], source: str) -> _Gatherer:
        for key, value in values.items():
            setting = self._find(key, source)
            if value is not None:
                where = source.format(name=key, option=setting.option, variable=setting.variable)
                self.add(setting.name, value, where)
        return self

    def add_prefixed(self, values: Mapping[str, Any], source: str) -> None:
        for setting in self.declared.values():
            value = values.get(setting.variable)
            if value is not None and not _is_of_kubernetes(setting.name, value):
                self.add(setting.name, value, source.format(variable=setting.variable))

    def _find(self, key: str, source: str) -> Setting:
        setting = self.declared.get(key.replace("-", "_"))
        if setting is not None:
            return setting
        close = difflib.get_close_matches(key.replace("-", "_"), self.declared, n=1)
        remedy = f"Did you mean {close[0]}?" if close else "See docs/configuration.md for the names"
        where = source.format(name=key, option=key, variable=key)
        raise ConfigurationError(f"use {where}", f"there is no setting {key!r}", remedy)

    def build(self) -> Settings:
        return Settings(**self.values, sources=dict(self.sources))


def _is_of_kubernetes(name: str, value: object) -> bool:
    """Whether the variable tells where a Kubernetes service called ``bokeh-server`` is."""
    return (
        name in ("address", "port")
        and isinstance(value, str)
        and re.fullmatch(r"(tcp|udp|sctp)://\S+:[0-9]+", value.strip()) is not None
    )


def load_settings(
    command_line: Mapping[str, object] | None = None,
    *,
    config: str | Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Gather the settings of a server from all sources.

    :param command_line: values of the options that were given; ``None`` means not given.
    :param config: the configuration file; without one, the variable ``BOKEH_SERVER_CONFIG``,
        and then ``bokeh-server.toml`` in the data or configuration directory if it is there.
    :raises ConfigurationError: a value is wrong; the message says which and where it stands.
    """
    options = {name: value for name, value in (command_line or {}).items() if value is not None}
    path = _config_file(config, options.get("data_dir"), environ)
    gatherer = _Gatherer()
    if path is not None:
        _add_file(gatherer, path)
    gatherer.add_prefixed(environ, "environment variable {variable}")
    gatherer.add_all(options, "option {option}")
    return gatherer.build()


def _config_file(
    given: str | Path | None, data_dir: object, environ: Mapping[str, str]
) -> Path | None:
    named = given or environ.get(ENVIRONMENT_PREFIX + "CONFIG")
    if named:
        return Path(named).expanduser()
    own_dir = data_dir or environ.get(ENVIRONMENT_PREFIX + "DATA_DIR")
    places = [Path(str(own_dir)).expanduser()] if own_dir else []
    places += [default_config_dir(environ), default_data_dir(environ)]
    candidates = (place / CONFIG_FILE_NAME for place in places)
    return next((path for path in candidates if path.is_file()), None)


def _add_file(gatherer: _Gatherer, path: Path) -> None:
    for key, value in _read_file(path).items():
        gatherer.add_all({key: _from_file(key, value, path)}, f"configuration file {path}")


def _read_file(path: Path) -> dict[str, Any]:
    attempted = f"read the configuration file {path}"
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(attempted, f"it is not TOML: {error}", "Mend that line") from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(attempted, why.lower(), "Check the path given") from None


def _from_file(key: str, value: object, path: Path) -> object:
    """A relative path in a configuration file is relative to that file."""
    declared = Settings.declared().get(key.replace("-", "_"))
    is_path = declared is not None and declared.parse in (parsers.path, parsers.directory)
    if not is_path or not isinstance(value, str) or not value:
        return value
    return path.absolute().parent / Path(value).expanduser()


def hide_password(url: str) -> str:
    """``url`` with the password in it, if there is one, replaced by stars; rather too much."""
    url = re.sub(r"(?<=://)([^/:@?]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&](?:ssl)?passw(?:or)?d=)[^&]*", r"\1***", url)


def setting_names() -> Iterator[str]:
    """The names of all settings, in the order in which they are listed."""
    return iter(Settings.declared())
