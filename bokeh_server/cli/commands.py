"""The ``bokeh-server`` command and what it does without a subcommand: serve."""

from __future__ import annotations

import sys
from typing import Any

import click

from bokeh_server import __version__
from bokeh_server.cli.applications import ServingGroup
from bokeh_server.cli.database import db
from bokeh_server.cli.documents import docs
from bokeh_server.cli.events import events
from bokeh_server.cli.history import log_command, restore_command
from bokeh_server.cli.links import links
from bokeh_server.cli.options import CONTEXT, server_options, settings_of
from bokeh_server.cli.secret import secret
from bokeh_server.cli.tables import print_table
from bokeh_server.cli.tokens import tokens
from bokeh_server.cli.users import users
from bokeh_server.config import Settings, setting_names
from bokeh_server.errors import BokehServerError

__all__ = ["bokeh_server", "print_settings", "run"]


def _print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"bokeh-server {__version__} (bokeh {version('bokeh')})")
        context.exit()


@click.group(
    "bokeh-server",
    cls=ServingGroup,
    invoke_without_command=True,
    context_settings=CONTEXT,
    subcommand_metavar="[APPLICATION]... | COMMAND [ARGS]...",
)
@server_options
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Print the version and exit",
)  # fmt: skip
@click.pass_context
def bokeh_server(context: click.Context, /, **options: Any) -> None:
    """Publish Bokeh plots at addresses that stay live, and run Bokeh applications.

    Without a command it starts the server, at http://localhost:5006/ unless told otherwise,
    and keeps documents in SQLite in the user's data directory.
    Scripts, notebooks and folders that are named are served as applications;
    what comes after --args is theirs.
    Every option can also be set by an environment variable (BOKEH_SERVER_PORT for --port)
    or in the configuration file (port = 5006).
    """
    context.obj = {name: value for name, value in options.items() if value not in (None, ())}
    if context.invoked_subcommand is None:
        _serve(settings_of(context, options))


def _serve(settings: Settings) -> None:
    if settings.debug:
        print_settings(settings)
    from bokeh_server.server import serve

    serve(settings)


def print_settings(settings: Settings) -> None:
    """Print every setting, its value and where that came from."""
    rows = [(name, settings.shown(name), settings.source(name)) for name in setting_names()]
    print_table(("setting", "value", "from"), rows)


@bokeh_server.command("config", context_settings=CONTEXT)
@server_options
@click.pass_context
def config_command(context: click.Context, /, **options: Any) -> None:
    """Print every setting, its value and where it comes from."""
    print_settings(settings_of(context, options))


bokeh_server.add_command(db)
docs.add_command(log_command)
docs.add_command(restore_command)
bokeh_server.add_command(docs)
bokeh_server.add_command(users)
bokeh_server.add_command(tokens)
bokeh_server.add_command(links)
bokeh_server.add_command(events)
bokeh_server.add_command(secret)


def run() -> None:
    """Run the command; an error that a person can mend is one line, and exit code 1."""
    try:
        bokeh_server.main(standalone_mode=True, prog_name="bokeh-server")
    except BokehServerError as error:
        click.echo(f"bokeh-server: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
