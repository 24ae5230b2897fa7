"""What every request asks about a document before it does anything: whose it is, and its title."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bokeh_server.errors import ServerFault

if TYPE_CHECKING:
    from bokeh_server.storage import DocumentRecord

__all__ = ["Identities", "Identity"]

#: how long an answer may be used while another process may have changed it, in seconds.
LIFETIME_SECONDS = 1.0
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Identity:
    """What permissions and pages need to know of a document, and what seldom changes."""

    docid: str
    title: str
    owner: str
    published: bool


class Identities:
    """Remembers identities for a moment, so that not every request asks the database.

    What this process changes is forgotten at once; an answer that was on its way meanwhile
    is not kept.

    :param read: asks the database.
    """

    def __init__(self, read: Callable[[str], DocumentRecord | None]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Identity, float]] = {}
        self._forgotten = 0

    def get(self, docid: str) -> Identity | None:
        """The identity of a document; ``None``: there is no such document.

        It is at most a second old, or, while the database is lost, the last that was known.
        """
        known = self._known.get(docid)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        forgotten = self._forgotten
        try:
            record = self._read(docid)
        except ServerFault:
            if known is None:
                raise
            return known[0]
        if record is None:
            return None
        identity = Identity(docid, record.title, record.owner, record.published)
        self._keep(identity, forgotten)
        return identity

    def _keep(self, identity: Identity, forgotten: int) -> None:
        with self._lock:
            if forgotten != self._forgotten:
                return
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[identity.docid] = (identity, time.monotonic() + LIFETIME_SECONDS)

    def forget(self, docid: str) -> None:
        """Ask the database again: it was renamed, published or deleted."""
        with self._lock:
            self._forgotten += 1
            self._known.pop(docid, None)
