"""Which change last touched what: for followers that lag, and for edits that cross."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TypeAlias, TypeVar

__all__ = ["History", "Key"]

#: (model id, attribute); ("", "roots") and ("", "title") for the document itself.
Key: TypeAlias = tuple[str, str]

#: how many keys, idempotency keys and writers are remembered at most.
MOST = 10_000

K = TypeVar("K")
V = TypeVar("V")


class History:
    """What a document in memory remembers of its changes.

    :param since: it knows everything after this change, and nothing before.
    """

    def __init__(self, since: int) -> None:
        self.since = since
        self._touched: dict[Key, int] = {}
        self._answers: dict[str, int] = {}
        self._writers: dict[Key, tuple[str | None, float]] = {}

    def note(self, seq: int, keys: Iterable[Key], *, followable: bool, key: str | None) -> None:
        """Remember change ``seq``.

        :param keys: what it touched.
        :param followable: whether newest values of attributes are all that a follower needs.
        :param key: its idempotency key.
        """
        if key is not None:
            self._answers[key] = seq
            _trim(self._answers)
        if not followable or len(self._touched) > MOST:
            self.since = seq
            self._touched.clear()
            return
        for touched in keys:
            self._touched[touched] = seq

    def answer(self, key: str | None) -> int | None:
        """The number of the change that was stored under an idempotency key, while remembered."""
        return None if key is None else self._answers.get(key)

    def touched(self, after: int) -> list[Key] | None:
        """What changed after ``after``; ``None`` when that is not enough or not known."""
        if after < self.since:
            return None
        return [key for key, seq in self._touched.items() if seq > after]

    def crosses(self, keys: Iterable[Key], origin: str | None, seconds: float) -> bool:
        """Whether somebody else touched any of ``keys`` a moment ago; notes ``origin`` as last."""
        now = time.monotonic()
        crossed = False
        for key in keys:
            before = self._writers.pop(key, None)
            self._writers[key] = (origin, now)
            crossed |= before is not None and before[0] != origin and now - before[1] < seconds
        _trim(self._writers)
        return crossed


def _trim(mapping: dict[K, V]) -> None:
    while len(mapping) > MOST:
        del mapping[next(iter(mapping))]
