"""Patch events: read without changing anything, then applied one by one."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from bokeh_server.protocol.arrays import InvalidValue
from bokeh_server.protocol.checking import Schema
from bokeh_server.protocol.contents import Changes, Contents
from bokeh_server.protocol.models import Ref, WireModel
from bokeh_server.protocol.patches import invalid_patch
from bokeh_server.protocol.values import Reader

__all__ = ["EventReader", "Step"]

#: most rows that a rollover may keep: what a browser can count.
_MOST_ROWS = 2**53


@dataclass(frozen=True, slots=True)
class Step:
    """One event, read.

    :param event: kept values, to be written to followers.
    :param key: model id and attribute that it changes.
    :param apply: makes the change.
    """

    event: dict[str, Any]
    key: tuple[str, str]
    apply: Callable[[Contents, Changes], None]

    def with_data(self, data: Any) -> Step:
        """Give the step that tells followers the data instead of what was done to it."""
        head = {"kind": "ColumnDataChanged", "model": Ref(self.key[0]), "attr": "data"}
        return Step({**head, "data": data, "cols": None}, self.key, self.apply)


@dataclass(frozen=True, slots=True)
class _Value:
    """A kept value with what is known of it."""

    kept: Any
    refs: tuple[str, ...]
    depth: int


class EventReader:
    """Read the events of one patch.

    :ivar steps: what changes the document.
    :ivar messages: ``MessageSent`` events, as kept values.
    :ivar exact: the steps write just the events that were read.

    :param gone: ids of models that were in the document; events on them are left out, because
        they were sent before their sender knew.
    :param schema: is asked about attributes and titles; without it they may be anything.
    """

    def __init__(
        self,
        reader: Reader,
        contents: Contents,
        gone: Container[str],
        schema: Schema | None = None,
    ) -> None:
        self.steps: list[Step] = []
        self.messages: list[dict[str, Any]] = []
        self.exact = True
        self._reader = reader
        self._contents = contents
        self._gone = gone
        self._schema = schema
        self._kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "ModelChanged": self._model_changed,
            "ColumnDataChanged": self._column_data_changed,
            "ColumnsStreamed": self._columns_streamed,
            "ColumnsPatched": self._columns_patched,
            "TitleChanged": self._title_changed,
            "RootAdded": self._root_added,
            "RootRemoved": self._root_removed,
            "MessageSent": self._message_sent,
        }

    def read(self, raw: dict[str, Any]) -> None:
        """Read one event.

        :raises InvalidPatch: it is not an event of Bokeh's, or not for this document.
        """
        kind = raw.get("kind")
        read = self._kinds.get(kind) if isinstance(kind, str) else None
        if read is None:
            raise invalid_patch(f"there is no kind of event called {str(kind)[:100]!r}")
        steps = len(self.steps)
        read(raw)
        self.exact &= len(self.steps) > steps and _is_exact(raw, self.steps[-1].event)

    def _model_changed(self, raw: dict[str, Any]) -> None:
        target = self._target(raw)
        if target is None:
            return
        attr, value = _text(raw, "attr"), self._value(raw, "new", target)

        def apply(contents: Contents, changes: Changes) -> None:
            model = contents.models[target.id]
            contents.set_attribute(model, attr, *_spread(value), changes)
            changes.note_source(target.id, attr)

        self._add(raw, target, attr, {"new": value.kept}, apply)

    def _column_data_changed(self, raw: dict[str, Any]) -> None:
        target = self._target(raw)
        if target is None:
            return
        attr, value, cols = _data(raw), self._value(raw, "data", target), _columns(raw)

        def apply(contents: Contents, changes: Changes) -> None:
            model = contents.models[target.id]
            change = contents.set_attribute if cols is None else contents.merge_columns
            _within(target, attr, change, model, attr, *_spread(value), changes)
            changes.note_source(target.id, attr)

        self._add(raw, target, attr, {"data": value.kept, "cols": cols}, apply)

    def _columns_streamed(self, raw: dict[str, Any]) -> None:
        target = self._target(raw)
        if target is None:
            return
        attr, value, rollover = _data(raw), self._value(raw, "data", target), _rollover(raw)

        def apply(contents: Contents, changes: Changes) -> None:
            model = contents.models[target.id]
            columns = _within(target, attr, contents.columns, model, changes)
            if not _within(target, attr, columns.stream, value.kept, rollover, changes.undo):
                changes.keep_whole(columns)
            contents.touch(model, attr, value.refs, changes)

        self._add(raw, target, attr, {"data": value.kept, "rollover": rollover}, apply)

    def _columns_patched(self, raw: dict[str, Any]) -> None:
        target = self._target(raw)
        if target is None:
            return
        attr, value = _data(raw), self._value(raw, "patches", target)

        def apply(contents: Contents, changes: Changes) -> None:
            model = contents.models[target.id]
            columns = _within(target, attr, contents.columns, model, changes)
            if not _within(target, attr, columns.patch, value.kept, changes.undo):
                changes.keep_whole(columns)
            contents.touch(model, attr, value.refs, changes)

        self._add(raw, target, attr, {"patches": value.kept}, apply)

    def _title_changed(self, raw: dict[str, Any]) -> None:
        title = _text(raw, "title")
        if self._schema is not None:
            self._schema.check_title(title)
        event = {"kind": "TitleChanged", "title": title}

        def apply(contents: Contents, changes: Changes) -> None:
            contents.set_title(title, changes)

        self.steps.append(Step(event, ("", "title"), apply))

    def _root_added(self, raw: dict[str, Any]) -> None:
        root = self._reader.value(raw.get("model"), "a RootAdded event")
        if not isinstance(root, Ref):
            raise invalid_patch("a RootAdded event has no model")

        def apply(contents: Contents, changes: Changes) -> None:
            if root.id not in contents.roots:
                contents.set_roots([*contents.roots, root.id], changes)

        self.steps.append(Step({"kind": "RootAdded", "model": root}, ("", "roots"), apply))

    def _root_removed(self, raw: dict[str, Any]) -> None:
        target = self._target(raw)
        if target is None:
            return

        def apply(contents: Contents, changes: Changes) -> None:
            if target.id in contents.roots:
                rest = [each for each in contents.roots if each != target.id]
                contents.set_roots(rest, changes)

        event = {"kind": "RootRemoved", "model": Ref(target.id)}
        self.steps.append(Step(event, ("", "roots"), apply))

    def _message_sent(self, raw: dict[str, Any]) -> None:
        kind = _text(raw, "msg_type")
        data = self._reader.value(raw.get("msg_data"), f"a message of type {kind[:100]!r}")
        self.messages.append({"kind": "MessageSent", "msg_type": kind, "msg_data": data})

    def _target(self, raw: dict[str, Any]) -> WireModel | None:
        """Give the model that an event is about, or ``None`` when it is gone."""
        rep = raw.get("model")
        model_id = rep.get("id") if isinstance(rep, dict) else None
        if not isinstance(model_id, str):
            raise invalid_patch(f"a {raw['kind']} event has no model")
        model = self._contents.models.get(model_id) or self._reader.new.get(model_id)
        if model is None and rep is not None and "name" in rep:
            self._reader.value(rep, f"a {raw['kind']} event")
            model = self._reader.new.get(model_id)
        if model is None and model_id not in self._gone:
            why = f"a {raw['kind']} event is about model {model_id!r}, which is not in the document"
            raise invalid_patch(why, "Pull the document again")
        return model

    def _value(self, raw: dict[str, Any], key: str, target: WireModel) -> _Value:
        where = f"{str(raw.get('attr'))[:100]!r} of {target.label}"
        if key not in raw:
            raise invalid_patch(f"a {raw['kind']} event for {where} has no {key!r}")
        kept = self._reader.value(raw[key], where)
        value = _Value(kept, tuple(self._reader.refs), self._reader.depth)
        self._reader.define()
        return value

    def _add(
        self,
        raw: dict[str, Any],
        target: WireModel,
        attr: str,
        rest: dict[str, Any],
        apply: Callable[[Contents, Changes], None],
    ) -> None:
        if self._schema is not None:
            self._schema.check_attributes(target.name, {attr: rest.get("new", rest)})
        event = {"kind": raw["kind"], "model": Ref(target.id), "attr": attr, **rest}
        self.steps.append(Step(event, (target.id, attr), apply))


def _is_exact(raw: dict[str, Any], event: dict[str, Any]) -> bool:
    model = raw.get("model")
    return raw.keys() == event.keys() and (model is None or len(model) == 1)


def _within(target: WireModel, attr: str, do: Callable[..., Any], *args: Any) -> Any:
    """Call ``do``, and say where it was when it refuses a value."""
    try:
        return do(*args)
    except InvalidValue as fault:
        raise invalid_patch(f"in {attr!r} of {target.label}, {fault}") from None


def _spread(value: _Value) -> tuple[Any, tuple[str, ...], int]:
    return value.kept, value.refs, value.depth


def _text(raw: dict[str, Any], key: str) -> str:
    text = raw.get(key)
    if not isinstance(text, str):
        raise invalid_patch(f"the {key!r} of a {raw['kind']} event is not a string")
    return text


def _data(raw: dict[str, Any]) -> str:
    attr = _text(raw, "attr")
    if attr != "data":
        raise invalid_patch(
            f"a {raw['kind']} event is about {attr[:100]!r}, and can be about 'data'"
        )
    return attr


def _columns(raw: dict[str, Any]) -> list[str] | None:
    cols = raw.get("cols")
    if cols is None or (isinstance(cols, list) and all(isinstance(each, str) for each in cols)):
        return cols
    raise invalid_patch("the 'cols' of a ColumnDataChanged event are not a list of strings")


def _rollover(raw: dict[str, Any]) -> int | None:
    rollover = raw.get("rollover")
    if rollover is None or (type(rollover) is int and 0 <= rollover <= _MOST_ROWS):
        return rollover
    why = f"the rollover {str(rollover)[:40]} is not a whole number from 0, nor null"
    raise invalid_patch(why)
