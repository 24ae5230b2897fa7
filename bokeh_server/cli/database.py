"""``bokeh-server db``: the schema of the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bokeh_server.cli.options import CONTEXT, settings_of, store_options
from bokeh_server.readable import readable_size

__all__ = ["db"]


@click.group(context_settings=CONTEXT)
@store_options
@click.pass_context
def db(context: click.Context, /, **options: Any) -> None:
    """Tell which revision the database is at, upgrade it, copy it, make it smaller."""
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


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there")
@store_options
@click.pass_context
def backup(context: click.Context, /, file: Path, force: bool, **options: Any) -> None:
    """Copy a SQLite database to FILE, as it is at one moment. Safe beside a running server."""
    from bokeh_server.storage import upkeep as storage

    size = storage.back_up(settings_of(context, options).database, file, replace=force)
    click.echo(f"Backed up to {file}: {readable_size(size)}.")


@db.command()
@store_options
@click.pass_context
def vacuum(context: click.Context, /, **options: Any) -> None:
    """Give the disk space of what was deleted back (SQLite). Safe beside a running server.

    A file that an earlier release made is written anew once; the server had better be stopped then.
    """
    from bokeh_server.storage import upkeep as storage

    before, after = storage.vacuum(settings_of(context, options).database, click.echo)
    click.echo(f"The database takes {readable_size(after)}; it took {readable_size(before)}.")
