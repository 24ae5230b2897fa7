"""What the stores take and give: plain values, never live rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "ChangeRecord",
    "Clash",
    "DocumentRecord",
    "Gone",
    "NewChange",
    "Outcome",
    "Repeated",
    "Snapshot",
    "Stored",
    "Taken",
]


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """What is known of a document without opening it.

    :param owner: the owner's name.
    :param seq: the number of the last change, 0 for a document that never had one.
    :param plots: how many plots it shows.
    :param sites: the origins whose pages may embed it, with spaces between; ``None``: every one.
    """

    docid: str
    title: str
    owner: str
    seq: int
    published: bool
    created: datetime
    changed: datetime
    plots: int
    sites: str | None = None


@dataclass(frozen=True, slots=True)
class NewChange:
    """A change that wants to be stored.

    :param seq: the number it was applied as: one more than what it was applied to.
    :param body: the packed patch.
    :param key: idempotency key; a second change of this key is not stored.
    :param title: the document's new title, when this change renames it.
    :param plots: the new number of plots, when this change may have changed it.
    :param created: when the document was made to which it was applied; one that was made later
        under the same id is another, for which it is not meant.
    """

    docid: str
    seq: int
    actor: str
    body: bytes
    key: str | None = None
    title: str | None = None
    plots: int | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change as it was stored."""

    docid: str
    seq: int
    actor: str
    at: datetime
    body: bytes
    key: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document as it was after change ``seq``.

    :param parts: digest by key.
    :param blobs: bytes by digest.
    """

    docid: str
    seq: int
    parts: dict[bytes, bytes]
    blobs: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Stored:
    """The change is committed under ``seq``."""

    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Repeated:
    """A change of the same key was committed before, under ``seq``; this one was not stored."""

    seq: int


@dataclass(frozen=True, slots=True)
class Clash:
    """The document's last change was not the one before this; nothing of it was stored.

    :param head: the number of the last change in the database.
    """

    head: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The document was deleted."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The owner has another document of this title."""

    title: str


Outcome = Stored | Repeated | Clash | Gone | Taken
