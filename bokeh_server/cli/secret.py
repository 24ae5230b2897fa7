"""``bokeh-server secret``: a new key, printed or put in the place of the server's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from bokeh_server.cli.options import CONTEXT, settings_of, store_options
from bokeh_server.errors import ConfigurationError
from bokeh_server.secret_keys import FILE_NAME, make_key, rotate

__all__ = ["secret"]


@click.group("secret", context_settings=CONTEXT, invoke_without_command=True)
@store_options
@click.pass_context
def secret(context: click.Context, /, **options: Any) -> None:
    """Print a new key, for the setting secret_key.

    Without that setting the server makes a key of its own and keeps it in its data directory.
    """
    given = {name: value for name, value in options.items() if value is not None}
    context.obj = (context.obj or {}) | given
    if context.invoked_subcommand is None:
        click.echo(make_key())


@secret.command("rotate")
@click.option(
    "--grace", type=click.FloatRange(0, 365), default=1.0, metavar="DAYS",
    help="For how long pages that are open keep working by the former key  [default: 1]",
)  # fmt: skip
@store_options
@click.pass_context
def rotate_command(context: click.Context, /, grace: float, **options: Any) -> None:
    """Put a new key in the place of the one in the data directory.

    Servers that run take it up at once. What the former key has signed is good for some days;
    with --grace 0 it is good no more, and neither is what any key before has signed.
    """
    settings = settings_of(context, options)
    if settings.secret_key:
        raise ConfigurationError(
            "change the secret key",
            f"it is given by the {settings.source('secret_key')}",
            "Give another there, and this one as former_secret_keys",
        )
    kept = rotate(settings.data_dir, timedelta(days=grace))
    click.echo(f"There is a new key in {settings.data_dir / FILE_NAME}.")
    click.echo(f"Former keys that are good still: {kept}.")
