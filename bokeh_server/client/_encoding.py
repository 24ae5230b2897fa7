"""Models and values as Bokeh's wire JSON: the one place that touches Bokeh's serializer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import orjson
from bokeh import __version__
from bokeh.core.has_props import is_DataModel
from bokeh.core.serialization import Buffer, Ref, Serializer
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models.sources import ColumnarDataSource

from bokeh_server.protocol.packing import pack

__all__ = ["Encoder", "data_models", "document_parts", "is_source"]

_MOST_EXACT = 2**53
_PLAIN = frozenset({str, bool, type(None)})
_NUMBERS = frozenset({int, float})
_ORJSON_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
)


class _ModelEncoder(Serializer):
    """Bokeh's serializer, which also remembers the models it wrote out in full."""

    def __init__(self, knows: Callable[[Model], bool], *, inline: bool) -> None:
        super().__init__(deferred=not inline)
        self.fresh: list[Model] = []
        self._knows = knows

    def get_ref(self, obj: Any) -> Ref | None:
        # asked of one model after the other: a list of all that is known takes longer than a patch
        ref = super().get_ref(obj)
        return obj.ref if ref is None and isinstance(obj, Model) and self._knows(obj) else ref

    def has_ref(self, obj: Any) -> bool:
        return self.get_ref(obj) is not None

    def add_ref(self, obj: Any, ref: Any) -> None:
        super().add_ref(obj, ref)
        self.fresh.append(obj)

    def _encode_list(self, obj: list[Any]) -> Any:
        # item by item costs about 1 µs each, and columns are often long lists of numbers
        return list(obj) if _is_plain(obj) else super()._encode_list(obj)


def _is_plain(items: list[Any]) -> bool:
    kinds = set(map(type, items))
    if kinds <= _PLAIN:
        return True
    if not kinds <= _NUMBERS or not isfinite(sum(map(float, items), 0.0)):
        return False
    return int not in kinds or -_MOST_EXACT < min(items) <= max(items) <= _MOST_EXACT


@dataclass
class Encoder:
    """Write one patch or document; every model in full where it is first met.

    :param knows: says of a model whether the server has it, so that it is written as a reference.
    :param inline: write arrays into the JSON instead of buffers.
    """

    knows: Callable[[Model], bool] = lambda _model: False
    inline: bool = False
    _encoder: _ModelEncoder = field(init=False)

    def __post_init__(self) -> None:
        self._encoder = _ModelEncoder(self.knows, inline=self.inline)

    @property
    def fresh(self) -> list[Model]:
        """The models written in full so far."""
        return list(self._encoder.fresh)

    @property
    def serializer(self) -> Serializer:
        """Bokeh's serializer, for events that write themselves."""
        return self._encoder

    def encode(self, value: object) -> Any:
        """``value`` in wire form; arrays refer to buffers."""
        return self._encoder.encode(value)

    def attribute(self, model: Model, name: str) -> Any:
        """One attribute of a model in wire form."""
        return self.encode(model.lookup(name).get_value(model))

    def pack(self, content: object) -> bytes:
        """The content and all buffers met so far as one packed body."""
        buffers = {str(buffer.id): _bytes(buffer) for buffer in self._encoder.buffers}
        return pack(orjson.dumps(content, _reference, _ORJSON_OPTIONS), buffers)


def _reference(value: object) -> Any:
    if isinstance(value, Buffer):
        return {"id": value.id}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _bytes(buffer: Buffer) -> bytes:
    data = buffer.data
    return data if isinstance(data, bytes) else data.tobytes()


def data_models() -> list[type[Model]]:
    """The :class:`~bokeh.model.DataModel` classes of this process, which viewers must be told."""
    classes = Model.model_class_reverse_map.values()
    return [cls for cls in classes if issubclass(cls, Model) and is_DataModel(cls)]


def document_parts(document: Document, encode: Callable[[object], Any]) -> dict[str, Any]:
    """What of a document is neither its title nor its roots: configuration, callbacks, classes."""
    parts: dict[str, Any] = {"version": __version__}
    classes = data_models()
    if classes:
        parts["defs"] = encode(classes)
    parts["config"] = encode(document.config)
    callbacks = document.callbacks.js_event_callbacks
    if callbacks:
        parts["callbacks"] = encode(callbacks)
    return parts


def is_source(model: Model) -> bool:
    """Whether the model has columns of data."""
    return isinstance(model, ColumnarDataSource)
