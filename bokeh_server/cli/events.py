"""``bokeh-server events``: who did what, straight from the database."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import orjson

from bokeh_server.cli.documents import open_store
from bokeh_server.cli.options import CONTEXT, store_options
from bokeh_server.cli.tables import print_table

if TYPE_CHECKING:
    from bokeh_server.storage import EventRecord

__all__ = ["events"]

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.group(context_settings=CONTEXT)
@store_options
@click.pass_context
def events(context: click.Context, /, **options: Any) -> None:
    """List who did what to which document and account."""
    given = {name: value for name, value in options.items() if value is not None}
    context.obj = (context.obj or {}) | given


def _moment(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    span = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if span is not None:
        return datetime.now(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise click.BadParameter("give a date such as 2026-03-01, or a span such as 7d") from None


def _known_action(
    _context: click.Context, _option: click.Parameter, word: str | None
) -> str | None:
    from bokeh_server.storage.events import ACTIONS

    if word is not None and word not in ACTIONS:
        raise click.BadParameter(f"choose from {', '.join(ACTIONS)}")
    return word


@events.command("list")
@click.option("--document", "docid", metavar="DOCID", help="Only of this document, deleted or not")
@click.option("--user", "actor", metavar="NAME", help="Only what this user did")
@click.option("--owner", metavar="NAME", help="Only of this user's documents and account")
@click.option(
    "--action", metavar="WHAT", callback=_known_action, help="Only this, such as share or delete"
)
@click.option("--since", callback=_moment, metavar="WHEN", help="Since a date, or for 12h, 7d, 4w")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
@store_options
@click.pass_context
def list_command(
    context: click.Context,
    /,
    docid: str | None,
    actor: str | None,
    owner: str | None,
    action: str | None,
    since: datetime | None,
    limit: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Print what was done, the newest first."""
    with open_store(context, options, create=False) as store:
        found = store.events.find(
            docid=docid, actor=actor, owner=owner, action=action, since=since, limit=limit
        )
    if as_json:
        for record in found:
            click.echo(orjson.dumps({name: getattr(record, name) for name in record.__slots__}))
        return
    head = ("when", "who", "did", "document", "detail", "via", "from")
    print_table(head, [_row(record) for record in found])


def _row(record: EventRecord) -> tuple[str, ...]:
    when = record.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    what = record.title or record.docid or record.owner or ""
    detail = record.detail or ""
    return when, record.actor, record.action, what, detail, record.via, record.address
