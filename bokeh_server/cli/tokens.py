"""``bokeh-server tokens``: what scripts are known by, straight in the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from bokeh_server.cli.documents import open_store
from bokeh_server.cli.noting import by_command
from bokeh_server.cli.options import CONTEXT, store_options
from bokeh_server.cli.tables import print_table
from bokeh_server.cli.users import open_accounts
from bokeh_server.permissions import Action

__all__ = ["tokens"]


@click.group(context_settings=CONTEXT)
@store_options
@click.pass_context
def tokens(context: click.Context, /, **options: Any) -> None:
    """Make, list and revoke the tokens by which scripts are known."""
    given = {name: value for name, value in options.items() if value is not None}
    context.obj = (context.obj or {}) | given


@tokens.command("create")
@click.argument("name")
@click.option("--title", default="made by the command", help="What it is for")
@click.option(
    "--scope", type=click.Choice([each.value for each in Action]), default="own",
    help="The most that it lets its holder do  [default: own]",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, 3650), help="For so long  [default: for ever]")
@store_options
@click.pass_context
def create_command(
    context: click.Context,
    /,
    name: str,
    title: str,
    scope: str,
    days: int | None,
    **options: Any,
) -> None:
    """Print a new token of the user NAME; it is not shown again."""
    lifetime = None if days is None else timedelta(days=days)
    with open_accounts(context, options) as accounts:
        user = accounts.known(name)
        event = by_command("token", detail=title)
        click.echo(accounts.make_token(user, title, Action(scope), lifetime, event))


@tokens.command("list")
@store_options
@click.pass_context
def list_command(context: click.Context, /, **options: Any) -> None:
    """Print all tokens, the newest first: never the tokens themselves."""
    with open_store(context, options, create=False) as store:
        rows = [
            (record.id, record.name, record.title, record.scope, _at(record.used),
             _at(record.expires))
            for record in store.credentials.tokens()
        ]  # fmt: skip
    print_table(("id", "user", "title", "scope", "used", "expires"), rows)


def _at(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "never"


@tokens.command("revoke")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@store_options
@click.pass_context
def revoke_command(context: click.Context, /, ids: tuple[str, ...], **options: Any) -> None:
    """Let tokens be good for nothing any more. ID is the part after bks_."""
    with open_accounts(context, options) as accounts:
        for each in ids:
            record = accounts.revoke(each, event=by_command("revoke"))
            click.echo(f"Revoked {record.title!r} of {record.name}.")
