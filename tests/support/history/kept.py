"""What was put into a database, whatever it looked like then."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

__all__ = ["DOCUMENTS", "START", "Kept"]

START = datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kept:
    """A document of the slider "s" and the data source "d".

    Change 1 makes them with ``rows`` rows 0, 1, …; every even change appends a row with its own
    number, every odd one sets the slider to its number.

    :param head: the number of its last change.
    :param first: the oldest change that is in the log; 0 for none.
    :param snapshot: the change that its snapshot holds; 0 for none.
    :param keys: idempotency keys of changes in the log.
    """

    docid: str
    title: str
    owner: str = "ada"
    head: int = 6
    first: int = 1
    snapshot: int = 0
    rows: int = 3
    published: bool = False
    keys: dict[int, str] = field(default_factory=dict)

    def column(self, seq: int | None = None) -> npt.NDArray[np.float64]:
        """The column ``x`` after a change, by default the last."""
        last = self.head if seq is None else seq
        return np.append(np.arange(float(self.rows)), np.arange(2.0, last + 1, 2.0))

    def value(self, seq: int | None = None) -> int:
        """The slider's value after a change, by default the last."""
        last = self.head if seq is None else seq
        return max([1, *range(3, last + 1, 2)])

    def actor(self, seq: int) -> str:
        """Who made a change."""
        return ("ada", "grace ☃")[seq % 2]

    def at(self, seq: int) -> datetime:
        """When a change was made."""
        return START + timedelta(seconds=seq)

    @property
    def log(self) -> range:
        """The numbers of the changes that are in the log."""
        return range(self.first, self.head + 1) if self.first else range(0)


DOCUMENTS = [
    Kept("empty", "nothing yet", head=0, first=0),
    Kept("changes", "changes only"),
    Kept("snapshot", "a snapshot only", first=0, snapshot=6),
    Kept("both", "both", snapshot=4, published=True),
    Kept("compacted", "both", owner="böb ☃", first=4, snapshot=5, head=9),
    Kept("keys", "Ünïcode 数据 👩‍🔬 'quoted' \"%s\" --", keys={2: "k-2", 5: "ключ"}),
    Kept("large", "large bodies", rows=400_000, snapshot=3),
    Kept("x" * 64, "t" * 255, keys={1: "k" * 255}, snapshot=6),
]
