"""A document kept as Bokeh's wire JSON, indexed by model id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from bokeh_server.errors import InvalidPatch, UnknownModel
from bokeh_server.protocol.applying import Applied, apply_events
from bokeh_server.protocol.checking import Schema, check_models
from bokeh_server.protocol.chunks import Digests
from bokeh_server.protocol.contents import Contents
from bokeh_server.protocol.docjson import (
    empty_contents,
    read_contents,
    read_state,
    write_contents,
    write_state,
)
from bokeh_server.protocol.models import Ref, WireModel, Writer
from bokeh_server.protocol.packing import Buffers
from bokeh_server.protocol.patches import (
    Patch,
    parse_json,
    parse_patch,
    without_view_state,
)
from bokeh_server.protocol.replacing import replacing_events
from bokeh_server.protocol.restoring import read_parts
from bokeh_server.protocol.saving import Draft, Unsaved, make_draft
from bokeh_server.protocol.stamps import Stamps
from bokeh_server.protocol.successors import Graph, Memory, Place, explore
from bokeh_server.protocol.writing import newest_values

__all__ = ["REPLACED", "Applied", "WireDocument"]

#: the kind of the one event, of ours, by which the log keeps what no patch of Bokeh's can say.
REPLACED = "DocumentReplaced"


class WireDocument:
    """A document; not safe for use by several threads at once."""

    def __init__(self, contents: Contents, memory: Memory | None = None) -> None:
        self._contents = contents
        self._memory = memory or Memory()
        self._stamps = Stamps()
        self._unsaved = Unsaved()
        self._graph = contents.explore()
        self._placed_roots = contents.roots

    @classmethod
    def empty(cls) -> WireDocument:
        """Give a document without roots."""
        return cls(empty_contents())

    @classmethod
    def from_json(cls, doc: dict[str, Any], buffers: Buffers) -> WireDocument:
        """Read Bokeh's document JSON.

        :raises InvalidPatch: it is none, or refers to what it does not have.
        """
        return cls(read_contents(doc, buffers))

    @classmethod
    def from_state(cls, content: bytes, buffers: Buffers) -> WireDocument:
        """Read a snapshot that :meth:`state` gave; Bokeh's document JSON is read too.

        :raises InvalidMessage: it is not JSON.
        :raises InvalidPatch: it is JSON of another shape.
        """
        state = parse_json(content, "the snapshot of a document")
        if not isinstance(state, dict) or "kept" not in state:
            return cls.from_json(state, buffers)
        return cls(*read_state(state, buffers))

    @classmethod
    def from_parts(cls, bodies: Iterable[bytes], chunks: Mapping[bytes, bytes]) -> WireDocument:
        """Read the parts of a snapshot, as :meth:`draft` gave them, packed.

        :param chunks: bytes by digest.
        :raises InvalidPatch: parts are missing.
        """
        return cls(*read_parts(bodies, chunks))

    @property
    def title(self) -> str:
        """The title."""
        return self._contents.title

    @property
    def roots(self) -> list[str]:
        """Ids of the roots, in order."""
        return list(self._contents.roots)

    @property
    def models(self) -> Mapping[str, WireModel]:
        """All models that can be reached, by id."""
        return self._contents.models

    def apply(
        self, patch: Patch, *, seq: int | None = None, schema: Schema | None = None
    ) -> Applied:
        """Apply a patch, all of it or nothing.

        :param seq: the number of the change, for :meth:`changed_since`; see :meth:`stamp`.
        :param schema: is asked about what comes, which otherwise is taken as it was stored once.
        :raises InvalidPatch: the document cannot take it, and is as before.
        """
        if schema is None and any(event.get("kind") == REPLACED for event in patch.events):
            applied = self._replace_whole(_only_document(patch.events), patch.buffers, schema)
        else:
            applied = self._apply_events(patch, schema)
        if seq is not None:
            self.stamp(applied, seq)
        return applied

    def replace(
        self,
        doc: dict[str, Any],
        buffers: Buffers,
        *,
        seq: int | None = None,
        schema: Schema | None = None,
        exact: bool = False,
    ) -> Applied:
        """Replace everything, as one change; what both documents have is only changed.

        :param exact: also let the configuration have the ids it has in ``doc``.
        :raises InvalidPatch: ``doc`` is not Bokeh's document JSON; the document is as before.
        """
        new = _read_checked(doc, buffers, schema)
        events = replacing_events(self._contents, new, exact=exact)
        if events is None:
            return self._stamped(self._install(new), seq)
        return self.apply(parse_patch(*events), seq=seq)

    def stamp(self, applied: Applied, seq: int) -> None:
        """Note under which number a change went into the log."""
        if applied.resync:
            self._unsaved.note_all()
        self._unsaved.note(key[0] for key in applied.keys)
        self._unsaved.note((*applied.born, *applied.dropped))
        self._stamps.note(seq, applied.keys, applied.born)
        self._stamps.forget(applied.dropped)
        if applied.resync or applied.reborn or ("", "roots") in applied.keys:
            self._stamps.note_structure(seq)

    def content(self, *, inline: bool = False) -> tuple[bytes, dict[str, bytes]]:
        """Give Bokeh's document JSON and its buffers.

        :param inline: arrays as base64 in the JSON, and no buffers.
        """
        return write_contents(self._contents, inline=inline)

    def content_of(self, model_id: str) -> bytes:
        """Give the JSON of a document whose only root is this model; arrays as base64 in it.

        :raises UnknownModel: the document has no such model.
        """
        self._model(model_id)
        return write_contents(self._contents, inline=True, only=model_id)[0]

    def state(self) -> tuple[bytes, dict[str, bytes]]:
        """Give the document and what it remembers of models that are gone, for a snapshot."""
        return write_state(self._contents, self._memory)

    def draft(self, known: Digests, *, whole: bool = False) -> Draft:
        """Give what a snapshot has to write: what changed since the last draft.

        :param known: digests of the chunks that are stored already.
        :param whole: everything, as after a draft that could not be written.
        """
        ids = self._unsaved.take()
        return make_draft(self._contents, self._memory, None if whole else ids, known)

    def changed_since(self, seq: int) -> tuple[bytes, dict[str, bytes]] | None:
        """Give a patch that brings a viewer from change ``seq`` to now.

        :returns: content and buffers, or ``None`` when only pulling again will do.
        """
        if not self._stamps.covers(seq):
            return None
        born = self._stamps.born_since(seq, self._contents.models)
        return newest_values(self._contents, self._stamps.changed_since(seq), born)

    def newest(self, keys: Iterable[tuple[str, str]]) -> tuple[bytes, dict[str, bytes]]:
        """Give a patch that sets attributes to what they are now; what is gone is left out.

        :param keys: model id and attribute, and ``("", "title")``, as in :class:`Applied`.
        """
        return newest_values(self._contents, sorted(keys))

    def model_json(self, model_id: str, *, deep: bool = False) -> dict[str, Any]:
        """Give one model with inline arrays.

        :param deep: with the models it refers to in full, instead of by their ids.
        :raises UnknownModel: the document has no such model.
        """
        models, model = self._contents.models, self._model(model_id)
        writer = Writer(models if deep else {model_id: model}, inline=True)
        writer.write(Ref(model_id))
        value: dict[str, Any] = orjson.loads(writer.text())
        return value

    def find(self, key: str) -> str | None:
        """Give the id of the model with this id or name; plots come before others."""
        models = self._contents.models
        if key in models:
            return key
        in_order = (*self._graph.plots, *self._graph.order)
        return next((each for each in in_order if models[each].title == key), None)

    def typed(self, type_name: str | None = None) -> list[str]:
        """Give the ids of all models, or of one type, in the order in which they are written."""
        models = self._contents.models
        order = [each for each in self._graph.order if each in models]
        return [each for each in order if type_name in (None, models[each].name)]

    def type_of(self, model_id: str) -> str | None:
        """Give the type of a model, ``None`` when the document does not have it."""
        model = self._contents.models.get(model_id)
        return model.name if model else None

    def plots(self) -> list[str]:
        """Give the ids of the plots, in drawing order."""
        return list(self._graph.plots)

    def references(self, model_id: str) -> set[str]:
        """Give the ids of a model and of all that it refers to, directly or not.

        :raises UnknownModel: the document has no such model.
        """
        self._model(model_id)
        return set(explore([model_id], self._contents.models).order)

    def referrers(self, model_id: str) -> set[str]:
        """Give the ids of the models that refer to this one directly."""
        models = self._contents.models.values()
        return {model.id for model in models if model_id in model.all_refs()}

    def place(self, model_id: str) -> Place:
        """Give where a model stands.

        :raises UnknownModel: the document has no such model.
        """
        return self._place(self._model(model_id), self._contents.roots, self._graph)

    def successor(self, model_id: str) -> str | None:
        """Give the model that took the place of one that is gone.

        It is the one of the same name, else the plot or root at the same position.
        A model that is there is its own successor.
        """
        if model_id in self._contents.models:
            return model_id
        place = self._memory.retired.get(model_id)
        if place is None:
            return None
        named = self.find(place.name) if place.name else None
        return place.choose(named, self._graph.plots, self.roots)

    def collect(self) -> list[str]:
        """Drop the models that cannot be reached and give their ids.

        Patches do so themselves; this is for asking.
        """
        gone, _ = self._settle(self._contents.explore())
        self._unsaved.note(gone)
        return sorted(gone)

    def without_view_state(self, patch: Patch, *, browser: bool, ranges: bool) -> Patch:
        """Leave out of a patch what a browser computed for its own screen."""
        events = without_view_state(
            patch.events, browser=browser, ranges=ranges, type_of=self.type_of
        )
        if len(events) == len(patch.events):
            return patch
        return Patch(events, patch.buffers, weight=patch.weight)

    def _apply_events(self, patch: Patch, schema: Schema | None) -> Applied:
        done = apply_events(patch, self._contents, self._graph, self._memory.dropped, schema)
        roll_back = done.changes.roll_back
        if done.graph is None:
            return done.applied([], roll_back)
        dropped, put_back = self._settle(done.graph)

        def undo() -> None:
            put_back()
            roll_back()

        return done.applied(dropped, undo)

    def _replace_whole(self, doc: Any, buffers: Buffers, schema: Schema | None) -> Applied:
        return self._install(_read_checked(doc, buffers, schema))

    def _install(self, new: Contents) -> Applied:
        graph, old = new.explore(), self._contents
        gone = [model for model in old.models.values() if model.id not in new.models]
        put_back = self._way_back(gone)
        self._contents = new
        self._retire(gone, graph)
        content, buffers = self.content()
        events = b'{"events":[{"kind":"%b","doc":%b}]}' % (REPLACED.encode(), content)
        keys = frozenset({("", "roots"), ("", "title")})
        dropped = frozenset(model.id for model in gone)
        born = frozenset(new.models.keys() - old.models.keys())
        return Applied(events, buffers, keys, True, True, [], born, dropped, undo=put_back)

    def _stamped(self, applied: Applied, seq: int | None) -> Applied:
        if seq is not None:
            self.stamp(applied, seq)
        return applied

    def _settle(self, graph: Graph) -> tuple[list[str], Callable[[], None]]:
        """Drop what cannot be reached; give its ids, and what puts it back."""
        models, reachable = self._contents.models, set(graph.order)
        gone = [model for model in models.values() if model.id not in reachable]
        put_back = self._way_back(gone)
        for model in gone:
            del models[model.id]
        self._retire(gone, graph)
        return [model.id for model in gone], put_back

    def _way_back(self, gone: list[WireModel]) -> Callable[[], None]:
        """Give what puts models back that go, and what is known of where models stand."""
        contents, graph, roots = self._contents, self._graph, self._placed_roots
        models, memory = dict(contents.models) if gone else None, self._memory
        if gone:
            self._memory = memory.copy()

        def put_back() -> None:
            self._contents, self._graph, self._placed_roots = contents, graph, roots
            self._memory = memory
            if models is not None:
                contents.models.clear()
                contents.models.update(models)
            # What was noted of models that were gone is lost; who is behind pulls.
            self._stamps = Stamps()

        return put_back

    def _retire(self, gone: list[WireModel], graph: Graph) -> None:
        for model in gone:
            self._memory.drop(model.id, self._place(model, self._placed_roots, self._graph))
        self._graph = graph
        self._placed_roots = self._contents.roots

    def _place(self, model: WireModel, roots: list[str], graph: Graph) -> Place:
        return Place(model.title, _index(roots, model.id), _index(graph.plots, model.id))

    def _model(self, model_id: str) -> WireModel:
        model = self._contents.models.get(model_id)
        if model is None:
            why = "the document has no model of this id"
            raise UnknownModel(f"find model {model_id[:100]!r}", why, "Pull the document again")
        return model


def _read_checked(doc: Any, buffers: Buffers, schema: Schema | None) -> Contents:
    if schema is not None and isinstance(doc, dict) and "roots" not in doc:
        why = "the document has no roots; an empty one has an empty list"
        raise InvalidPatch("read the document", why, "Send Bokeh's document JSON")
    new = read_contents(doc, buffers)
    if schema is not None:
        schema.check_title(new.title)
        check_models(schema, new.models.values())
    return new


def _only_document(events: list[dict[str, Any]]) -> Any:
    if len(events) != 1 or "doc" not in events[0]:
        raise InvalidPatch("apply the patch", f"{REPLACED} is not its only event", "Send it alone")
    return events[0]["doc"]


def _index(ids: Any, model_id: str) -> int | None:
    return ids.index(model_id) if model_id in ids else None
