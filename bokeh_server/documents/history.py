"""What a document remembers of its recent changes: who touched what, and under which key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

__all__ = ["ANYTHING", "ROOTS", "Edit", "History", "Key"]

#: (model id, attribute); ("", "roots") and ("", "title") for the document itself.
Key: TypeAlias = tuple[str, str]

ROOTS: Final[Key] = ("", "roots")
#: stands for every attribute there is.
ANYTHING: Final[Key] = ("", "")

#: how many idempotency keys and attributes are remembered at most.
MOST = 10_000

NEVER: Final = (-1, -1e9)

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Edit:
    """A change, as far as it matters for crossing.

    :param origin: who made it; ``None``: somebody without a name, or another process.
    :param seen: the last of what its sender had when making it; ``None``: it did not say.
    """

    seq: int
    origin: str | None
    keys: frozenset[Key]
    seen: float | None = None


class _Touch:
    """Who touched an attribute last, and who before that was somebody else."""

    __slots__ = ("at", "before_at", "before_seq", "origin", "seq")

    def __init__(self, edit: Edit, now: float, before: _Touch | None) -> None:
        self.origin, self.seq, self.at = edit.origin, edit.seq, now
        self.before_seq, self.before_at = NEVER
        if before is not None:
            other = before.origin != edit.origin or edit.origin is None
            self.before_seq = before.seq if other else before.before_seq
            self.before_at = before.at if other else before.before_at


class History:
    """Idempotency keys, and who last touched an attribute.

    :param seconds: for so long a value may be on its way to a sender who does not say what
        it had seen.
    :param clock: gives seconds.
    """

    def __init__(self, seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._answers: dict[str, int] = {}
        self._touches: dict[Key, _Touch] = {}
        self._forgotten = -1
        self._told: dict[tuple[str, Key], tuple[float, float]] = {}
        self._tellings = (0, 0)

    def note(self, seq: int, key: str | None) -> None:
        """Remember that change ``seq`` has an idempotency key."""
        if key is not None:
            self._answers[key] = seq
            _trim(self._answers)

    def answer(self, key: str) -> int | None:
        """The number of the change that was stored under a key, while remembered."""
        return self._answers.get(key)

    def touch(self, edit: Edit) -> set[Key]:
        """Note a change.

        :returns: those of its keys for which its sender may be left with an older value: somebody
            else touched them, or their sender was told a value, and the sender had not seen that.
        """
        now = self._clock()
        crossed = {key for key in (*edit.keys, ANYTHING) if self._note_touch(key, edit, now)}
        if len(self._touches) > MOST:
            self._forget_oldest()
        return crossed

    def told(self, origin: str, keys: Iterable[Key], number: float) -> None:
        """Note that a sender is told values, which may cross what it does next.

        :param keys: what it is told; ``[ANYTHING]`` when that is not known.
        :param number: what it has seen when it has got them.
        """
        now = self._clock()
        for key in keys:
            self._told[origin, key] = (number, now)
        _trim(self._told)

    def number(self, seq: int) -> float:
        """Give a number after change ``seq``, before the next, and after those given before."""
        last, count = self._tellings
        self._tellings = (seq, min(count + 1, 999) if seq == last else 1)
        return seq + self._tellings[1] / 1000

    def told_since(self, origin: str, seq: int) -> set[Key]:
        """The attributes that a sender was told values of as of ``seq`` or later."""
        told = [(key, at) for (name, key), (at, _) in self._told.items() if name == origin]
        return {key for key, at in told if at >= seq and key != ANYTHING}

    def _note_touch(self, key: Key, edit: Edit, now: float) -> bool:
        before = self._touches.pop(key, None)
        touch = self._touches[key] = _Touch(edit, now, before)
        told_seq, told_at = self._last_told(edit.origin, key)
        if edit.seen is not None:
            unknown = before is None and edit.seen < self._forgotten
            return unknown or edit.seen < max(touch.before_seq, told_seq)
        return now - max(touch.before_at, told_at) < self._seconds

    def _last_told(self, origin: str | None, key: Key) -> tuple[float, float]:
        if origin is None or not self._told:
            return NEVER
        told, all_told = (self._told.get((origin, each), NEVER) for each in (key, ANYTHING))
        return max(told, all_told)

    def _forget_oldest(self) -> None:
        while len(self._touches) > MOST:
            touch = self._touches.pop(next(iter(self._touches)))
            self._forgotten = max(self._forgotten, touch.seq)


def _trim(mapping: dict[K, V]) -> None:
    while len(mapping) > MOST:
        del mapping[next(iter(mapping))]
