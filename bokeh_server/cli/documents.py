"""``bokeh-server docs``: the stored documents, straight in the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bokeh_server.cli.archive import read_archive, write_archive
from bokeh_server.cli.noting import by_command
from bokeh_server.cli.options import CONTEXT, settings_of, store_options
from bokeh_server.cli.tables import print_table
from bokeh_server.errors import BokehServerError, ConfigurationError, UnknownDocument
from bokeh_server.permissions import SINGLE_USER
from bokeh_server.readable import readable_size
from bokeh_server.sites import check_sites, read_sites, write_sites

if TYPE_CHECKING:
    from bokeh_server.documents import Engine
    from bokeh_server.storage import DocumentRecord, NewEvent, Store

__all__ = [
    "REVISION",
    "docs",
    "event_on",
    "find_document",
    "open_engine",
    "open_store",
    "owner_option",
]

PIECE_BYTES = 1024 * 1024
#: what a database can count to.
KEEP_ALL = 2**63 - 1
REVISION = click.IntRange(0, KEEP_ALL)
_OWNER = "bokeh_server.owner"


def _note_owner(context: click.Context, _option: click.Parameter, owner: str | None) -> None:
    if owner is not None:
        context.meta[_OWNER] = owner.strip().lower()


#: of commands that take a document by its title.
owner_option = click.option(
    "--owner", metavar="NAME", expose_value=False, callback=_note_owner,
    help="Whose document, where it is given by title",
)  # fmt: skip


@click.group(context_settings=CONTEXT)
@store_options
@click.pass_context
def docs(context: click.Context, /, **options: Any) -> None:
    """List, delete, export and import documents.

    These work on the database itself, whether a server runs or not.
    DOCUMENT is a docid or a title.
    """
    given = {name: value for name, value in options.items() if value is not None}
    context.obj = (context.obj or {}) | given


@contextmanager
def open_store(context: click.Context, options: dict[str, Any], *, create: bool) -> Iterator[Store]:
    """The database that the options name, closed at the end."""
    from bokeh_server.storage import Store

    store = Store.open(settings_of(context, options).database, create=create, tidy=False)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def open_engine(store: Store) -> Iterator[Engine]:
    """An engine on it, closed at the end."""
    from bokeh_server.documents import Engine, Limits

    # How much of the log is kept is the server's business, whose options are not known here.
    engine = Engine(store, limits=Limits(keep_changes=KEEP_ALL))
    try:
        yield engine
    finally:
        engine.close()


def find_document(store: Store, key: str) -> DocumentRecord:
    """The document of a docid, or of a title: of somebody's, where ``--owner`` is given.

    :raises UnknownDocument: there is none, or several have this title.
    """
    record = store.documents.get(key)
    if record is not None:
        return record
    owner = click.get_current_context().meta.get(_OWNER)
    found = [each for each in store.documents.list(owner) if each.title == key]
    if len(found) == 1:
        return found[0]
    why, remedy = "no document has this docid or title", "bokeh-server docs list shows them"
    if found:
        why = f"{', '.join(sorted(each.owner for each in found))} have one of this title"
        remedy = "Give --owner, or the docid"
    raise UnknownDocument(f"find the document {key!r}", why, remedy)


def event_on(action: str, record: DocumentRecord, detail: str | None = None) -> NewEvent:
    """What a command does to a document, for its owner to read."""
    return by_command(
        action, docid=record.docid, owner=record.owner, title=record.title, detail=detail
    )


@docs.command("list")
@store_options
@click.pass_context
def list_command(context: click.Context, /, **options: Any) -> None:
    """Print the documents, the last changed first. Safe beside a running server."""
    from bokeh_server.storage.sizes import stored_sizes

    with open_store(context, options, create=False) as store:
        sizes = stored_sizes(store)
        rows = [_row(record, sizes.get(record.docid, 0)) for record in store.documents.list()]
    print_table(("docid", "owner", "title", "changed", "plots", "size"), rows)


def _row(record: DocumentRecord, size: int) -> tuple[str, ...]:
    changed = record.changed.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    plots, shown = str(record.plots), readable_size(size)
    return record.docid, record.owner, record.title, changed, plots, shown


@docs.command("delete")
@click.argument("documents", metavar="DOCUMENT...", nargs=-1, required=True)
@owner_option
@click.option("--yes", is_flag=True, help="Do not ask")
@store_options
@click.pass_context
def delete_command(
    context: click.Context, /, documents: tuple[str, ...], yes: bool, **options: Any
) -> None:
    """Delete documents for good, with their history.

    A running server notices within seconds and tells open browsers.
    """
    with open_store(context, options, create=False) as store:
        records = [find_document(store, key) for key in documents]
        for record in records:
            if yes or click.confirm(f"Delete {record.title!r} ({record.docid}) for good?"):
                store.documents.delete(record.docid, event_on("delete", record))
                click.echo(f"Deleted {record.title!r} ({record.docid}).")


@docs.command("give")
@click.argument("document")
@owner_option
@click.argument("name")
@store_options
@click.pass_context
def give_command(context: click.Context, /, document: str, name: str, **options: Any) -> None:
    """Make the user NAME the owner of DOCUMENT.

    So documents of a server without accounts get owners when it is started with --multi-user.
    """
    with open_store(context, options, create=False) as store:
        record = find_document(store, document)
        record = store.documents.give(record.docid, name, event_on("give", record, f"to {name}"))
    click.echo(f"{record.title!r} ({record.docid}) is {record.owner}'s now.")


@docs.command("sites")
@click.argument("document")
@owner_option
@click.argument("sites", metavar="[SITE]...", nargs=-1)
@click.option("--every", is_flag=True, help="Let every site embed it")
@click.option("--none", is_flag=True, help="Let no site embed it")
@store_options
@click.pass_context
def sites_command(
    context: click.Context,
    /,
    document: str,
    sites: tuple[str, ...],
    every: bool,
    none: bool,
    **options: Any,
) -> None:
    """Print or choose the sites whose pages may embed DOCUMENT.

    SITE is an origin: https://example.org, https://*.example.org or http://localhost:8000.
    """
    if every + none + bool(sites) > 1:
        raise click.UsageError("Give SITEs, --every or --none, and not two of them.")
    with open_store(context, options, create=False) as store:
        record = find_document(store, document)
        if every or none or sites:
            text = write_sites(None if every else check_sites(sites))
            event = event_on("sites", record, text or ("every site" if every else "no site"))
            record = store.documents.embed(record.docid, text, event)
    allowed = read_sites(record.sites)
    click.echo("every site" if allowed is None else "\n".join(allowed) or "no site")


@docs.command("export")
@click.argument("document")
@owner_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there")
@click.option("--revision", type=REVISION, metavar="N", help="As it was after change N")
@store_options
@click.pass_context
def export_command(
    context: click.Context,
    /,
    document: str,
    file: Path,
    force: bool,
    revision: int | None,
    **options: Any,
) -> None:
    """Write a document to FILE, as it is after its last change. Safe beside a running server."""
    if file.exists() and not force:
        raise ConfigurationError(f"write {file}", "it is there already", "Add --force to replace")
    with open_store(context, options, create=False) as store, open_engine(store) as engine:
        record = find_document(store, document)
        live = engine.open(record.docid)
        shown = live if revision is None else engine.revision(record.docid, revision)
        seq, content, buffers = shown.content()
        data = write_archive(record.title, seq, content, buffers)
    _write_file(file, data)
    click.echo(f"Exported {record.title!r} at change {seq} to {file}: {readable_size(len(data))}.")


def _write_file(path: Path, data: bytes) -> None:
    """Write all of it or nothing: a file cut off by a full disk never takes the name."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with (
            draft.open("wb") as file,
            click.progressbar(length=len(data), label=f"Writing {path.name}") as bar,
        ):
            for start in range(0, len(data), PIECE_BYTES):
                bar.update(file.write(data[start : start + PIECE_BYTES]))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        why = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"write {path}", why, "Choose another place") from None


@docs.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--title", default=None, help="Title of the new document  [default: its own]")
@store_options
@click.pass_context
def import_command(
    context: click.Context, /, file: Path, title: str | None, **options: Any
) -> None:
    """Make a new document of FILE, which docs export wrote.

    Safe beside a running server, whose index page shows it after a reload.
    """
    archive = read_archive(_read_file(file), str(file))
    with open_store(context, options, create=True) as store, open_engine(store) as engine:
        event = by_command("create", detail="imported")
        made = archive.title if title is None else title
        record = engine.create(SINGLE_USER, made, event=event)
        try:
            live = engine.open(record.docid)
            live.replace(archive.doc, archive.buffers, actor=SINGLE_USER)
        except BokehServerError:
            engine.delete(record.docid, event_on("delete", record))
            raise
    click.echo(f"Imported {record.title!r} as {record.docid}.")


def _read_file(path: Path) -> bytes:
    pieces = []
    try:
        with (
            path.open("rb") as file,
            click.progressbar(length=path.stat().st_size, label=f"Reading {path.name}") as bar,
        ):
            while piece := file.read(PIECE_BYTES):
                pieces.append(piece)
                bar.update(len(piece))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"read {path}", why, "Check the path") from None
    return b"".join(pieces)
