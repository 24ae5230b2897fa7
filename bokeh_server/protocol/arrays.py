"""Binary leaves of wire values, and arrays between Bokeh's wire form and numpy."""

from __future__ import annotations

import base64
import binascii
import gzip
import math
import sys
import zlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bokeh_server.protocol.chunks import CHUNK_BYTES, Cuts, Digests, Stretch

__all__ = [
    "MAX_INFLATED",
    "Array",
    "Blob",
    "InvalidValue",
    "Leaf",
    "check_ndarray",
    "check_typed_array",
    "decode_array",
    "deflate",
    "encode_array",
    "has_dtype",
    "inflate",
    "objects",
    "plain",
    "shown_dtype",
    "wire_item",
]

Array = npt.NDArray[Any]

#: most bytes that the inline arrays of one patch or document may unpack to.
MAX_INFLATED = 128 * 1024 * 1024

_DTYPES = frozenset(
    ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "bool")
)
_NARROW = {np.dtype(np.int64): np.int32, np.dtype(np.uint64): np.uint32}
_ORDERS = ("little", "big")
_GZIP = 16 + zlib.MAX_WBITS


class InvalidValue(Exception):
    """What is wrong with a value; where it is comes with the error that the caller gets."""


class Leaf(Protocol):
    """Bytes inside a wire value."""

    def raw(self) -> bytes:
        """Give the bytes, for a buffer."""

    def inline(self) -> str:
        """Give them as text: base64 of gzip."""

    def stretch(self, known: Digests) -> Stretch:
        """Give them in chunks, for a snapshot; its ``skip`` counts bytes."""

    def __len__(self) -> int:
        """How many there are."""


class Blob:
    """Bytes that never change.

    :param first: how many were dropped from their beginning since they were first cut in chunks.
    """

    __slots__ = ("_cuts", "_inline", "data")

    def __init__(self, data: bytes, first: int = 0) -> None:
        self.data = data
        self._inline: str | None = None
        self._cuts = Cuts(first) if first else None

    def __len__(self) -> int:
        return len(self.data)

    @property
    def first(self) -> int:
        """How many bytes were dropped from their beginning."""
        return self._cuts.first if self._cuts else 0

    def raw(self) -> bytes:
        """Give the bytes."""
        return self.data

    def inline(self) -> str:
        """Give base64 of gzip, made once."""
        if self._inline is None:
            self._inline = deflate(self.data)
        return self._inline

    def stretch(self, known: Digests) -> Stretch:
        """Give them in chunks."""
        view, self._cuts = memoryview(self.data), self._cuts or Cuts()
        return self._cuts.cut(len(view), CHUNK_BYTES, known, lambda start, stop: view[start:stop])


def deflate(data: bytes) -> str:
    """Give bytes in Bokeh's inline form: base64 of gzip, the same at any time of day."""
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=1)).decode("ascii")


