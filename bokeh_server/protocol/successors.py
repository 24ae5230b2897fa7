"""Where models stand in a document, and what took the place of those that are gone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bokeh_server.protocol.models import WireModel

__all__ = ["Graph", "Memory", "Place", "climb", "explore"]


@dataclass(frozen=True, slots=True)
class Graph:
    """What can be reached from a document's roots.

    :param order: ids in the order in which they are written.
    :param plots: those of them that are plots, in drawing order.
    :param deepest: no value is written deeper than this many levels of JSON.
    :param aside: ids that only the document's callbacks lead to. Bokeh's documents, in Python
        and in browsers, know such models by no id.
    """

    order: Sequence[str]
    plots: Sequence[str]
    deepest: int
    aside: frozenset[str] = frozenset()


def explore(starts: Iterable[str], models: Mapping[str, WireModel]) -> Graph:
    """Follow references from ``starts``, depth first, in the order in which they are written."""
    seen: dict[str, None] = {}
    deepest = 0
    stack = [(iter(tuple(starts)), 0)]
    while stack:
        ids, depth = stack[-1]
        model = next((models[each] for each in ids if each not in seen and each in models), None)
        if model is None:
            stack.pop()
            continue
        seen[model.id] = None
        depth += model.depth + 2
        deepest = max(deepest, depth)
        stack.append((model.all_refs(), depth))
    return Graph(list(seen), [each for each in seen if models[each].is_plot], deepest)


def climb(start: str, models: Mapping[str, WireModel]) -> list[str]:
    """Give the ids of a model and of all that lead to it, the nearest first."""
    referrers: dict[str, list[str]] = {}
    for model in models.values():
        for each in model.all_refs():
            referrers.setdefault(each, []).append(model.id)
    found = {start: None}
    left = deque([start])
    while left:
        new = [each for each in referrers.get(left.popleft(), ()) if each not in found]
        found |= dict.fromkeys(new)
        left += new
    return list(found)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model stands.

    :param name: what its author called it.
    :param root: its place among the roots, from 0; ``None`` for other models.
    :param plot: its place among the plots, in drawing order, from 0.
    """

    name: str | None
    root: int | None
    plot: int | None

    def choose(self, named: str | None, plots: Sequence[str], roots: Sequence[str]) -> str | None:
        """Give what stands there now: what is called so, else what is at the same place."""
        return named or _at(plots, self.plot) or _at(roots, self.root)


class Memory:
    """What a document remembers of models that are gone; the oldest are forgotten.

    :ivar dropped: ids that were in the document.
    :ivar retired: where plots, roots and models with names stood.
    """

    def __init__(self, *, most_dropped: int = 10_000, most_retired: int = 1_000) -> None:
        self.dropped: dict[str, None] = {}
        self.retired: dict[str, Place] = {}
        self._most_dropped = most_dropped
        self._most_retired = most_retired

    def copy(self) -> Memory:
        """Give another that remembers the same."""
        memory = Memory(most_dropped=self._most_dropped, most_retired=self._most_retired)
        memory.dropped, memory.retired = dict(self.dropped), dict(self.retired)
        return memory

    def drop(self, model_id: str, place: Place) -> None:
        """Note that a model is gone."""
        self.dropped.pop(model_id, None)
        self.dropped[model_id] = None
        _forget(self.dropped, self._most_dropped)
        if place != Place(None, None, None):
            self.retired.pop(model_id, None)
            self.retired[model_id] = place
            _forget(self.retired, self._most_retired)

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        retired = {key: [p.name, p.root, p.plot] for key, p in self.retired.items()}
        return {"dropped": list(self.dropped), "retired": retired}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Memory:
        """Read what :meth:`to_json` gave."""
        memory = cls()
        memory.dropped = dict.fromkeys(value.get("dropped", ()))
        memory.retired = {key: Place(*place) for key, place in value.get("retired", {}).items()}
        return memory


def _forget(remembered: dict[str, Any], most: int) -> None:
    while len(remembered) > most:
        del remembered[next(iter(remembered))]


def _at(ids: Sequence[str], index: int | None) -> str | None:
    return ids[index] if index is not None and index < len(ids) else None
