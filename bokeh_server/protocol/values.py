"""Wire values: from JSON as it arrives to what a document keeps.

A kept value is JSON except for its leaves: a model is a :class:`Ref`, bytes are a
:class:`~bokeh_server.protocol.arrays.Blob`. Kept values are never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from bokeh_server.protocol.arrays import (
    MAX_INFLATED,
    Blob,
    InvalidValue,
    check_ndarray,
    check_typed_array,
    inflate,
)
from bokeh_server.protocol.models import Ref, WireModel
from bokeh_server.protocol.packing import Buffers
from bokeh_server.protocol.patches import invalid_patch

__all__ = ["MAX_DEPTH", "Reader"]

#: most levels of JSON within one attribute.
MAX_DEPTH = 200

_NESTED = frozenset((dict, list))
_SLICE = frozenset(("type", "start", "stop", "step"))
_NUMBERS = ("nan", "+inf", "-inf")
_UNHASHABLE = frozenset(("array", "map", "set", "ndarray", "typed_array"))
_STRUCTURES = frozenset(("value", "field", "expr", "event"))


class Reader:
    """Read the values of one patch or document.

    :ivar new: the models that were written out in full and are not in ``known``, by id.
    :ivar refs: ids that were referred to since :meth:`value` was last called.
    :ivar exact: all values so far came just as they are kept and written.

    :param known: models that are there already.
    :param blobs: more bytes, by the id of a buffer.
    :param aside: ids of models in ``known`` that are read anew when they come in full.
    """

    def __init__(
        self,
        buffers: Buffers,
        known: Mapping[str, WireModel],
        *,
        blobs: Mapping[str, Blob] | None = None,
        aside: Collection[str] = (),
    ) -> None:
        self.new: dict[str, WireModel] = {}
        self.refs: dict[str, None] = {}
        self.exact = True
        self._buffers = buffers
        self._blobs: dict[str, Blob] = dict(blobs or {})
        self._known = known
        self._aside = aside
        self._pending: list[tuple[WireModel, dict[str, Any]]] = []
        self._all_refs: dict[str, str] = {}
        self._where = ""
        self._deepest = 0
        self._inflatable = MAX_INFLATED
        self._walkers: dict[str, Callable[[dict[str, Any], int], Any]] = {
            "ref": self._ref,
            "number": self._number,
            "array": self._entries,
            "set": self._entries,
            "map": self._map,
            "bytes": self._bytes,
            "slice": self._slice,
            "ndarray": self._ndarray,
            "typed_array": self._typed_array,
            "object": self._object,
        }

    def value(self, raw: Any, where: str) -> Any:
        """Read one value; the models defined in it wait for :meth:`finish`.

        :param where: whose value it is, for error messages.
        :raises InvalidPatch: it is no value of Bokeh's.
        """
        self._where = where
        self.refs = {}
        self._deepest = 0
        try:
            value = self._walk(raw, 0)
        except InvalidValue as fault:
            raise invalid_patch(f"in {where}, {fault}") from None
        for model_id in self.refs:
            self._all_refs.setdefault(model_id, where)
        return value

    @property
    def depth(self) -> int:
        """How many levels of JSON the last value had."""
        return self._deepest

    def meets(self, ids: Collection[str]) -> bool:
        """Whether one of these models was referred to, or written out in full."""
        return bool(ids) and not self._all_refs.keys().isdisjoint(ids)

    def define(self) -> None:
        """Read the attributes of the models that were defined so far."""
        while self._pending:
            model, attributes = self._pending.pop()
            for attr, raw in attributes.items():
                where = f"{attr!r} of {model.label}"
                value = self.value(raw, where)
                model.set(attr, value, tuple(self.refs), self._deepest)

    def finish(self) -> None:
        """Check that every model referred to exists.

        :raises InvalidPatch: one does not; the message says which and where.
        """
        self.define()
        for model_id, where in self._all_refs.items():
            if model_id not in self._known and model_id not in self.new:
                why = f"{where} refers to model {model_id!r}, which the document does not have"
                raise invalid_patch(why, "Send the model in full, or pull the document again")

    def _walk(self, raw: Any, depth: int) -> Any:
        kind = type(raw)
        if kind is list:
            return self._list(raw, depth)
        if kind is not dict:
            return raw
        if depth > MAX_DEPTH:
            raise InvalidValue(f"values are nested more than {MAX_DEPTH} deep")
        self._deepest = max(self._deepest, depth)
        if "type" not in raw:
            return self._ref(raw, depth) if "id" in raw else self._plain(raw, depth)
        return self._typed(raw, depth)

    def _typed(self, raw: dict[str, Any], depth: int) -> Any:
        kind = raw["type"]
        walker = self._walkers.get(kind) if type(kind) is str else None
        if walker is not None:
            return walker(raw, depth)
        if type(kind) is str and kind in _STRUCTURES:
            return self._plain(raw, depth)
        raise InvalidValue(f"there is an object of type {kind!r}, which Bokeh does not have")

    def _list(self, raw: list[Any], depth: int) -> list[Any]:
        if depth > MAX_DEPTH:
            raise InvalidValue(f"values are nested more than {MAX_DEPTH} deep")
        self._deepest = max(self._deepest, depth)
        if _NESTED.isdisjoint(map(type, raw)):
            return raw
        return [self._walk(item, depth + 1) for item in raw]

    def _plain(self, raw: dict[str, Any], depth: int) -> dict[str, Any]:
        return {key: self._walk(value, depth + 1) for key, value in raw.items()}

    def _ref(self, raw: dict[str, Any], _depth: int) -> Ref:
        model_id = raw.get("id")
        if not isinstance(model_id, str) or not model_id:
            raise InvalidValue("the id of a model is not a string, or empty")
        self.exact &= len(raw) == 1
        self.refs[model_id] = None
        return Ref(model_id)

    def _number(self, raw: dict[str, Any], _depth: int) -> dict[str, Any]:
        value = raw.get("value")
        if value not in _NUMBERS and type(value) not in (int, float):
            raise InvalidValue(f"{str(value)[:40]!r} is not a number")
        self.exact &= len(raw) == 2
        return {"type": "number", "value": value}

    def _entries(self, raw: dict[str, Any], depth: int) -> dict[str, Any]:
        self.exact = False
        if "entries" not in raw:
            return {"type": raw["type"]}
        entries = raw["entries"]
        if type(entries) is not list:
            raise InvalidValue(f"the entries of a {raw['type']} are not a list")
        return {"type": raw["type"], "entries": self._list(entries, depth + 1)}

    def _map(self, raw: dict[str, Any], depth: int) -> dict[str, Any]:
        entries = raw.get("entries", [])
        if type(entries) is not list:
            raise InvalidValue("the entries of a map are not a list")
        self.exact &= len(raw) == (2 if entries else 1)
        if not entries:
            return {"type": "map"}
        pairs = []
        for entry in entries:
            if type(entry) is not list or len(entry) != 2:
                raise InvalidValue("an entry of a map is not a pair")
            key, value = entry
            if type(key) is list or (type(key) is dict and str(key.get("type")) in _UNHASHABLE):
                raise InvalidValue("a key of a map is a list or a map, which cannot be one")
            pairs.append([self._walk(key, depth + 3), self._walk(value, depth + 3)])
        return {"type": "map", "entries": pairs}

    def _bytes(self, raw: dict[str, Any], _depth: int) -> Blob:
        self.exact = False
        data = raw.get("data")
        if type(data) is str:
            blob = Blob(inflate(data, self._inflatable))
            self._inflatable -= len(blob.data)
            return blob
        key = data.get("id") if type(data) is dict else None
        if type(key) is not str:
            raise InvalidValue("bytes have no data")
        if key not in self._blobs:
            if key not in self._buffers:
                raise InvalidValue(f"buffer {key!r} is missing")
            self._blobs[key] = Blob(self._buffers[key])
        return self._blobs[key]

    def _slice(self, raw: dict[str, Any], _depth: int) -> dict[str, Any]:
        ends = {key: raw.get(key) for key in ("start", "stop", "step")}
        if not all(end is None or type(end) is int for end in ends.values()):
            raise InvalidValue("the ends of a slice are not whole numbers")
        self.exact &= raw.keys() == _SLICE
        return {"type": "slice", **ends}

    def _ndarray(self, raw: dict[str, Any], depth: int) -> dict[str, Any]:
        array = self._walk(raw.get("array"), depth + 1)
        if type(array) is dict and array.get("type") == "array":
            array = array.get("entries", [])
        self.exact = False
        keys = ("shape", "dtype", "order")
        rep = {"type": "ndarray", "array": array, **{key: raw.get(key) for key in keys}}
        check_ndarray(rep)
        return rep

    def _typed_array(self, raw: dict[str, Any], depth: int) -> dict[str, Any]:
        array = self._walk(raw.get("array"), depth + 1)
        self.exact = False
        keys = ("order", "dtype")
        rep = {"type": "typed_array", "array": array, **{key: raw.get(key) for key in keys}}
        check_typed_array(rep)
        return rep

    def _object(self, raw: dict[str, Any], depth: int) -> Any:
        self.exact = False
        name, attributes = raw.get("name"), raw.get("attributes", {})
        if type(name) is not str or type(attributes) is not dict:
            raise InvalidValue("an object has no name, or its attributes are not an object")
        if "id" not in raw:
            kept: dict[str, Any] = {"type": "object", "name": name}
            if attributes:
                kept["attributes"] = self._plain(attributes, depth + 1)
            return kept
        ref = self._ref(raw, depth)
        self._definition(ref.id, name, attributes)
        return ref

    def _definition(self, model_id: str, name: str, attributes: dict[str, Any]) -> None:
        known = self.new.get(model_id) or self._known.get(model_id)
        if known is not None and known.name != name:
            why = f"{known.label} is defined again, as a {name}; an id belongs to one model"
            raise InvalidValue(why)
        if known is None or (model_id in self._aside and model_id not in self.new):
            self.new[model_id] = WireModel(model_id, name)
            self._pending.append((self.new[model_id], attributes))
