"""``bokeh-server links``: share links and document keys, straight in the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import click

from bokeh_server.cli.documents import event_on, find_document, open_store, owner_option
from bokeh_server.cli.options import CONTEXT, store_options
from bokeh_server.cli.tables import print_table
from bokeh_server.permissions import Role

if TYPE_CHECKING:
    from bokeh_server.storage import LinkRecord, NewEvent, Store

__all__ = ["links"]


@click.group(context_settings=CONTEXT)
@store_options
@click.pass_context
def links(context: click.Context, /, **options: Any) -> None:
    """Make, list and revoke share links and document keys.

    These work on the database itself, whether a server runs or not;
    one that runs notices within a second. DOCUMENT is a docid or a title.
    """
    given = {name: value for name, value in options.items() if value is not None}
    context.obj = (context.obj or {}) | given


@links.command("list")
@click.argument("document", required=False)
@owner_option
@store_options
@click.pass_context
def list_command(context: click.Context, /, document: str | None, **options: Any) -> None:
    """Print the links and keys of DOCUMENT, or of all: never their secrets."""
    with open_store(context, options, create=False) as store:
        docid = None if document is None else find_document(store, document).docid
        titles = {record.docid: record.title for record in store.documents.list()}
        rows = [_row(record, titles.get(record.docid, "")) for record in store.links.of(docid)]
    print_table(("id", "kind", "document", "title", "may", "by", "used", "expires"), rows)


def _row(record: LinkRecord, document: str) -> tuple[str, ...]:
    may = record.role if record.revision is None else f"revision {record.revision}"
    expires = _at(record.expires) if record.is_good else "has ended"
    return (
        record.id, record.kind, document, record.title, may, record.creator, _at(record.used),
        expires,
    )  # fmt: skip


def _at(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "never"


@links.command("create")
@click.argument("document")
@owner_option
@click.option("--key", is_flag=True, help="A key for scripts, and not a link for people")
@click.option(
    "--role", type=click.Choice([each.value for each in Role]), default="viewer",
    help="What its holder is  [default: viewer]",
)  # fmt: skip
@click.option("--title", default="made by the command", help="What it is for")
@click.option("--days", type=click.IntRange(1, 3650), help="For so long  [default: for ever]")
@click.option("--revision", type=click.IntRange(0), metavar="N", help="Show this one alone")
@store_options
@click.pass_context
def create_command(
    context: click.Context,
    /,
    document: str,
    key: bool,
    role: str,
    title: str,
    days: int | None,
    revision: int | None,
    **options: Any,
) -> None:
    """Print a new link to DOCUMENT, or a key of it; it is not shown again.

    The address of a link begins as that of the server does, which is not known here.
    """
    from bokeh_server.accounts import Links, Wish

    lifetime = None if days is None else timedelta(days=days)
    kind = cast(Any, "key" if key else "link")
    wish = Wish(kind, title, Role(role), revision, lifetime)
    with open_store(context, options, create=False) as store:
        found = find_document(store, document)
        event = event_on("link", found)
        record, secret = Links(store).make(found.docid, found.owner, wish, event)
    click.echo(secret if key else f"/bokeh/link/{record.id}#{secret}")


@links.command("revoke")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@store_options
@click.pass_context
def revoke_command(context: click.Context, /, ids: tuple[str, ...], **options: Any) -> None:
    """Let links and keys be good for nothing any more.

    ID stands between /link/ and the # of a link, and after bkd_ in a key.
    """
    with open_store(context, options, create=False) as store:
        for each in ids:
            record = store.links.revoke(each, event=_event(store, each))
            what = repr(record.title) if record.title else record.id
            click.echo(f"Revoked the {record.kind} {what}, made by {record.creator}.")


def _event(store: Store, link_id: str) -> NewEvent | None:
    """The end of a link, for its document's owner to read; ``None``: there is no such link."""
    docid = next((each.docid for each in store.links.of() if each.id == link_id), None)
    record = None if docid is None else store.documents.get(docid)
    return None if record is None else event_on("unlink", record, link_id)
