"""What changed in a local document and has not been sent yet, in its shortest form.

Attributes are only noted: their value is read when it is sent, so the last one wins.
New points and patches of a data source are kept as they are,
until they would be longer than the columns themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from bokeh.document.events import MessageSentEvent
from bokeh.model import Model

__all__ = ["ColumnChanges", "Pending", "RootChange", "Stream", "refers"]

#: most custom messages that wait for a server.
MOST_MESSAGES = 1000

Columns = dict[str, list[Any]]


@dataclass
class Stream:
    """New points for the ends of all columns.

    :ivar columns: column -> pieces in order of arrival, each a list or an array.
    :ivar rows: how many points there are in one column.
    """

    columns: Columns
    rollover: int | None
    rows: int

    @classmethod
    def of(cls, data: Mapping[str, Any], rollover: int | None) -> Stream:
        """Copy what :meth:`ColumnDataSource.stream` was given: its caller may change it."""
        columns = {name: [_copy(values)] for name, values in data.items()}
        rows = max((len(pieces[0]) for pieces in columns.values()), default=0)
        return cls(columns, rollover, rows)

    def add(self, other: Stream) -> bool:
        """Take up a later stream, when the two do the same as one."""
        if self.rollover != other.rollover or self.columns.keys() != other.columns.keys():
            return False
        pairs = [(mine, other.columns[name][0]) for name, mine in self.columns.items()]
        if not all(_same_kind(mine[-1], more) for mine, more in pairs):
            return False
        for mine, more in pairs:
            _append(mine, more)
        self.rows += other.rows
        return True

    def data(self) -> dict[str, Any]:
        """Column -> all its new points."""
        return {name: _join(pieces) for name, pieces in self.columns.items()}


def _copy(values: Any) -> Any:
    if isinstance(values, list | tuple):
        return list(values)
    if hasattr(values, "copy"):
        return values.copy()
    return np.array(values)


def _same_kind(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return bool(one.dtype == other.dtype) and one.shape[1:] == other.shape[1:]
    return isinstance(one, list) and isinstance(other, list)


def _append(pieces: list[Any], more: Any) -> None:
    if isinstance(more, list):
        pieces[-1].extend(more)
    else:
        pieces.append(more)


def _join(pieces: list[Any]) -> Any:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


Operation = Stream | dict[str, Any]


@dataclass
class ColumnChanges:
    """What changed in the columns of one data source.

    :ivar whole: all columns were replaced.
    :ivar columns: these columns were replaced.
    :ivar operations: streams, and patches (column -> list of ``(index, value)``), in order.
    """

    model: Model
    whole: bool = False
    columns: dict[str, None] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    _size: int = 0

    def replace(self, columns: Iterable[str] | None) -> None:
        """Note that columns have new values; ``None`` for all columns."""
        names = list(columns) if columns is not None else None
        if names is None or any(isinstance(each, Stream) for each in self.operations):
            self.collapse()
        elif not self.whole:
            self._patched_to_columns()
            self.columns.update(dict.fromkeys(names))

    def stream(self, data: Mapping[str, Any], rollover: int | None) -> None:
        """Note new points."""
        if self.whole or self.columns:
            self.collapse()
            return
        new = Stream.of(data, rollover)
        last = self.operations[-1] if self.operations else None
        if not (isinstance(last, Stream) and last.add(new)):
            self.operations.append(new)
        self._grow(new.rows * len(new.columns))

    def patch(self, patches: Mapping[str, Any]) -> None:
        """Note changed points."""
        if self.whole or self.columns:
            self.replace(patches)
            return
        copied = {
            name: [(index, _copy_if_many(value)) for index, value in changes]
            for name, changes in patches.items()
        }
        self.operations.append(copied)
        self._grow(sum(map(_points, copied.values())))

    def collapse(self) -> None:
        """Send all columns as they will be."""
        self.whole = True
        self.columns.clear()
        self.operations.clear()

    def _patched_to_columns(self) -> None:
        for patches in self.operations:
            assert isinstance(patches, dict)
            self.columns.update(dict.fromkeys(patches))
        self.operations.clear()

    def _grow(self, points: int) -> None:
        self._size += points
        data: Mapping[str, Any] = getattr(self.model, "data", {})
        if self._size > sum(len(values) for values in data.values()):
            self.collapse()


def _copy_if_many(value: Any) -> Any:
    return value if np.ndim(value) == 0 else _copy(value)


def _points(changes: list[Any]) -> int:
    return sum(1 if np.ndim(value) == 0 else np.size(value) for _, value in changes)


def refers(model: Model, attribute: str) -> bool:
    """Whether the attribute can hold other models."""
    return model.lookup(attribute).has_ref


@dataclass(frozen=True)
class RootChange:
    """A root that came or went."""

    kind: Literal["RootAdded", "RootRemoved"]
    model: Model


@dataclass
class Pending:
    """Everything that waits for the next store.

    :ivar attributes: ``(model id, attribute)`` -> the model, in order of the first change.
    :ivar sources: model id -> what changed in its columns.
    :ivar stale: models that left the document; when one comes back it is sent anew.
    """

    attributes: dict[tuple[str, str], Model] = field(default_factory=dict)
    sources: dict[str, ColumnChanges] = field(default_factory=dict)
    roots: list[RootChange] = field(default_factory=list)
    messages: list[MessageSentEvent] = field(default_factory=list)
    stale: dict[str, Model] = field(default_factory=dict)
    title: bool = False

    def __bool__(self) -> bool:
        return bool(
            self.attributes or self.sources or self.roots or self.messages or self.title
        )  # a model that left is told by what made it leave

    @property
    def structural(self) -> bool:
        """Whether it changes which models there are."""
        if self.roots or self.stale:
            return True
        return any(refers(model, name) for (_, name), model in self.attributes.items())

    def source(self, model: Model) -> ColumnChanges:
        """The column changes of a model, empty at first."""
        return self.sources.setdefault(model.id, ColumnChanges(model))

    def root(self, kind: Literal["RootAdded", "RootRemoved"], model: Model) -> None:
        """Note a root that came or went; one that came and went again never was."""
        added = RootChange("RootAdded", model)
        if kind == "RootRemoved" and added in self.roots:
            self.roots.remove(added)
        else:
            self.roots.append(RootChange(kind, model))

    def message(self, event: MessageSentEvent) -> None:
        """Note a message to the viewers; of very many the newest are kept."""
        self.messages.append(event)
        del self.messages[:-MOST_MESSAGES]

    def forget(self, model_id: str) -> None:
        """Drop what is known of a model that will be sent in full or not at all."""
        self.sources.pop(model_id, None)
        for key in [key for key in self.attributes if key[0] == model_id]:
            del self.attributes[key]

    def touches(self, model_id: str, attribute: str) -> bool:
        """Whether this attribute has a local value that is not stored."""
        return (model_id, attribute) in self.attributes or (
            attribute == "data" and model_id in self.sources
        )

    def give_back(self, other: Pending) -> None:
        """Take back what was not sent; ``other`` is older than what is here."""
        self.attributes = other.attributes | self.attributes
        for model_id, changes in other.sources.items():
            if model_id in self.sources:
                self.sources[model_id].collapse()
            else:
                self.sources[model_id] = changes
        self.roots = [*other.roots, *self.roots]
        self.messages = [*other.messages, *self.messages][-MOST_MESSAGES:]
        self.stale = other.stale | self.stale
        self.title = other.title or self.title
