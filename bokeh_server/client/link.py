"""What joins a local document to a stored one: what the server has, and what it lacks."""

from __future__ import annotations

import threading
import uuid
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from bokeh.document import Document
from bokeh.document.events import (
    ColumnDataChangedEvent,
    ColumnsPatchedEvent,
    ColumnsStreamedEvent,
    DocumentChangedEvent,
    MessageSentEvent,
    ModelChangedEvent,
    RootAddedEvent,
    RootRemovedEvent,
    TitleChangedEvent,
)
from bokeh.model import Model

from bokeh_server.client._encoding import is_source
from bokeh_server.client._watching import watch_departures
from bokeh_server.client.pending import Pending

__all__ = ["Batch", "Link"]


@dataclass
class Batch:
    """One request to the server, ready to be sent, and sent again with the same key.

    :ivar models: what it tells about, for the caller.
    :ivar fresh: the models it writes in full.
    :ivar sent: what it was made of, to be taken back when the server refuses it.
    """

    kind: Literal["content", "changes"]
    body: bytes
    models: list[Model]
    fresh: list[Model] = field(default_factory=list)
    sent: Pending = field(default_factory=Pending)
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


class Link:
    """One local document and the stored document it goes to.

    It is also the *setter* of everything that comes from the server,
    so that such changes are not sent back.

    :ivar synced: whether the server's copy is known; until then a store replaces all of it.
    :ivar pinned: made by ``output_server``: the local document goes nowhere else.
    :ivar known: the models that the server has, by id.
    :ivar seq: the last change of the stored document that is known of here.
    :ivar complete: whether the local document contains all changes up to that.
    :ivar title: under which the stored document is listed, which is not Bokeh's title of it.
    :ivar loose: ids of models that were stored while they were in no document.
    :ivar extras: what no event tells of, as it was last sent.
    :ivar lock: held while what waits is noted or taken; never while anything is sent.
    :ivar unconfirmed: a batch whose answer never came; it goes first, with the same key.
    """

    def __init__(
        self, document: Document, docid: str, title: str, loose: set[str] | None = None
    ) -> None:
        self.docid = docid
        self.title = title
        self.lock = threading.RLock()
        self.synced = False
        self.pinned = False
        self.seq = -1
        self.complete = False
        self.known: weakref.WeakValueDictionary[str, Model] = weakref.WeakValueDictionary()
        self.pending = Pending()
        self._reaction: Pending | None = None
        self.unconfirmed: Batch | None = None
        self.loose = loose if loose is not None else set()
        self.extras: bytes | None = None
        self._document = weakref.ref(document)
        document.on_change(self._record)
        watch_departures(document, self._departed)

    @property
    def setter(self) -> Any:
        """This link as the *setter* of a change; Bokeh's annotations know only its own sessions."""
        return self

    @property
    def document(self) -> Document:
        """The local document.

        :raises ReferenceError: nobody holds it any more.
        """
        document = self._document()
        if document is None:
            raise ReferenceError("the local document is gone")
        return document

    def knows(self, model: Model) -> bool:
        """Whether the server has this very model."""
        return self.known.get(model.id) is model

    def learn(self, models: Iterable[Model]) -> None:
        """Note models that the server has now."""
        with self.lock:
            for model in models:
                self.known[model.id] = model
                for each in self._waiting():
                    each.forget(model.id)

    @contextmanager
    def reacting(self) -> Iterator[Pending]:
        """Collect what changes meanwhile apart from what waited before."""
        reaction = self._reaction = Pending()
        try:
            yield reaction
        finally:
            with self.lock:
                self._reaction = None

    def touches(self, model_id: str, attribute: str) -> bool:
        """Whether this attribute has a local value that is not stored."""
        return any(each.touches(model_id, attribute) for each in self._waiting())

    @property
    def titled(self) -> bool:
        """Whether Bokeh's title was set here and is not stored."""
        return any(each.title for each in self._waiting())

    def collapse(self, model: Model) -> None:
        """Send all columns of a source if any of its changes waits."""
        with self.lock:
            for each in self._waiting():
                if model.id in each.sources:
                    each.sources[model.id].collapse()

    def _waiting(self) -> list[Pending]:
        waiting = [self.pending]
        if self._reaction is not None:
            waiting.append(self._reaction)
        if self.unconfirmed is not None:
            waiting.append(self.unconfirmed.sent)
        return waiting

    @property
    def _sink(self) -> Pending:
        return self.pending if self._reaction is None else self._reaction

    @property
    def structural(self) -> bool:
        """Whether what waits changes which models there are."""
        with self.lock:
            return self.pending.structural

    def take(self) -> Pending:
        """Everything that waits; what changes from now on waits for the next time."""
        with self.lock:
            taken, self.pending = self.pending, Pending()
            return taken

    def give_back(self, taken: Pending) -> None:
        """Let what was taken and not sent wait again."""
        with self.lock:
            self.pending.give_back(taken)

    def wait_too(self, reaction: Pending) -> None:
        """Let what callbacks changed wait with the rest."""
        with self.lock:
            reaction.give_back(self.pending)
            self.pending = reaction

    def forget_departed(self, taken: Pending) -> None:
        """Drop models that left the document from what the server has; they may come back."""
        document = self.document
        for model_id, model in taken.stale.items():
            if model.document is not document:
                self.known.pop(model_id, None)

    def refuse(self, batch: Batch) -> None:
        """Undo a batch that the server did not take."""
        if batch.kind == "content":
            self.synced = False
            return
        with self.lock:
            for model in batch.fresh:
                self.known.pop(model.id, None)
                self.pending.forget(model.id)
            for changes in batch.sent.sources.values():
                changes.collapse()
            self.give_back(batch.sent)

    def _departed(self, models: Iterable[Model]) -> None:
        with self.lock:
            for model in models:
                if self.knows(model):
                    self._sink.stale[model.id] = model
                    for each in self._waiting():
                        each.forget(model.id)

    def _record(self, event: DocumentChangedEvent) -> None:
        if getattr(event, "setter", None) is self:
            return
        with self.lock:
            if isinstance(event, TitleChangedEvent):
                self._sink.title = True
            elif self.synced:
                self._record_content(event)

    def _record_content(self, event: DocumentChangedEvent) -> None:
        match event:
            case RootAddedEvent():
                self._sink.root("RootAdded", event.model)
            case RootRemovedEvent():
                self._sink.root("RootRemoved", event.model)
            case MessageSentEvent():
                self._sink.message(event)
            case _:
                self._record_model(event)

    def _record_model(self, event: DocumentChangedEvent) -> None:
        model = getattr(event, "model", None)
        if model is None or not self.knows(model):
            return
        match event:
            case ColumnDataChangedEvent():
                self._sink.source(model).replace(event.cols)
            case ColumnsStreamedEvent():
                self._sink.source(model).stream(event.data, event.rollover)
            case ColumnsPatchedEvent():
                self._sink.source(model).patch(event.patches)
            case ModelChangedEvent() if event.attr == "data" and is_source(model):
                self._sink.source(model).replace(None)
            case ModelChangedEvent():
                self._sink.attributes[model.id, event.attr] = model
