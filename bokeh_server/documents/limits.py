"""How much the engine takes, keeps and waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Limits"]

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The engine's limits; sizes in bytes, times in seconds unless they say otherwise."""

    #: largest patch, packed; a document that is replaced as a whole may be larger.
    patch_bytes: int = 64 * MEGABYTE
    #: what a channel keeps for followers that are behind.
    ring_entries: int = 1024
    ring_bytes: int = 16 * MEGABYTE
    #: most changes and bytes that are committed in one transaction.
    group_changes: int = 1000
    group_bytes: int = 8 * MEGABYTE
    #: a snapshot is due after so many changes or bytes of them,
    snapshot_changes: int = 1000
    snapshot_bytes: int = 4 * MEGABYTE
    #: or after fewer, so long after the last.
    snapshot_least: int = 100
    snapshot_seconds: float = 2.0
    #: how often what need not be kept of a document is deleted.
    compact_seconds: float = 30.0
    #: how often the next of all stored documents is looked at for that, whether it is used or not.
    tend_seconds: float = 10.0
    #: a document nobody follows or uses for so long leaves memory.
    idle_seconds: float = 60.0
    #: how often to look for idle documents.
    housekeeping_seconds: float = 5.0
    #: how often to ask the database what other processes did to the documents in memory.
    watch_seconds: float = 2.0
    #: how often a change is applied again when other processes were quicker; each time costs as
    #: much as a commit, so this is seconds.
    attempts: int = 500
    #: two edits of an attribute by different senders may have crossed when so shortly apart.
    crossing_seconds: float = 30.0
    #: a sender whose edits crossed is told the newest values when it was quiet for so long.
    quiet_seconds: float = 0.2
    #: the log keeps so many changes, or those of so long, whichever is more.
    keep_changes: int = 10_000
    keep_time: timedelta = timedelta(days=7)
    #: how long what people did is kept; ``None``: for another process to decide.
    keep_events: timedelta | None = None
    #: how often what is older is deleted.
    forget_seconds: float = 600.0
    #: what the revisions that were opened last may take in memory.
    revision_bytes: int = 64 * MEGABYTE
