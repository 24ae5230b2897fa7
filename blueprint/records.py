"""What is known of documents, remembered for a moment so that pages need no database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bokeh_server.documents import Engine
    from bokeh_server.storage import DocumentRecord

__all__ = ["Records"]

#: seconds until what another process did to a document is seen; what this one did is seen at once.
LIFETIME = 1.0
MOST = 10_000


class Records:
    """The records of documents that were asked for lately."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, tuple[float, DocumentRecord]] = {}
        self._happened = 0
        self._unwatch = engine.watch(self._forget)

    def get(self, docid: str) -> DocumentRecord | None:
        """The document of this id; ``None`` where there is none."""
        known = self._known.get(docid)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        return self._look_up(docid)

    def _look_up(self, docid: str) -> DocumentRecord | None:
        happened, until = self._happened, time.monotonic() + LIFETIME
        record = self._engine.get(docid)
        if len(self._known) >= MOST:
            self._known.clear()
        if record is not None and happened == self._happened:
            self._known[docid] = until, record
        return record

    def _forget(self, docid: str, what: str) -> None:
        if what != "viewers":
            self._happened += 1
            self._known.pop(docid, None)

    def close(self) -> None:
        """Stop listening."""
        self._unwatch()
