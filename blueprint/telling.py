"""Remembers how the log reads in plain words: pages that show a history ask again and again.

What a stretch of the log says never changes, but for what its models are called. So stretches are
remembered with those names, and the newest is only added to.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from bokeh_server.blocking import run_blocking

if TYPE_CHECKING:
    from bokeh_server.documents import Group, LiveDocument
    from bokeh_server.storage import ChangeRecord, ChangeStore

__all__ = ["Teller"]

#: changes in a stretch; a smaller one is taken where these have more bytes than are read at once.
STRETCHES = (1000, 100, 10, 1)
MOST_BYTES = 4 * 1024 * 1024
#: so many groups are told at once; fewer where so many changes, or bytes of them, make few groups.
MOST_GROUPS = 40
MOST_CHANGES = 5000
MOST_BYTES_AT_ONCE = 20 * 1024 * 1024
#: things that changes did, and names, that are remembered; each takes some 200 bytes.
MOST_REMEMBERED = 100_000

#: the first change of a stretch, how long it may become, and whether it is too much.
Where: TypeAlias = tuple[int, int, bool]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Changes that follow each other, told.

    :param first: number of the first change.
    :param last: number of the last; of the first that is too much, where they are too much.
    :param size: bytes of the changes.
    :param wanted: ids of the models that they are about.
    :param labels: what those were called; models that are gone are not in it.
    :param groups: ``None``: they have too many bytes to be told at once.
    """

    document: weakref.ref[LiveDocument]
    first: int
    last: int
    size: int
    wanted: frozenset[str]
    labels: Mapping[str, str]
    groups: list[Group] | None

    @property
    def weight(self) -> int:
        """How much memory it takes, in things that are remembered."""
        deeds = sum(1 + len(group.deeds) for group in self.groups or ())
        return 1 + deeds + len(self.wanted)

    def holds(self, document: LiveDocument) -> bool:
        """Whether it would be told in the same words today."""
        return self.document() is document and document.labels(self.wanted) == self.labels


@dataclass(slots=True)
class _Names:
    """Asks what models are called, and notes what was asked and answered."""

    document: LiveDocument
    wanted: frozenset[str] = frozenset()
    labels: dict[str, str] = field(default_factory=dict)

    def __call__(self, ids: set[str]) -> Mapping[str, str]:
        self.wanted = frozenset(ids)
        self.labels = self.document.labels(ids)
        return self.labels


class Teller:
    """Tells what changes did; safe to use from any thread.

    :param most: how much is remembered.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, Where], Stretch] = OrderedDict()
        self._weight = 0

    @property
    def weight(self) -> int:
        """How much is remembered."""
        return self._weight

    def tell(
        self, document: LiveDocument, changes: ChangeStore, first: int, last: int
    ) -> tuple[list[Group], bool]:
        """The last changes between two, in groups, and whether there are earlier ones.

        :param changes: the log.
        :param first: the first change that may be told; it has to be kept.
        :param last: the last; it has to be there.
        """
        from bokeh_server.documents import join

        groups: list[Group] = []
        least, size = last - MOST_CHANGES, 0
        while first <= last > least and size < MOST_BYTES_AT_ONCE and len(groups) <= MOST_GROUPS:
            part = self._newest(document, changes, first, last)
            groups = join(part.groups or [], groups)
            last, size = part.first - 1, size + part.size
        more = first <= last
        # The earliest may go on in what was not read; it is told with that.
        return (groups[1:] if more and len(groups) > 1 else groups), more

    def _newest(
        self, document: LiveDocument, changes: ChangeStore, first: int, last: int
    ) -> Stretch:
        """The last stretch of those between two changes."""
        for length in STRETCHES:
            begin = max(first, last - (last - 1) % length)
            part = self._stretch(document, changes, (begin, last), length)
            if part.groups is not None:
                break
        return part

    def _stretch(
        self, document: LiveDocument, changes: ChangeStore, span: tuple[int, int], length: int
    ) -> Stretch:
        first, last = span
        too_much = self._recall(document, (first, length, True))
        if too_much is not None and too_much.last <= last:
            return too_much
        known = self._recall(document, (first, length, False))
        if known is not None and known.last == last:
            return known
        part = None
        if known is not None and known.last < last:
            part = _together(known, _read(document, changes, known.last + 1, last))
        part = part or _read(document, changes, first, last)
        self._remember(document, (first, length, part.groups is None), part)
        return part

    def _recall(self, document: LiveDocument, where: Where) -> Stretch | None:
        with self._lock:
            known = self._known.get((document.docid, where))
            if known is not None:
                self._known.move_to_end((document.docid, where))
        return known if known is not None and known.holds(document) else None

    def _remember(self, document: LiveDocument, where: Where, part: Stretch) -> None:
        key = document.docid, where
        with self._lock:
            before = self._known.pop(key, None)
            self._weight -= before.weight if before is not None else 0
            self._known[key] = part
            self._weight += part.weight
            while self._weight > self._most:
                _, oldest = self._known.popitem(last=False)
                self._weight -= oldest.weight


def _read(document: LiveDocument, changes: ChangeStore, first: int, last: int) -> Stretch:
    from bokeh_server.documents import describe

    def page() -> tuple[list[ChangeRecord], bool]:
        limit = last - first + 1
        return changes.page(
            document.docid, first - 1, limit=limit, size=MOST_BYTES, before=last + 1
        )

    records, too_many = run_blocking(page)
    names = _Names(document)
    groups = None if too_many else describe(records, names)
    size = sum(len(record.body) for record in records)
    last = records[-1].seq + 1 if too_many else last
    found = dict(names.labels)
    return Stretch(weakref.ref(document), first, last, size, names.wanted, found, groups)


def _together(known: Stretch, later: Stretch) -> Stretch | None:
    """Both as one; ``None``: they have to be told together.

    What is told of models that are gone depends on the changes that are looked at.
    """
    from bokeh_server.documents import join

    if known.groups is None or later.groups is None or known.size + later.size > MOST_BYTES:
        return None
    if later.wanted - later.labels.keys():
        return None
    return Stretch(
        known.document,
        known.first,
        later.last,
        known.size + later.size,
        known.wanted | later.wanted,
        {**known.labels, **later.labels},
        join(known.groups, later.groups),
    )
