"""What is read of a live document: pulls, feeds and models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from bokeh_server.blocking import run_blocking
from bokeh_server.channels import Cursor, Follower
from bokeh_server.documents.history import ANYTHING
from bokeh_server.documents.memory import Memory
from bokeh_server.documents.naming import labels_in
from bokeh_server.errors import UnknownModel
from bokeh_server.protocol import Body, Place, WireDocument, climb, encode, encode_body

__all__ = ["Pulled", "Readable", "Still"]


@dataclass(frozen=True, slots=True)
class Pulled:
    """A revision as ``PULL-DOC-REPLY`` sends it.

    :param body: ``{"doc": DocJson}`` with its buffers, as frames without the header.
    """

    seq: int
    body: Body


class Still(ABC):
    """What can be read of a document, live or as it once was.

    :ivar docid: its id.
    :ivar seq: the change after which it is like that.
    """

    docid: str
    seq: int

    @abstractmethod
    def _steady(self) -> AbstractContextManager[WireDocument]:
        """Hold the document while it is read."""

    def content(self, *, inline: bool = False) -> tuple[int, bytes, dict[str, bytes]]:
        """The document as it is: its ``seq``, DocJson and buffers."""
        with self._steady() as wire:
            content, buffers = run_blocking(_content, wire, inline)
            return self.seq, content, buffers

    def content_of(self, model_id: str) -> tuple[int, bytes]:
        """Its ``seq``, and the DocJson of a document with one model as its only root, arrays in it.

        :raises UnknownModel: there is none of this id.
        """
        with self._steady() as wire:
            return self.seq, run_blocking(wire.content_of, model_id)

    def model_json(self, model_id: str, *, deep: bool = False) -> dict[str, Any]:
        """A model as JSON, arrays inline.

        :param deep: write the models it refers to in full; otherwise by id.
        :raises UnknownModel: there is none of this id.
        """
        with self._steady() as wire:
            return run_blocking(_model, wire, model_id, deep)

    def type_of(self, model_id: str) -> str | None:
        """The type of a model; ``None`` where there is none of this id."""
        with self._steady() as wire:
            return wire.type_of(model_id)

    def models(self, type_name: str | None = None) -> list[dict[str, Any]]:
        """All its models, or those of a type, each as :meth:`model_json` gives it."""
        with self._steady() as wire:
            return run_blocking(_models, wire, type_name)

    def page_title(self) -> str:
        """Bokeh's own title of the document, for its pages."""
        with self._steady() as wire:
            return wire.title

    def roots(self) -> list[str]:
        """The ids of its roots, in order."""
        with self._steady() as wire:
            return wire.roots

    def plots(self) -> list[str]:
        """The ids of its plots, in drawing order."""
        with self._steady() as wire:
            return wire.plots()

    def find(self, key: str) -> str | None:
        """The id of the model of this id or name."""
        with self._steady() as wire:
            return wire.find(key)

    def resolve(self, key: str) -> str:
        """The id of the model of this id or name, or of what replaced the one of this id.

        :raises UnknownModel: there is none.
        """
        with self._steady() as wire:
            found = wire.find(key) or wire.successor(key)
        if found is None:
            raise UnknownModel(
                f"find {key[:80]!r} in document {self.docid}",
                "the document has no model of this id or name",
                "Look at the whole document",
            )
        return found

    def place(self, model_id: str) -> Place:
        """Where a model stands.

        :raises UnknownModel: there is none of this id.
        """
        with self._steady() as wire:
            return wire.place(model_id)

    def drawn_as(self, model_id: str, is_drawable: Callable[[str], bool]) -> str:
        """What is to be drawn to see a model: itself, else the plot nearest above it.

        Where no plot leads to it, it is the nearest model that can be drawn, else its root.

        :param is_drawable: says of a type whether it can be drawn alone.
        """
        with self._steady() as wire:
            return run_blocking(_drawn_as, wire, model_id, is_drawable)

    def labels(self, model_ids: Iterable[str]) -> dict[str, str]:
        """What models are called in plain words; those that it does not have are left out."""
        with self._steady() as wire:
            return labels_in(wire, model_ids)

    def standing_at(self, place: Place) -> str | None:
        """What stands where a model stands in another revision: of its name, else at its place."""
        with self._steady() as wire:
            named = wire.find(place.name) if place.name else None
            return place.choose(named, wire.plots(), wire.roots)


