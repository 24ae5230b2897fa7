"""How much everybody may store, and whether there is room for more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from bokeh_server.errors import QuotaReached
from bokeh_server.readable import readable_size
from bokeh_server.remembered import Remembered
from bokeh_server.storage import Usage

__all__ = ["Quotas"]


@dataclass(slots=True)
class _Taken:
    """What was stored when it was looked up, and what this process added since."""

    usage: Usage
    added: int = 0


class Quotas:
    """The limits of one server.

    What is stored is looked up once a second for who stores; what this process adds meanwhile
    is added. So another process may add at most what it takes within a second.

    :param read: looks up what somebody's documents take.
    :param most_documents: that a user may have, unless something else was set for them; 0: any.
    :param most_bytes: the same of bytes.
    """

    def __init__(
        self, read: Callable[[str], Usage | None], most_documents: int = 0, most_bytes: int = 0
    ) -> None:
        self.most_documents, self.most_bytes = most_documents, most_bytes
        self._lock = threading.Lock()
        self._taken: Remembered[str, _Taken] = Remembered(lambda name: _taken(read(name)))

    def documents_of(self, owner: str) -> int:
        """How many documents somebody may have; 0: any number."""
        taken = self._taken.get(owner)
        return self.limits(taken.usage if taken else None)[0]

    def admit(self, owner: str, size: int) -> None:
        """Make sure that there is room for something, and count it.

        :param size: bytes.
        :raises QuotaReached: there is none.
        """
        taken = self._taken.get(owner)
        if taken is None:
            return
        most = self.limits(taken.usage)[1]
        if not most:
            return
        with self._lock:
            used = taken.usage.bytes + taken.added
            if used + size <= most:
                taken.added += size
                return
        raise QuotaReached(
            "store a change",
            f"the documents of {owner} take {readable_size(used)} of {readable_size(most)}",
            "Delete some, or ask whoever looks after this server for more room",
        )

    def forget(self, owner: str) -> None:
        """Look again: documents were deleted, or limits changed."""
        self._taken.forget(owner)

    def limits(self, usage: Usage | None) -> tuple[int, int]:
        """How many documents somebody may have, and of how many bytes; 0: no limit."""
        documents, size = self.most_documents, self.most_bytes
        if usage is not None and usage.most_documents is not None:
            documents = usage.most_documents
        if usage is not None and usage.most_bytes is not None:
            size = usage.most_bytes
        return documents, size


def _taken(usage: Usage | None) -> _Taken | None:
    return None if usage is None else _Taken(usage)