def inflate(text: str, limit: int) -> bytes:
    """Read bytes in Bokeh's inline form.

    :param limit: most bytes it may unpack to.
    :raises InvalidValue: it is not base64 of gzip, or unpacks to more.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        data = unpacker.decompress(base64.b64decode(text, validate=True), limit + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise InvalidValue("an inline array is not base64 of gzip") from None
    if len(data) > limit:
        raise InvalidValue("inline arrays unpack to too much; send them as buffers")
    if not unpacker.eof:
        raise InvalidValue("an inline array is cut off")
    return data


def check_ndarray(rep: dict[str, Any]) -> None:
    """Check a stored ``ndarray``: what numpy will make of it, without making it.

    :param rep: its array is a :class:`Blob` or a list of wire values.
    :raises InvalidValue: dtype, order, shape and length are not all right and in agreement.
    """
    dtype, shape, array = rep.get("dtype"), rep.get("shape"), rep.get("array")
    if not isinstance(dtype, str) or (dtype not in _DTYPES and dtype != "object"):
        raise InvalidValue(f"an array has dtype {dtype!r}, which Bokeh does not have")
    _check_order(rep)
    count = _count(shape)
    if isinstance(array, Blob):
        _check_size(array, dtype, count, shape)
    elif not isinstance(array, list):
        raise InvalidValue("an array is neither bytes nor a list")
    elif len(array) != count:
        raise InvalidValue(f"an array of shape {shape} has {len(array)} items, not {count}")
    elif dtype != "object":
        _convert(array, dtype)


def check_typed_array(rep: dict[str, Any]) -> None:
    """Check a stored ``typed_array``, the form in which browsers send arrays.

    :raises InvalidValue: it cannot be read.
    """
    dtype, array = rep.get("dtype"), rep.get("array")
    if not isinstance(dtype, str) or dtype not in _DTYPES or dtype == "bool":
        raise InvalidValue(f"a typed array has dtype {dtype!r}, which Bokeh does not have")
    _check_order(rep)
    if not isinstance(array, Blob) or len(array.data) % np.dtype(dtype).itemsize:
        raise InvalidValue(f"a typed array is not made of whole {dtype} numbers")


def _check_order(rep: dict[str, Any]) -> None:
    if rep.get("order") not in _ORDERS:
        raise InvalidValue(f"an array has byte order {rep.get('order')!r}, not little or big")


def _count(shape: object) -> int:
    if not isinstance(shape, list) or not shape or len(shape) > 32:
        raise InvalidValue(f"an array has shape {str(shape)[:100]}, not a list of sizes")
    if not all(type(size) is int and 0 <= size < 2**48 for size in shape):
        raise InvalidValue(f"an array has shape {shape}, not a list of sizes")
    return math.prod(shape)


def _check_size(blob: Blob, dtype: str, count: int, shape: object) -> None:
    if dtype == "object":
        raise InvalidValue("an array of objects is given as bytes")
    expected = count * np.dtype(dtype).itemsize
    if len(blob.data) != expected:
        why = f"a {dtype} array of shape {shape} has {len(blob.data):,} bytes, not {expected:,}"
        raise InvalidValue(why)


def decode_array(rep: dict[str, Any]) -> Array:
    """Make the numpy array of a checked ``ndarray`` or ``typed_array``.

    :returns: perhaps read-only; arrays of objects hold wire values.
    """
    array, dtype = rep["array"], rep["dtype"]
    if isinstance(array, Blob):
        made: Array = np.frombuffer(array.data, dtype=dtype)
        if rep["order"] != sys.byteorder:
            made = made.byteswap()
    elif dtype == "object":
        made = objects(array)
    else:
        made = _convert(array, dtype)
    shape = rep.get("shape")
    return made.reshape(shape) if shape is not None and len(shape) > 1 else made


def objects(items: Sequence[Any]) -> Array:
    """Make an array whose items are just these objects, lists included."""
    made = np.empty(len(items), dtype=object)
    for index, item in enumerate(items):
        made[index] = item
    return made


def _convert(items: Sequence[Any], dtype: str) -> Array:
    try:
        made = np.array([plain(item) for item in items], dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        raise InvalidValue(f"an array holds items that are not {dtype}") from None
    if made.ndim != 1:
        raise InvalidValue("an array's items are lists; they have to be in one flat list")
    return made


def has_dtype(array: Array) -> bool:
    """Whether Bokeh has arrays of this one's type."""
    return array.dtype.name in _DTYPES or array.dtype == object


def encode_array(array: Array, leaf: Leaf, shown: str | None = None) -> dict[str, Any]:
    """Give the wire form of a numpy array, as Bokeh writes it.

    :param leaf: stands for the array's bytes where they can be sent as they are.
    :param shown: the dtype to write it with, where it is known that it can be.
    """
    dtype = shown or shown_dtype(array)
    data: object = leaf
    if dtype == "object":
        data = [wire_item(item) for item in array.ravel().tolist()]
    elif dtype != array.dtype.name:
        data = Blob(array.astype(dtype).tobytes())
    shape = list(array.shape)
    return {"type": "ndarray", "array": data, "shape": shape, "dtype": dtype, "order": "little"}


def shown_dtype(array: Array) -> str:
    """Give the dtype with which Bokeh writes an array.

    64 bits become 32 where they fit: BokehJS has no wider integers.
    """
    name = array.dtype.name
    if name in _DTYPES:
        return name
    target = _NARROW.get(array.dtype)
    if target is None:
        return "object"
    bounds = np.iinfo(target)
    if array.size and (array.min() < bounds.min or array.max() > bounds.max):
        return "object"
    return np.dtype(target).name


def wire_item(item: Any) -> Any:
    """Give one item of a numpy array's list as a wire value."""
    if type(item) is float and not math.isfinite(item):
        text = "nan" if math.isnan(item) else "+inf" if item > 0 else "-inf"
        return {"type": "number", "value": text}
    return item


def plain(item: Any) -> Any:
    """Give a wire value as numpy should see it: numbers, arrays and lists as themselves."""
    if type(item) is list:
        return [plain(each) for each in item]
    if type(item) is dict:
        kind = item.get("type")
        if kind == "number":
            return float(item["value"])
        if kind == "array":
            return plain(item.get("entries", []))
        if kind in ("ndarray", "typed_array"):
            return decode_array(item)
    return item
