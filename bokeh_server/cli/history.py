"""``bokeh-server docs log`` and ``docs restore``: what was changed, and how to go back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bokeh_server.cli.documents import (
    REVISION,
    event_on,
    find_document,
    open_engine,
    open_store,
    owner_option,
)
from bokeh_server.cli.options import store_options
from bokeh_server.cli.tables import print_table
from bokeh_server.permissions import SINGLE_USER

if TYPE_CHECKING:
    from bokeh_server.documents import Group, LiveDocument
    from bokeh_server.storage import Store

__all__ = ["log_command", "restore_command"]

#: changes that are read at a time, and bytes of them.
SLICE = 1000
SLICE_BYTES = 16 * 1024 * 1024


@click.command("log")
@click.argument("document")
@owner_option
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, metavar="N",
    help="Look at the last N changes",
)  # fmt: skip
@click.option("--before", type=REVISION, metavar="SEQ", help="Only changes before this one")
@store_options
@click.pass_context
def log_command(
    context: click.Context, /, document: str, limit: int, before: int | None, **options: Any
) -> None:
    """Print what was changed, newest first. Safe beside a running server.

    Changes of a kind, by one person and shortly after each other, are one line.
    """
    with open_store(context, options, create=False) as store, open_engine(store) as engine:
        record = find_document(store, document)
        live, span = engine.open(record.docid), engine.span(record.docid)
        groups = _groups(store, live, limit, span.head + 1 if before is None else before)
    print_table(("revision", "when", "who", "what"), [_row(group) for group in reversed(groups)])
    click.echo(f"Revisions {span.oldest} to {span.head} can be opened.")


def _groups(store: Store, live: LiveDocument, limit: int, before: int) -> list[Group]:
    from bokeh_server.documents import describe, join

    groups: list[Group] = []
    while limit > 0:
        records, more = store.changes.page(
            live.docid, 0, limit=min(limit, SLICE), size=SLICE_BYTES, before=before, newest=True
        )
        groups = join(describe(records[::-1], live.labels), groups)
        if not more:
            break
        limit -= len(records)
        before = records[-1].seq
    return groups


def _row(group: Group) -> tuple[str, ...]:
    number = f"{group.last}" if group.first == group.last else f"{group.first}-{group.last}"
    when = group.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return number, when, group.actor, group.what


@click.command("restore")
@click.argument("document")
@owner_option
@click.argument("revision", type=REVISION)
@store_options
@click.pass_context
def restore_command(
    context: click.Context, /, document: str, revision: int, **options: Any
) -> None:
    """Make DOCUMENT again what it was after change REVISION.

    That is a new change: what came after stays in the log, and is there to be restored as well.
    A running server notices within seconds, and open browsers follow.
    """
    with open_store(context, options, create=False) as store, open_engine(store) as engine:
        record = find_document(store, document)
        live = engine.open(record.docid)
        before = live.seq
        seq = live.restore(revision, actor=SINGLE_USER)
        if seq != before:
            told = f"revision {revision} as change {seq}"
            store.events.add([event_on("restore", record, told)])
    if seq == before:
        click.echo(f"{record.title!r} is as it was at revision {revision} already.")
    else:
        click.echo(f"Restored revision {revision} of {record.title!r} as change {seq}.")
        click.echo(f"To undo: bokeh-server docs restore {record.docid} {seq - 1}")
