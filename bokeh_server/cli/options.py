"""Command-line options, made from the declarations of the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from bokeh_server import parsers
from bokeh_server.config import Setting, Settings, load_settings
from bokeh_server.errors import ConfigurationError

__all__ = ["CONTEXT", "server_options", "settings_of", "store_options"]

CONTEXT = {"help_option_names": ["--help"], "max_content_width": 100}

#: settings that are not for the command line: it is shown to everyone who lists processes.
NOT_OPTIONS = {"secret_key", "former_secret_keys"}
STORE_OPTIONS = ("database", "data_dir")
#: what the server of 2015 called them.
SHORT = {"multi_user": "-m"}

Command = TypeVar("Command", bound=Callable[..., Any])

_METAVARS: dict[parsers.Parser, str] = {
    parsers.port: "PORT",
    parsers.count: "N",
    parsers.number: "N",
    parsers.days: "DAYS",
    parsers.seconds: "SECONDS",
    parsers.size: "BYTES",
    parsers.room: "BYTES",
    parsers.level: "LEVEL",
    parsers.registration: "WHO",
    parsers.header: "NAME",
    parsers.prefix: "PATH",
    parsers.path: "FILE",
    parsers.directory: "DIR",
    parsers.hosts: "HOST",
    parsers.names: "NAME",
    parsers.session_ids: "MODE",
    parsers.usercontent: "HOST",
}


def _option(setting: Setting) -> Callable[[Command], Command]:
    shown = f"{setting.help}{_default(setting)}"
    if setting.parse is parsers.flag:
        name = f"{setting.option}/--no-{setting.option.removeprefix('--')}"
        short = (SHORT[setting.name],) if setting.name in SHORT else ()
        return click.option(*short, name, setting.name, default=None, help=shown)
    return click.option(
        setting.option,
        setting.name,
        # the values are read by the settings' own parsers, so that messages are the same everywhere
        type=str,
        default=None,
        multiple=setting.parse in (parsers.hosts, parsers.names),
        metavar=_METAVARS.get(setting.parse, "TEXT"),
        help=shown,
    )


def _default(setting: Setting) -> str:
    if isinstance(setting.default, (str, int, float)) and setting.default:
        return f"  [default: {setting.default}]"
    return ""


_config = click.option(
    "--config",
    default=None,
    metavar="FILE",
    help="Configuration file (TOML)  [default: bokeh-server.toml in the data or configuration "
    "directory, when there is one]",
)


def server_options(command: Command) -> Command:
    """Give a command every setting as an option, and ``--config``."""
    declared = [each for each in Settings.declared().values() if each.name not in NOT_OPTIONS]
    for setting in reversed(declared):
        command = _option(setting)(command)
    return _config(command)


def store_options(command: Command) -> Command:
    """Give a command the options that say which database it works on."""
    for name in reversed(STORE_OPTIONS):
        command = _option(Settings.declared()[name])(command)
    return _config(command)


def settings_of(context: click.Context, given: Mapping[str, Any]) -> Settings:
    """The settings of a command: its own options over those before the subcommand.

    :raises ConfigurationError: a value is wrong.
    """
    outer: dict[str, Any] = (context.obj or {}) if context.parent is not None else {}
    merged = outer | {name: value for name, value in given.items() if value not in (None, ())}
    config = merged.pop("config", None)
    if config == "":
        raise ConfigurationError("read the configuration file", "its name is empty", "Name one")
    return load_settings(merged, config=config)
