"""``bokeh-server db``: the schema of the database."""

from __future__ import annotations

from typing import Any

import click

from bokeh_server.cli.options import CONTEXT, settings_of, store_options

__all__ = ["db"]


@click.group(context_settings=CONTEXT)
@store_options
@click.pass_context
def db(context: click.Context, /, **options: Any) -> None:
    """Tell which revision the database is at, and upgrade it."""
    given = {name: value for name, value in options.items() if value is not None}
    context.obj = (context.obj or {}) | given


@db.command()
@store_options
@click.pass_context
def current(context: click.Context, /, **options: Any) -> None:
    """Print the schema revision of the database."""
    from bokeh_server.storage import upgrade as storage

    settings = settings_of(context, options)
    revision = storage.current(settings.database) or "(empty)"
    click.echo(f"{revision}  {settings.shown('database')}")


@db.command()
@store_options
@click.pass_context
def upgrade(context: click.Context, /, **options: Any) -> None:
    """Bring the database to this release's schema.

    Stop the server first. A SQLite file is copied beside itself before anything is changed.
    """
    from bokeh_server.storage import upgrade as storage

    storage.upgrade(settings_of(context, options).database, click.echo)
