"""Whether two values in wire form say the same, however their arrays are written."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.core.serialization import Buffer

__all__ = ["same_value"]

Buffers = Mapping[str, bytes]


def same_value(mine: Any, theirs: Any, buffers: Buffers) -> bool:
    """Compare a value of this process with one of the server.

    :param mine: in wire form, as Bokeh's serializer made it.
    :param theirs: in wire form, as JSON.
    :param buffers: the buffers that ``theirs`` refers to.
    """
    if _is_array(mine) or _is_array(theirs):
        return _same_array(mine, theirs, buffers)
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return _same_dict(mine, theirs, buffers)
    if isinstance(mine, list | tuple) and isinstance(theirs, list | tuple):
        return _same_list(mine, theirs, buffers)
    return bool(mine == theirs) and isinstance(mine, bool) == isinstance(theirs, bool)


def _same_list(mine: Any, theirs: Any, buffers: Buffers) -> bool:
    return len(mine) == len(theirs) and all(
        same_value(one, other, buffers) for one, other in zip(mine, theirs, strict=True)
    )


def _same_dict(mine: dict[str, Any], theirs: dict[str, Any], buffers: Buffers) -> bool:
    if mine.get("type") == theirs.get("type") == "map":
        return _same_entries(mine.get("entries", []), theirs.get("entries", []), buffers)
    if mine.get("type") == theirs.get("type") == "set":
        return _same_set(mine.get("entries", []), theirs.get("entries", []), buffers)
    if mine.get("type") == theirs.get("type") == "bytes":
        return _bytes(mine["data"], buffers) == _bytes(theirs["data"], buffers)
    return mine.keys() == theirs.keys() and all(
        same_value(value, theirs[key], buffers) for key, value in mine.items()
    )


def _same_entries(mine: list[Any], theirs: list[Any], buffers: Buffers) -> bool:
    try:
        other = dict(theirs)
        return len(mine) == len(other) and all(
            key in other and same_value(value, other[key], buffers) for key, value in mine
        )
    except TypeError:  # keys that are not plain
        return _same_list(mine, theirs, buffers)


def _same_set(mine: list[Any], theirs: list[Any], buffers: Buffers) -> bool:
    rest = list(theirs)
    for value in mine:
        found = next((each for each in rest if same_value(value, each, buffers)), None)
        if found is None:
            return False
        rest.remove(found)
    return not rest


def _is_array(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in ("ndarray", "typed_array")


def _same_array(mine: Any, theirs: Any, buffers: Buffers) -> bool:
    try:
        one, other = _array(mine, buffers), _array(theirs, buffers)
    except (KeyError, TypeError, ValueError):
        return False
    if one.shape != other.shape:
        return False
    numeric = one.dtype.kind in "biuf" and other.dtype.kind in "biuf"
    return bool(np.array_equal(one, other, equal_nan=numeric))


def _array(value: Any, buffers: Buffers) -> npt.NDArray[Any]:
    if not _is_array(value):
        return np.array([_number(each) for each in value])
    data = value["array"]
    if isinstance(data, list):
        flat = np.array([_number(each) for each in data])
    else:
        dtype = np.dtype(value["dtype"]).newbyteorder("<" if value["order"] == "little" else ">")
        flat = np.frombuffer(_bytes(data["data"], buffers), dtype)
    return flat.reshape(value.get("shape", flat.shape))


def _number(value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") == "number":
        return float(value["value"])
    return value


def _bytes(data: Any, buffers: Buffers) -> bytes:
    if isinstance(data, Buffer):
        return data.to_bytes()
    if isinstance(data, str):
        return gzip.decompress(base64.b64decode(data))
    return buffers[data["id"]]
