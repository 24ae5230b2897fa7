"""Whether two values in wire form are the same, types included, however arrays are sent."""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.core.serialization import Buffer

__all__ = ["same_value"]

Buffers = Mapping[str, bytes]


def same_value(mine: Any, theirs: Any, buffers: Buffers) -> bool:
    """Compare a value of this process with one of the server.

    ``1`` is not ``1.0``, ``0.0`` not ``-0.0``, and an array not one of another type, nor a list.

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
    return _same_plain(mine, theirs)


def _same_plain(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, float) and isinstance(theirs, float):
        # NaN comes from pages that write it into columns
        same = mine == theirs or (math.isnan(mine) and math.isnan(theirs))
        return same and math.copysign(1.0, mine) == math.copysign(1.0, theirs)
    numbers = isinstance(mine, int | float) and isinstance(theirs, int | float)
    return bool(mine == theirs) and (not numbers or type(mine) is type(theirs))


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
    if not (_is_array(mine) and _is_array(theirs) and mine["type"] == theirs["type"]):
        return False
    if isinstance(mine["array"], list) and isinstance(theirs["array"], list):
        same = same_value(mine["array"], theirs["array"], buffers)
        return same and _kind(mine) == _kind(theirs)
    try:
        one, other = _array(mine, buffers), _array(theirs, buffers)
    except (KeyError, TypeError, ValueError):
        return False
    return (one.shape, one.dtype) == (other.shape, other.dtype) and one.tobytes() == other.tobytes()


def _kind(value: Any) -> tuple[Any, Any]:
    return value.get("dtype"), value.get("shape")


def _array(value: Any, buffers: Buffers) -> npt.NDArray[Any]:
    dtype = np.dtype(value["dtype"]).newbyteorder("<" if value["order"] == "little" else ">")
    flat = np.frombuffer(_bytes(value["array"]["data"], buffers), dtype)
    array = flat.reshape(value.get("shape", flat.shape))
    return array.astype(dtype.newbyteorder("="), copy=False)


def _bytes(data: Any, buffers: Buffers) -> bytes:
    if isinstance(data, Buffer):
        return data.to_bytes()
    if isinstance(data, str):
        return gzip.decompress(base64.b64decode(data))
    return buffers[data["id"]]
