"""The log in plain words: what a change did, for people who look for a revision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from bokeh_server.blocking import run_blocking
from bokeh_server.documents.naming import label_of_json, length_of, short_value
from bokeh_server.protocol import unpack
from bokeh_server.storage import ChangeRecord

__all__ = ["Group", "describe", "join"]

#: changes of a kind are told as one, as long as they fall into one stretch of so many seconds.
STRETCH_SECONDS = 300
#: so many things that a change did are told; of the others only how many they are.
MOST_TOLD = 3

Event = dict[str, Any]
#: a change, and its content.
Parsed = tuple[ChangeRecord, dict[str, Any]]
#: ids of models -> what they are called, of those that are known.
Labels = Callable[[set[str]], Mapping[str, str]]

#: what a pan or zoom sets; a page keeps in the tags of a range where "Reset" leads.
_VIEW = frozenset({"start", "end", "tags"})


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a change did.

    :param kind: what was done.
    :param label: what it was done to.
    :param attr: the attribute that was set.
    :param number: how many points, values or changes; added up when deeds are told as one.
    :param value: what was set, in words.
    """

    kind: str
    label: str = ""
    attr: str = ""
    number: int = 0
    value: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Deeds of one key are told as one."""
        return self.kind, self.label, self.attr

    def and_then(self, later: Deed) -> Deed:
        """Two deeds of one key, the second after the first."""
        number = later.number if self.kind in ("selected", "data") else self.number + later.number
        return replace(later, number=number)

    def text(self) -> str:
        """The deed as a sentence without its full stop."""
        return _WORDS[self.kind](self)


@dataclass(frozen=True, slots=True)
class Group:
    """Changes of one kind by one person, one after the other.

    :param first: number of the first change.
    :param last: number of the last.
    :param began: time of the first.
    :param at: time of the last.
    :param restored: the revision that was restored, if that is what it did.
    """

    first: int
    last: int
    actor: str
    began: datetime
    at: datetime
    deeds: tuple[Deed, ...]
    restored: int | None

    @property
    def what(self) -> str:
        """What was done, in words."""
        told = [deed.text() for deed in self.deeds[:MOST_TOLD]]
        more = len(self.deeds) - len(told)
        if more:
            told.append(f"{more:,} more")
        text = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
        return text[:1].upper() + text[1:]

    def takes(self, later: Group) -> bool:
        """Whether a later group tells of the same."""
        same = (self.actor, [each.key for each in self.deeds], self.restored)
        return (
            self.last + 1 == later.first
            and same == (later.actor, [each.key for each in later.deeds], later.restored)
            and _stretch(self.at) == _stretch(later.at)
        )

    def and_then(self, later: Group) -> Group:
        """Both as one."""
        pairs = zip(self.deeds, later.deeds, strict=True)
        deeds = tuple(one.and_then(other) for one, other in pairs)
        return replace(later, first=self.first, began=self.began, deeds=deeds)


def describe(records: Iterable[ChangeRecord], labels: Labels) -> list[Group]:
    """Tell what changes did, in groups.

    :param records: changes of one document, oldest first.
    :param labels: what models are called; models that are gone are looked for in the changes.
    """
    parsed = run_blocking(_parse, list(records))
    wanted = {model_id for _, content in parsed for model_id in _targets(content["events"])}
    known = dict(labels(wanted))
    return run_blocking(_grouped, parsed, wanted - known.keys(), known)


def join(earlier: list[Group], later: list[Group]) -> list[Group]:
    """Groups of changes that follow each other."""
    if earlier and later and earlier[-1].takes(later[0]):
        return [*earlier[:-1], earlier[-1].and_then(later[0]), *later[1:]]
    return [*earlier, *later]


def _parse(records: Iterable[ChangeRecord]) -> list[Parsed]:
    return [(record, _content(record)) for record in records]


def _grouped(parsed: list[Parsed], unknown: set[str], known: dict[str, str]) -> list[Group]:
    _find_defined([content for _, content in parsed], unknown, known)
    groups: list[Group] = []
    for record, content in parsed:
        groups += join([groups.pop()] if groups else [], [_group(record, content, known)])
    return groups


def _content(record: ChangeRecord) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(unpack(record.body, "a stored change")[0])
    return content


def _stretch(at: datetime) -> int:
    return int(at.timestamp()) // STRETCH_SECONDS


def _targets(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        model = event.get("model")
        if isinstance(model, dict) and isinstance(model.get("id"), str):
            yield model["id"]


def _find_defined(value: Any, wanted: set[str], known: dict[str, str]) -> None:
    """Look for models that are written in full, and note what they are called."""
    left = [value] if wanted else []
    while left and wanted:
        item = left.pop()
        if isinstance(item, dict):
            model_id = item.get("id")
            if item.get("type") == "object" and model_id in wanted:
                known[model_id] = label_of_json(item)
                wanted.discard(model_id)
            left += [each for each in item.values() if isinstance(each, dict | list)]
        else:
            left += [each for each in item if isinstance(each, dict | list)]


def _group(record: ChangeRecord, content: dict[str, Any], labels: Mapping[str, str]) -> Group:
    restored = content.get("restored")
    if isinstance(restored, int):
        deeds = [Deed("restored", number=restored)]
    else:
        restored = None
        deeds = _tidied(_deeds(content["events"], labels))
        if record.seq == 1 and deeds == [Deed("replaced")]:
            deeds = [Deed("stored")]
    at = record.at
    return Group(record.seq, record.seq, record.actor, at, at, tuple(deeds), restored)


def _tidied(deeds: Iterable[Deed]) -> list[Deed]:
    merged: dict[tuple[str, str, str], Deed] = {}
    for deed in deeds:
        before = merged.get(deed.key)
        merged[deed.key] = deed if before is None else before.and_then(deed)
    kinds = {deed.kind for deed in merged.values()}
    if {"added", "removed"} <= kinds:
        # A script ran again: what else changed came with that.
        roots = [deed for deed in merged.values() if deed.kind == "added"]
        return [Deed("renewed", _list([deed.label for deed in roots]))]
    if len(kinds) > 1 and "view" in kinds:
        del merged["view", "", ""]
    return list(merged.values()) or [Deed("nothing")]


def _list(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{len(labels):,} plots and widgets"


def _deeds(events: Iterable[Event], labels: Mapping[str, str]) -> Iterator[Deed]:
    for event in events:
        model = event.get("model")
        model_id = model.get("id") if isinstance(model, dict) else None
        label = labels.get(str(model_id), "something that is gone")
        yield from _deed(event, label)


def _deed(event: Event, label: str) -> Iterator[Deed]:
    kind, attr = event.get("kind"), str(event.get("attr", ""))
    if kind == "ModelChanged":
        yield _set(label, attr, event.get("new"))
    elif kind == "ColumnsStreamed":
        yield Deed("streamed", label, number=length_of(event.get("data")) or 0)
    elif kind == "ColumnsPatched":
        yield Deed("patched", label, number=_patched(event.get("patches")))
    elif kind == "ColumnDataChanged":
        yield Deed("data", label, number=length_of(event.get("data")) or 0)
    elif kind == "TitleChanged":
        yield Deed("title", value=short_value(event.get("title")) or "")
    elif kind in _ROOTS:
        yield Deed(_ROOTS[kind], label)
    elif kind == "DocumentReplaced":
        yield Deed("replaced")


_ROOTS = {"RootAdded": "added", "RootRemoved": "removed"}


def _set(label: str, attr: str, new: Any) -> Deed:
    kind = label.partition(" “")[0]
    if kind == "range" and attr in _VIEW:
        return Deed("view")
    if kind == "selection" and attr == "indices":
        return Deed("selected", number=length_of([["", new]]) or 0)
    if attr == "data":
        return Deed("data", label, number=length_of(new) or 0)
    # What a slider has when it is let go, beside its value.
    attr = attr.removesuffix("_throttled").replace("_", " ")
    return Deed("set", label, attr, value=short_value(new) or "")


def _patched(patches: Any) -> int:
    entries = patches.get("entries") if isinstance(patches, dict) else None
    pairs = entries if isinstance(entries, list) else []
    return sum(len(each[1]) for each in pairs if isinstance(each[1], list))


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def _say_data(deed: Deed) -> str:
    points = f" ({_count(deed.number, 'point')})" if deed.number else ""
    return f"new data in {deed.label}{points}"


def _say_set(deed: Deed) -> str:
    what = f"{deed.attr} of {deed.label}"
    return f"{what} set to {deed.value}" if deed.value else f"{what} changed"


def _say_selected(deed: Deed) -> str:
    return f"{_count(deed.number, 'point')} selected" if deed.number else "selection cleared"


_WORDS: dict[str, Callable[[Deed], str]] = {
    "streamed": lambda deed: f"{_count(deed.number, 'point')} streamed to {deed.label}",
    "patched": lambda deed: f"{_count(deed.number, 'value')} changed in {deed.label}",
    "data": _say_data,
    "set": _say_set,
    "view": lambda deed: "view moved",
    "selected": _say_selected,
    "title": lambda deed: f"title set to {deed.value}",
    "added": lambda deed: f"{deed.label} added",
    "removed": lambda deed: f"{deed.label} removed",
    "renewed": lambda deed: f"{deed.label} published anew",
    "replaced": lambda deed: "whole document replaced",
    "stored": lambda deed: "stored for the first time",
    "restored": lambda deed: f"revision {deed.number:,} restored",
    "nothing": lambda deed: "nothing changed",
}
