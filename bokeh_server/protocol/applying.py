"""Applying the events of a patch, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import Any

from bokeh_server.protocol.checking import Schema, check_models
from bokeh_server.protocol.contents import Changes, Contents
from bokeh_server.protocol.events import EventReader, Step
from bokeh_server.protocol.models import WireModel
from bokeh_server.protocol.patches import Patch
from bokeh_server.protocol.successors import Graph
from bokeh_server.protocol.values import Reader
from bokeh_server.protocol.writing import write_events, write_message

__all__ = ["Applied", "apply_events"]

#: followers pull the document again rather than get more than this, in bytes.
MOST_CORRECTED = 4 * 1024 * 1024


@dataclass(frozen=True)
class Applied:
    """What a patch did.

    :param events: ``{"events": [...]}`` for the log and for followers, without messages; models
        that a follower may not know are in full where they are first referred to.
    :param keys: model id and attribute of what changed; ``("", "roots")``, ``("", "title")``.
        Empty when there is nothing to store.
    :param structural: roots or references changed.
    :param resync: followers cannot follow by ``events`` and have to pull again.
    :param messages: ``MessageSent`` events, complete in themselves; relayed, never stored.
    :param born: ids of the models that are new.
    :param dropped: ids of the models that are gone.
    :param corrected: what followers get instead of ``events`` and ``buffers``, because BokehJS
        would make something else of them; so has their sender, where that is a browser.
    :param reborn: an id that had been dropped came back, which older followers may still know.
    :param undo: takes it back, when everything applied later was taken back before.
    """

    events: bytes
    buffers: dict[str, bytes]
    keys: frozenset[tuple[str, str]]
    structural: bool = False
    resync: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)
    born: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    reborn: bool = False
    corrected: tuple[bytes, dict[str, bytes]] | None = None
    undo: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    @property
    def size(self) -> int:
        """How many bytes ``events`` and ``buffers`` have."""
        return _size((self.events, self.buffers))

    @property
    def shown(self) -> tuple[bytes, dict[str, bytes]]:
        """Content and buffers for followers."""
        return self.corrected or (self.events, self.buffers)


@dataclass(frozen=True, slots=True)
class Done:
    """What the events of a patch did to the contents of a document.

    :param graph: what can be reached after it, where that changed.
    """

    written: tuple[bytes, dict[str, bytes]]
    messages: list[dict[str, Any]]
    steps: list[Step]
    changes: Changes
    new: dict[str, WireModel]
    resync: bool
    reborn: bool
    corrected: tuple[bytes, dict[str, bytes]] | None

    @property
    def graph(self) -> Graph | None:
        """What can be reached afterwards, where that changed."""
        return self.changes.graph

    def applied(self, dropped: Iterable[str], undo: Callable[[], None]) -> Applied:
        """Sum it up.

        :param dropped: ids of the models that could not be reached afterwards.
        :param undo: takes it back, and has those models again.
        """
        gone = frozenset(dropped)
        return Applied(
            *self.written,
            keys=frozenset(step.key for step in self.steps),
            structural=self.changes.structural,
            resync=self.resync,
            messages=self.messages,
            born=frozenset(self.new).difference(gone),
            dropped=gone,
            reborn=self.reborn,
            corrected=self.corrected,
            undo=undo,
        )


def apply_events(
    patch: Patch, contents: Contents, graph: Graph, gone: Container[str], schema: Schema | None
) -> Done:
    """Apply the events of a patch.

    :param graph: what can be reached before.
    :param gone: ids of models that were in the document.
    :raises InvalidPatch: the document cannot take it, and is as before.
    """
    aside = graph.aside
    reader = Reader(patch.buffers, contents.models, aside=aside)
    events = EventReader(reader, contents, gone, schema)
    for event in patch.events:
        events.read(event)
    reader.finish()
    new, steps = reader.new, events.steps
    check_models(schema, new.values())
    if patch.content is not None and reader.exact and events.exact:
        written: tuple[bytes, dict[str, bytes]] = (patch.content, {})
    else:
        written = write_events(steps, new)
    messages = [write_message(message, new) for message in events.messages]
    changes, corrected = _change(contents, steps, new), None
    if changes.whole:
        corrected, changes = _with_whole_data(contents, steps, new, changes)
    resync = bool(aside) and (reader.meets(aside) or any(step.key[0] in aside for step in steps))
    resync |= corrected is not None and _size(corrected) > MOST_CORRECTED
    reborn = any(model_id in gone for model_id in new)
    return Done(written, messages, steps, changes, new, resync, reborn, corrected)


def _size(written: tuple[bytes, dict[str, bytes]]) -> int:
    return len(written[0]) + sum(map(len, written[1].values()))


def _change(contents: Contents, steps: list[Step], new: dict[str, WireModel]) -> Changes:
    changes = Changes()
    try:
        contents.add_models(new, changes)
        for changes.at, step in enumerate(steps):
            step.apply(contents, changes)
        contents.check_columns(changes.sources)
        if changes.structural:
            changes.graph = contents.explore()
    except BaseException:
        changes.roll_back()
        raise
    return changes


def _with_whole_data(
    contents: Contents, steps: list[Step], new: dict[str, WireModel], changes: Changes
) -> tuple[tuple[bytes, dict[str, bytes]], Changes]:
    """Write data instead of the events of which BokehJS would make something else.

    New models are written as they came, so that everything has to be as before for it.
    """
    changes.roll_back()
    whole = changes.whole
    said = [step.with_data(whole[at]) if at in whole else step for at, step in enumerate(steps)]
    # Bokeh in Python does not know a model by its id that only a column of data holds.
    sources = [contents.models[each.key[0]] for each in said if each.key[0] in contents.models]
    held = (each for source in sources for each in source.refs("data"))
    full = {each: contents.models[each] for each in held} | new
    return write_events(said, full), _change(contents, steps, new)
