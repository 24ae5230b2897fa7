"""What a document in Bokeh's JSON is made of, in the form that ``bokehjs_tree.js`` gives."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from bokeh_server.protocol.arrays import inflate

__all__ = ["from_page", "read_tree", "to_page"]

Json = Any

_INTEGERS = ("int32", "uint32", "object")
_SPECIAL = {"nan": "NaN", "+inf": "Infinity", "-inf": "-Infinity"}


def to_page(content: bytes, buffers: Mapping[str, bytes]) -> dict[str, Any]:
    """Content and buffers in a form that goes through Playwright."""
    texts = {key: base64.b64encode(data).decode() for key, data in buffers.items()}
    return {"content": content.decode(), "buffers": texts}


def read_tree(content: bytes, buffers: Mapping[str, bytes]) -> dict[str, Any]:
    """Read a document; ``attributes`` are those that are written."""
    doc = orjson.loads(content)
    reader = _Reader(buffers)
    config = reader.value(doc["config"])
    roots = [each["ref"] for each in reader.value(doc["roots"])]
    callbacks = reader.value(doc["callbacks"])["map"] if "callbacks" in doc else []
    return {
        "title": doc["title"],
        "roots": roots,
        "config": config["ref"],
        "models": reader.models,
        "callbacks": [[name, [each["ref"] for each in some]] for name, some in callbacks],
    }


class _Reader:
    """Reads values as BokehJS does.

    :ivar models: by id, type and attributes of those that were met in full.
    """

    def __init__(self, buffers: Mapping[str, bytes]) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self._buffers = buffers

    def value(self, raw: Json) -> Json:
        """Give the form in which values can be compared."""
        if isinstance(raw, bool):
            return {"bool": raw}
        if isinstance(raw, list):
            return [self.value(each) for each in raw]
        if not isinstance(raw, dict):
            return _plain_number(raw) if isinstance(raw, int | float) else raw
        kind = raw.get("type", "ref" if "id" in raw else None)
        read = getattr(self, f"_{kind}", None)
        return self._plain(raw) if read is None else read(raw)

    def _plain(self, raw: Json) -> Json:
        return _map([key, self.value(each)] for key, each in raw.items() if key != "type")

    def _ref(self, raw: Json) -> Json:
        return {"ref": raw["id"]}

    def _object(self, raw: Json) -> Json:
        self.models[raw["id"]] = {"type": raw["name"], "attributes": {}}
        attributes = {key: self.value(each) for key, each in raw.get("attributes", {}).items()}
        self.models[raw["id"]]["attributes"] = attributes
        return {"ref": raw["id"]}

    def _number(self, raw: Json) -> Json:
        value = raw["value"]
        return {"number": _SPECIAL[value]} if isinstance(value, str) else value

    def _array(self, raw: Json) -> Json:
        return self.value(raw.get("entries", []))

    def _set(self, raw: Json) -> Json:
        entries = _map([self.value(each), 0] for each in raw.get("entries", []))["map"]
        return {"set": [key for key, _ in entries]}

    def _map(self, raw: Json) -> Json:
        return _map([self.value(k), self.value(v)] for k, v in raw.get("entries", []))

    def _slice(self, raw: Json) -> Json:
        return _map([key, raw[key]] for key in ("start", "stop", "step"))

    def _bytes(self, raw: Json) -> Json:
        return {"bytes": list(self._data(raw))}

    def _data(self, raw: Json) -> bytes:
        data = raw["data"]
        return inflate(data, 2**27) if isinstance(data, str) else self._buffers[data["id"]]

    def _typed_array(self, raw: Json) -> Json:
        return self._ndarray(raw)

    def _ndarray(self, raw: Json) -> Json:
        items, dtype = raw["array"], raw["dtype"]
        if isinstance(items, dict):
            order = "<" if raw["order"] == "little" else ">"
            array = np.frombuffer(self._data(items), np.dtype(dtype).newbyteorder(order))
            values = [self._item(each) for each in array.tolist()]
        else:
            values = self.value(items)
        whole = dtype in _INTEGERS and all(_is_safe_integer(each) for each in values)
        shape = raw.get("shape") or [len(values)]
        return {"array": values, "dtype": "whole" if whole else dtype, "shape": shape}

    def _item(self, item: Any) -> Json:
        if isinstance(item, float) and not np.isfinite(item):
            return {"number": "NaN" if item != item else "Infinity" if item > 0 else "-Infinity"}
        return {"bool": item} if isinstance(item, bool) else _plain_number(item)


def _plain_number(value: float) -> Json:
    """The number; as text where JavaScript has no such whole numbers."""
    return value if abs(value) < 2**53 else {"number": float(value)}


def from_page(value: Json) -> Json:
    """Give what a page has said, with large numbers as :func:`read_tree` gives them."""
    if isinstance(value, list):
        return [from_page(each) for each in value]
    if not isinstance(value, dict):
        return value
    number = value.get("number")
    if isinstance(number, str) and number not in _SPECIAL.values():
        return {"number": float(number)}
    return {key: from_page(each) for key, each in value.items()}


def _is_safe_integer(value: Json) -> bool:
    return isinstance(value, int | float) and value == int(value)


def _map(pairs: Any) -> Json:
    """The pairs, by the order of their keys as JSON; of equal keys the last."""
    unique = {_key(pair[0]): list(pair) for pair in pairs}
    return {"map": [unique[key] for key in sorted(unique)]}


def _key(key: Json) -> str:
    return orjson.dumps(key).decode()
