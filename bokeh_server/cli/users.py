"""``bokeh-server users``: who has an account, straight in the database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from bokeh_server import parsers
from bokeh_server.cli.documents import open_store
from bokeh_server.cli.noting import by_command
from bokeh_server.cli.options import CONTEXT, store_options
from bokeh_server.cli.tables import print_table
from bokeh_server.readable import readable_size

if TYPE_CHECKING:
    from bokeh_server.accounts import Accounts
    from bokeh_server.storage import UserRecord

__all__ = ["open_accounts", "users"]


@click.group(context_settings=CONTEXT)
@store_options
@click.pass_context
def users(context: click.Context, /, **options: Any) -> None:
    """Add, list, disable and delete users, and invite them.

    These work on the database itself, whether a server runs or not;
    one that runs notices within a second.
    """
    given = {name: value for name, value in options.items() if value is not None}
    context.obj = (context.obj or {}) | given


@contextmanager
def open_accounts(
    context: click.Context, options: dict[str, Any], *, create: bool = False
) -> Iterator[Accounts]:
    """The accounts in the database that the options name."""
    from bokeh_server.accounts import Accounts

    with open_store(context, options, create=create) as store:
        yield Accounts(store)


def _password(given: bool) -> str:
    """A password, typed twice; from a pipe, its first line."""
    if given:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


_stdin = click.option("--stdin", is_flag=True, help="Read the password from standard input")


@users.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="Let them look after the server")
@_stdin
@store_options
@click.pass_context
def add_command(
    context: click.Context, /, name: str, admin: bool, stdin: bool, **options: Any
) -> None:
    """Add a user, whoever may register."""
    from bokeh_server.accounts import check_name
    from bokeh_server.storage import ADMIN

    found = check_name(name)
    with open_accounts(context, options, create=True) as accounts:
        hashed = accounts.hash(_password(stdin), found)
        event = by_command("add-user", detail="an admin" if admin else None)
        accounts.add(found, hashed, ADMIN if admin else None, event)
    click.echo(f"Added {found}.")


@users.command("list")
@store_options
@click.pass_context
def list_command(context: click.Context, /, **options: Any) -> None:
    """Print the users, by name."""
    with open_store(context, options, create=False) as store:
        documents: dict[str, int] = {}
        for record in store.documents.list():
            documents[record.owner] = documents.get(record.owner, 0) + 1
        rows = [_row(user, documents.get(user.name, 0)) for user in store.users.list()]
    print_table(("name", "since", "documents", "state"), rows)


def _row(user: UserRecord, documents: int) -> tuple[str, ...]:
    since = user.created.astimezone().strftime("%Y-%m-%d %H:%M")
    return user.name, since, str(documents), _state(user)


def _state(user: UserRecord) -> str:
    if user.disabled is not None:
        return "disabled"
    if user.password is None:
        return "no password"
    return "admin" if user.is_admin else ""


@users.command("passwd")
@click.argument("name")
@_stdin
@store_options
@click.pass_context
def passwd_command(context: click.Context, /, name: str, stdin: bool, **options: Any) -> None:
    """Set the password of a user, and end all their logins."""
    with open_accounts(context, options) as accounts:
        accounts.change_password(name, _password(stdin), event=by_command("password"))
    click.echo(f"Changed the password of {name}, who is logged out everywhere.")


@users.command("disable")
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let them log in again")
@store_options
@click.pass_context
def disable_command(context: click.Context, /, name: str, undo: bool, **options: Any) -> None:
    """Let a user log in no longer; their documents stay, and their tokens are no good."""
    with open_accounts(context, options) as accounts:
        accounts.disable(name, not undo, by_command("enable" if undo else "disable"))
    click.echo(f"{name} may log in again." if undo else f"Disabled {name}.")


@users.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask")
@store_options
@click.pass_context
def delete_command(context: click.Context, /, name: str, yes: bool, **options: Any) -> None:
    """Delete a user for good, with all their documents."""
    with open_accounts(context, options) as accounts:
        accounts.known(name)
        if yes or click.confirm(f"Delete {name} and all their documents for good?"):
            accounts.delete(name, by_command("delete-user", detail=name))
            click.echo(f"Deleted {name}.")


@users.command("promote")
@click.argument("name")
@store_options
@click.pass_context
def promote_command(context: click.Context, /, name: str, **options: Any) -> None:
    """Let a user look after the server: users, limits, what everybody did; no documents."""
    from bokeh_server.storage import ADMIN

    with open_accounts(context, options) as accounts:
        accounts.rank(name, ADMIN, by_command("promote"))
    click.echo(f"{name} is an admin.")


@users.command("demote")
@click.argument("name")
@store_options
@click.pass_context
def demote_command(context: click.Context, /, name: str, **options: Any) -> None:
    """Let an admin be a user like others."""
    with open_accounts(context, options) as accounts:
        accounts.rank(name, None, by_command("demote"))
    click.echo(f"{name} is no admin.")


@users.command("limit")
@click.argument("name")
@click.option("--documents", metavar="N", help="So many documents; 0: any number; default: as set")
@click.option("--bytes", "size", metavar="BYTES", help="So much in them, such as 5GB; the same")
@store_options
@click.pass_context
def limit_command(
    context: click.Context, /, name: str, documents: str | None, size: str | None, **options: Any
) -> None:
    """Set how much a user may store, or print it; it goes before the server's settings."""
    from bokeh_server.accounts import folded
    from bokeh_server.storage.users import unknown_user

    with open_store(context, options, create=False) as store:
        usage = store.usage.of(folded(name))
        if usage is None:
            raise unknown_user(name)
        most = _limit(documents, parsers.number, usage.most_documents)
        most_bytes = _limit(size, parsers.room, usage.most_bytes)
        if documents is not None or size is not None:
            event = by_command("limit", owner=usage.name, detail=_shown(most, most_bytes))
            store.usage.limit(usage.name, most, most_bytes, event)
    used = f"{usage.documents} documents, {readable_size(usage.bytes)}"
    click.echo(f"{usage.name} has {used}, and may have {_shown(most, most_bytes)}.")


def _limit(text: str | None, parse: parsers.Parser, before: int | None) -> int | None:
    if text is None:
        return before
    if text == "default":
        return None
    try:
        found: int = parse(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return found


def _shown(documents: int | None, size: int | None) -> str:
    names = {None: "as set for all", 0: "any number"}
    many = names.get(documents, f"{documents}")
    much = {None: "as set for all", 0: "without limit"}.get(size, readable_size(size or 0))
    return f"documents: {many}; size: {much}"


@users.command("invite")
@click.option("--days", type=click.IntRange(1, 365), default=7, help="For so long  [default: 7]")
@store_options
@click.pass_context
def invite_command(context: click.Context, /, days: int, **options: Any) -> None:
    """Print a code with which somebody may register once (--registration invitation)."""
    with open_accounts(context, options) as accounts:
        click.echo(accounts.invite(timedelta(days=days)))
