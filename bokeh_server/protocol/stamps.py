"""Which change set what: so that a viewer who fell behind gets newest values only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Stamps"]


class Stamps:
    """The ``seq`` of the last change to every attribute that changed since loading."""

    def __init__(self) -> None:
        self._attributes: dict[str, dict[str, int]] = {}
        self._born: dict[str, int] = {}
        self._base: int | None = None
        self._structure = 0

    def note(self, seq: int, keys: Iterable[tuple[str, str]], born: Iterable[str]) -> None:
        """Note what change ``seq`` set, and which models came with it."""
        if self._base is None:
            self._base = seq - 1
        for model_id, attr in keys:
            self._attributes.setdefault(model_id, {})[attr] = seq
        self._born.update(dict.fromkeys(born, seq))

    def note_structure(self, seq: int) -> None:
        """Note that whoever was before ``seq`` has to pull again."""
        self._structure = seq

    def forget(self, ids: Iterable[str]) -> None:
        """Forget models that are gone."""
        for model_id in ids:
            self._attributes.pop(model_id, None)
            self._born.pop(model_id, None)

    def covers(self, seq: int) -> bool:
        """Whether a viewer at ``seq`` can be brought up to date by values."""
        return self._base is not None and max(self._base, self._structure) <= seq

    def changed_since(self, seq: int) -> Iterator[tuple[str, str]]:
        """Give model id and attribute of what a viewer at ``seq`` has old values of."""
        for model_id, attributes in self._attributes.items():
            if self._born.get(model_id, 0) <= seq:
                yield from ((model_id, attr) for attr, at in attributes.items() if at > seq)

    def born_since(self, seq: int, ids: Mapping[str, object]) -> list[str]:
        """Give the models that a viewer at ``seq`` does not know."""
        return [each for each, at in self._born.items() if at > seq and each in ids]