class Readable(Memory, Still):
    """A document in memory that can be read; what is not committed is never seen."""

    def pull(self, *, inline: bool = False) -> Pulled:
        """The document as it is committed.

        :param inline: arrays within the JSON, for receivers that get no buffers.
        """
        with self._steady() as wire:
            return self._pull(wire, inline)

    def join(self, follower: Follower, *, inline: bool = False) -> tuple[Pulled, Cursor]:
        """The document as it is committed, and a cursor to exactly what follows."""
        with self._steady() as wire:
            pulled = self._pull(wire, inline)
            return pulled, self.channel.follow(follower, seq=pulled.seq)

    def resume(self, follower: Follower, seq: int) -> tuple[bytes | None, Cursor]:
        """What :meth:`catch_up` gives, and a cursor to exactly what follows."""
        with self._steady() as wire:
            self._tell_again(follower.origin, seq)
            self._history.told(follower.origin, [ANYTHING], self.seq)
            return self._catch_up(wire, seq), self.channel.follow(follower, seq=self.seq)

    @abstractmethod
    def _tell_again(self, origin: str, seq: int) -> None:
        """See to it that a follower that was at ``seq`` is told what it may have missed."""

    def catch_up(self, seq: int) -> bytes | None:
        """The newest value of everything that changed after ``seq``, as one ``PATCH-DOC``.

        :returns: frames ready to send; ``None`` when it takes more, so that the follower must pull.
        """
        with self._steady() as wire:
            return self._catch_up(wire, seq)

    def referrers(self, model_id: str) -> set[str]:
        """The ids of the models that refer to a model directly; empty where there is none."""
        with self._steady() as wire:
            return wire.referrers(model_id)

    def collect(self) -> list[str]:
        """Drop the models that no root leads to; their ids."""
        with self._steady() as wire:
            return wire.collect()

    def _pull(self, wire: WireDocument, inline: bool) -> Pulled:
        if inline not in self._bodies:
            self._bodies[inline] = run_blocking(_body, wire, inline)
        return Pulled(self.seq, self._bodies[inline])

    def _catch_up(self, wire: WireDocument, seq: int) -> bytes | None:
        newest = wire.changed_since(seq)
        return None if newest is None else encode("PATCH-DOC", *newest, msgid=str(self.seq))


def _model(wire: WireDocument, model_id: str, deep: bool) -> dict[str, Any]:
    return wire.model_json(model_id, deep=deep)


def _drawn_as(wire: WireDocument, model_id: str, is_drawable: Callable[[str], bool]) -> str:
    models, roots = wire.models, set(wire.roots)
    if model_id not in models or is_drawable(models[model_id].name):
        return model_id
    above = climb(model_id, models)
    plots = (each for each in above if models[each].is_plot)
    others = (each for each in above if is_drawable(models[each].name))
    tops = (each for each in above if each in roots)
    return next(chain(plots, others, tops), model_id)


def _models(wire: WireDocument, type_name: str | None) -> list[dict[str, Any]]:
    return [wire.model_json(each) for each in wire.typed(type_name)]


def _content(wire: WireDocument, inline: bool) -> tuple[bytes, dict[str, bytes]]:
    return wire.content(inline=inline)


def _body(wire: WireDocument, inline: bool) -> Body:
    content, buffers = wire.content(inline=inline)
    return encode_body(b'{"doc":%b}' % content, buffers)
