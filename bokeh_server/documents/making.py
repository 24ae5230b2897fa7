"""What goes with a change from its making to its commit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bokeh_server.blocking import run_blocking, run_sized
from bokeh_server.channels import Entry
from bokeh_server.documents.answers import Answer, Missing
from bokeh_server.documents.committer import UNWRITTEN, Pending
from bokeh_server.documents.feed import change_entry, message_entry, pull_entry, value_entry
from bokeh_server.documents.history import ANYTHING, ROOTS, Edit, Key
from bokeh_server.documents.memory import Undo
from bokeh_server.errors import ServerFault, TitleTaken, TooLarge
from bokeh_server.protocol import Applied, Patch, WireDocument
from bokeh_server.storage import Clash, Repeated, Taken

__all__ = [
    "Cargo",
    "Source",
    "Unchanged",
    "answer_of",
    "entries_of",
    "keys_of",
    "mistaken",
    "newest_entry",
    "only_messages",
    "title_taken",
    "too_large",
    "way_back",
]


@dataclass(frozen=True, slots=True)
class Source:
    """Who makes a change.

    :param origin: the connection or script that does not get it back.
    :param key: idempotency key.
    :param seen: the last change that its sender had, where that says so.
    :param whole: it is a whole document, which may be of any size: whoever accepts one over the
        network bounds it there, and what was exported can be imported.
    :param restores: the revision that it brings back, for the log.
    :param request: fingerprint of the request, to know another one of the same key.
    :param missing: tells what its sender has to hear is gone.
    :param transient: it is nothing but messages, which are relayed and never stored.
    """

    actor: str
    origin: str | None
    key: str | None
    browser: bool = False
    seen: float | None = None
    whole: bool = False
    restores: int | None = None
    request: str | None = None
    missing: Missing = lambda _wire: ()
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Cargo:
    """What a change needs when it is committed, or is not.

    :param undo: takes it out of memory again; ``None`` where that takes loading it.
    :param wrong: what its sender has made something else of than the document has.
    """

    answer: Answer
    undo: Undo | None
    entries: list[Entry]
    edit: Edit
    rows: bool
    resync: bool
    wrong: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What a patch that changes nothing leaves to do.

    :param messages: relayed to followers.
    :param gone: what its sender hears.
    """

    messages: list[dict[str, Any]]
    gone: tuple[str, ...]


def mistaken(applied: Applied, source: Source) -> frozenset[Key]:
    """Give the data of which a browser has made something else; see ``Applied.corrected``."""
    if applied.corrected is None or not source.browser:
        return frozenset()
    return frozenset(key for key in applied.keys if key[1] == "data")


def entries_of(applied: Applied, source: Source, seq: int) -> list[Entry]:
    """What followers get of a change."""
    entries = [run_sized(applied.size, change_entry, seq, applied, source.origin)]
    if applied.messages:
        entries.append(message_entry(seq, applied.messages, source.origin, source.browser))
    return entries


def answer_of(pending: object) -> Answer | None:
    """What to answer when a change that waited is stored."""
    cargo = pending.cargo if isinstance(pending, Pending) else None
    return cargo.answer if isinstance(cargo, Cargo) else None


def way_back(pending: Pending, seq: int) -> tuple[Undo | None, int]:
    """What to do about a change that is not stored.

    :param seq: the last change that is known to be.
    :returns: how to take it out of memory, ``None`` where all has to be loaded again; and the last
        change that the log is now known to have.
    """
    cargo, why, head = pending.cargo, pending.outcome or pending.failure, seq
    if isinstance(why, Repeated):
        head = why.seq
    elif isinstance(why, Clash) and why.head != UNWRITTEN:
        head = why.head
    sound = isinstance(why, Clash | Repeated | Taken | ServerFault) and head >= seq
    return (cargo.undo if sound and isinstance(cargo, Cargo) else None), head


def newest_entry(
    wire: WireDocument, keys: Iterable[Key], seq: int, number: float, only: str
) -> Entry:
    """The entry that tells one follower the newest values of some attributes.

    No values say in which order roots are, and what a model is that the follower may have
    dropped: there it pulls again.

    :param number: what it has seen after it.
    """
    if any(_is_structural(wire, key) for key in keys):
        return pull_entry(seq, only)
    return value_entry(seq, number, run_blocking(wire.newest, keys), only)


def _is_structural(wire: WireDocument, key: Key) -> bool:
    """Whether an attribute holds models, or is the list of roots, or all there is."""
    model = wire.models.get(key[0])
    return key in (ROOTS, ANYTHING) or (model is not None and bool(model.refs(key[1])))


def keys_of(patch: Patch) -> set[Key]:
    """What a patch that was refused is about, as far as that can be told."""
    found: set[Key] = set()
    for event in patch.events:
        model, attr = event.get("model"), event.get("attr")
        model_id = model.get("id") if isinstance(model, dict) else None
        if event["kind"] in ("RootAdded", "RootRemoved"):
            found.add(ROOTS)
        elif event["kind"] == "TitleChanged":
            found.add(("", "title"))
        elif isinstance(model_id, str) and isinstance(attr, str):
            found.add((model_id, attr))
    return found


def only_messages(patch: Patch) -> bool:
    """Whether a patch holds messages, and nothing else."""
    kinds = {event.get("kind") for event in patch.events}
    return kinds == {"MessageSent"}


def title_taken(title: str) -> TitleTaken:
    """The error for a title that is another document's."""
    return TitleTaken(
        f"rename the document to {title!r}",
        "its owner has another document of this title",
        "Choose another title, or delete that document",
    )


def too_large(docid: str, size: int, most: int) -> TooLarge:
    """The error for a patch over the limit."""
    return TooLarge(
        f"change document {docid}", f"the patch has {size:,} bytes", f"Send at most {most:,}"
    )
