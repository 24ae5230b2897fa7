"""What a document remembers of its recent changes: who touched what, and under which key."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TypeAlias, TypeVar

__all__ = ["History", "Key"]

#: (model id, attribute); ("", "roots") and ("", "title") for the document itself.
Key: TypeAlias = tuple[str, str]

#: how many idempotency keys and attributes are remembered at most.
MOST = 10_000
#: a value that was sent to a viewer may be on its way for so long.
ON_ITS_WAY_SECONDS = 5.0

K = TypeVar("K")
V = TypeVar("V")


class History:
    """Idempotency keys, and who last touched an attribute."""

    def __init__(self) -> None:
        self._answers: dict[str, int] = {}
        self._writers: dict[Key, tuple[str | None, float]] = {}
        self._told: dict[Key, float] = {}

    def note(self, seq: int, key: str | None) -> None:
        """Remember that change ``seq`` has an idempotency key."""
        if key is not None:
            self._answers[key] = seq
            _trim(self._answers)

    def answer(self, key: str) -> int | None:
        """The number of the change that was stored under a key, while remembered."""
        return self._answers.get(key)

    def crosses(self, keys: Iterable[Key], origin: str | None, seconds: float) -> bool:
        """Whether somebody else touched any of ``keys`` a moment ago; notes ``origin`` as last."""
        now = time.monotonic()
        crossed = False
        for key in keys:
            before = self._writers.pop(key, None)
            self._writers[key] = (origin, now)
            crossed |= before is not None and before[0] != origin and now - before[1] < seconds
            crossed |= now - self._told.pop(key, -ON_ITS_WAY_SECONDS) < ON_ITS_WAY_SECONDS
        _trim(self._writers)
        return crossed

    def told(self, keys: Iterable[Key]) -> None:
        """Note that a sender was told the newest values: what it sends meanwhile crosses them."""
        self._told.update(dict.fromkeys(keys, time.monotonic()))
        _trim(self._told)


def _trim(mapping: dict[K, V]) -> None:
    while len(mapping) > MOST:
        del mapping[next(iter(mapping))]
