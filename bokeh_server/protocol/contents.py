"""What a document is made of, and how one change to it is made and taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bokeh_server.protocol.arrays import InvalidValue
from bokeh_server.protocol.columns import Columns, column_lengths, entries
from bokeh_server.protocol.growing import Undo
from bokeh_server.protocol.models import Ref, WireModel
from bokeh_server.protocol.patches import invalid_patch
from bokeh_server.protocol.successors import Graph, explore

__all__ = ["MAX_NESTING", "Changes", "Contents", "is_data_source"]

#: most levels of JSON of a whole document; Python's readers do not get through more.
MAX_NESTING = 500


def is_data_source(model: WireModel) -> bool:
    """Whether the columns of its data have to be of one length."""
    return model.name.endswith("ColumnDataSource")


@dataclass
class Changes:
    """What a patch has done so far.

    :ivar structural: whether references or roots changed.
    :ivar sources: ids of data sources whose data was set.
    :ivar graph: what can be reached after it, where that changed.
    :ivar at: the number of the event that is being applied.
    :ivar whole: the data of a source after an event of which BokehJS would make something else,
        by the event's number.
    """

    undo: Undo = field(default_factory=list)
    structural: bool = False
    sources: dict[str, None] = field(default_factory=dict)
    graph: Graph | None = None
    at: int = 0
    whole: dict[int, Any] = field(default_factory=dict)

    def note_source(self, model_id: str, attr: str) -> None:
        """Note that an attribute was set, which may be the data of a source."""
        if attr == "data":
            self.sources[model_id] = None

    def keep_whole(self, columns: Columns) -> None:
        """Note that browsers get all the data of a source instead of the event."""
        self.whole[self.at] = columns.frozen(self.undo)

    def roll_back(self) -> None:
        """Put everything back."""
        while self.undo:
            self.undo.pop()()


@dataclass
class Contents:
    """A document.

    :ivar config: the model of Bokeh's ``DocumentConfig``.
    :ivar callbacks: a kept value, or ``None``.
    :ivar callback_refs: ids that ``callbacks`` refers to.
    :ivar defs: definitions of data models, as they came, or ``None``.
    """

    version: str
    title: str
    config: Ref
    roots: list[str] = field(default_factory=list)
    models: dict[str, WireModel] = field(default_factory=dict)
    callbacks: Any = None
    callback_refs: tuple[str, ...] = ()
    defs: Any = None

    def explore(self) -> Graph:
        """Find what can be reached.

        :raises InvalidPatch: it is nested too deep to be read again.
        """
        starts = (self.config.id, *self.roots)
        graph = explore((*starts, *self.callback_refs), self.models)
        if self.callback_refs:
            within = len(explore(starts, self.models).order)
            graph = replace(graph, aside=frozenset(graph.order[within:]))
        if graph.deepest > MAX_NESTING:
            why = f"the document would be nested more than {MAX_NESTING} levels deep"
            raise invalid_patch(why, "Let fewer models refer to each other in a chain")
        return graph

    def add_models(self, new: Mapping[str, WireModel], changes: Changes) -> None:
        """Add models, or put them in the place of others of their ids."""
        if new:
            changes.structural = True
            old = {each: self.models[each] for each in new if each in self.models}
            changes.undo.append(lambda: self._remove_models(new, old))
            self.models.update(new)
            changes.sources.update(dict.fromkeys(new))

    def _remove_models(self, ids: Iterable[str], old: Mapping[str, WireModel]) -> None:
        for model_id in ids:
            if model_id in old:
                self.models[model_id] = old[model_id]
            else:
                del self.models[model_id]

    def set_title(self, title: str, changes: Changes) -> None:
        """Set the title."""
        old = self.title
        changes.undo.append(lambda: setattr(self, "title", old))
        self.title = title

    def set_roots(self, roots: list[str], changes: Changes) -> None:
        """Set the roots."""
        old = self.roots
        changes.undo.append(lambda: setattr(self, "roots", old))
        changes.structural = True
        self.roots = roots

    def set_attribute(
        self,
        model: WireModel,
        attr: str,
        value: Any,
        refs: tuple[str, ...],
        depth: int,
        changes: Changes,
    ) -> None:
        """Set an attribute to a kept value that refers to ``refs``."""
        old_refs, old_depth = model.refs(attr), model.depth
        if attr in model.attributes:
            old = model.attributes[attr]
            changes.undo.append(lambda: model.put_back(attr, old, old_refs, old_depth))
        else:
            changes.undo.append(lambda: model.unset(attr, old_depth))
        changes.structural |= old_refs != refs
        model.set(attr, value, refs, depth)

    def merge_columns(
        self,
        model: WireModel,
        attr: str,
        value: Any,
        refs: tuple[str, ...],
        depth: int,
        changes: Changes,
    ) -> None:
        """Replace some columns and keep the others.

        :raises InvalidValue: ``value`` is not a map of columns.
        """
        new = dict(entries(value))
        old = model.attributes.get(attr, {"type": "map"})
        if isinstance(old, Columns):
            old.replace(new.items(), changes.undo)
            self.touch(model, attr, refs, changes)
            return
        merged = {**dict(entries(old)), **new}
        pairs = [[name, column] for name, column in merged.items()]
        kept = {"type": "map", "entries": pairs} if pairs else {"type": "map"}
        all_refs = tuple(dict.fromkeys((*model.refs(attr), *refs)))
        self.set_attribute(model, attr, kept, all_refs, depth, changes)

    def columns(self, model: WireModel, changes: Changes) -> Columns:
        """Give the data of a data source for changing it.

        :raises InvalidValue: it has no columns.
        """
        data = model.attributes.get("data", {"type": "map"})
        if not isinstance(data, Columns):
            columns = Columns(data)
            self.set_attribute(model, "data", columns, model.refs("data"), 0, changes)
            return columns
        return data

    def touch(self, model: WireModel, attr: str, refs: tuple[str, ...], changes: Changes) -> None:
        """Note that the inside of an attribute changed, and now refers to ``refs`` too."""
        changes.undo.append(model.touch)
        model.touch()
        if refs:
            all_refs = tuple(dict.fromkeys((*model.refs(attr), *refs)))
            self.set_attribute(model, attr, model.attributes[attr], all_refs, 0, changes)

    def check_columns(self, ids: Iterable[str]) -> None:
        """Check that the columns of data sources agree.

        :raises InvalidPatch: they differ in length, or are no columns.
        """
        for model_id in ids:
            model = self.models[model_id]
            if "data" in model.attributes and is_data_source(model):
                _check_columns(model)


def _check_columns(model: WireModel) -> None:
    try:
        lengths = column_lengths(model.attributes["data"])
    except InvalidValue as fault:
        raise invalid_patch(f"in 'data' of {model.label}, {fault}") from None
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {size:,}" for name, size in list(lengths.items())[:10])
        why = f"the columns of 'data' of {model.label} differ in length ({shown})"
        raise invalid_patch(why, "Send all columns that change in one patch")
