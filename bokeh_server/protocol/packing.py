"""One JSON body together with its binary buffers: HTTP bodies, the log, export files.

The form, every number little-endian:

.. code-block:: text

    "BkP1"   content length: u64   number of buffers: u32
    for every buffer    length of its id: u16   length of its bytes: u64
    content
    for every buffer    id (UTF-8), bytes
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from bokeh_server.errors import InvalidMessage

__all__ = ["CONTENT_TYPE", "Buffers", "pack", "unpack"]

#: buffer id -> bytes, in order.
Buffers: TypeAlias = Mapping[str, bytes]

CONTENT_TYPE = "application/vnd.bokeh-server.packed"

_MAGIC = b"BkP1"
_HEAD = struct.Struct("<4sQI")
_BUFFER = struct.Struct("<HQ")


def pack(content: bytes, buffers: Buffers) -> bytes:
    """Put a body and its buffers into one string of bytes.

    :param content: JSON bytes; not looked at.
    :raises ValueError: a buffer id is longer than 65,535 bytes.
    """
    ids = [key.encode() for key in buffers]
    if any(len(key) > 0xFFFF for key in ids):
        raise ValueError("a buffer id is longer than 65,535 bytes")
    parts: list[bytes] = [_HEAD.pack(_MAGIC, len(content), len(buffers))]
    parts += [
        _BUFFER.pack(len(key), len(data)) for key, data in zip(ids, buffers.values(), strict=True)
    ]
    parts.append(content)
    for key, data in zip(ids, buffers.values(), strict=True):
        parts += (key, data)
    return b"".join(parts)


def unpack(data: bytes, what: str = "a packed body") -> tuple[bytes, Buffers]:
    """Take a packed body apart.

    :param data: what :func:`pack` made.
    :param what: what is being read, for the error message: ``"the file plots.bokeh"``.
    :returns: the JSON bytes and the buffers.
    :raises InvalidMessage: ``data`` is not a packed body, or it is cut off, or too long.
    """
    sizes, content, at = _read_head(data, what)
    buffers: dict[str, bytes] = {}
    for id_size, size in sizes:
        key, at = _read_id(data, at, id_size, what), at + id_size
        if key in buffers:
            raise _invalid(what, f"the buffer id {key!r} occurs twice")
        buffers[key] = bytes(data[at : at + size])
        at += size
    return content, buffers


def _read_head(data: bytes, what: str) -> tuple[list[tuple[int, int]], bytes, int]:
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        raise _invalid(what, "it does not begin as one")
    _, content_size, count = _HEAD.unpack_from(data)
    at = _HEAD.size + count * _BUFFER.size
    if at > len(data):
        raise _invalid(what, "it is cut off in its table of buffers")
    sizes = list(_read_sizes(data, count))
    whole = at + content_size + sum(id_size + size for id_size, size in sizes)
    if whole != len(data):
        raise _invalid(what, f"it should be {whole:,} bytes long and is {len(data):,}")
    return sizes, bytes(data[at : at + content_size]), at + content_size


def _read_sizes(data: bytes, count: int) -> Iterator[tuple[int, int]]:
    for index in range(count):
        yield _BUFFER.unpack_from(data, _HEAD.size + index * _BUFFER.size)


def _read_id(data: bytes, at: int, size: int, what: str) -> str:
    try:
        return bytes(data[at : at + size]).decode()
    except UnicodeDecodeError:
        raise _invalid(what, "a buffer id is not UTF-8") from None


def _invalid(what: str, why: str) -> InvalidMessage:
    remedy = f"Send plain JSON, or a body of type {CONTENT_TYPE}"
    return InvalidMessage(f"read {what}", why, remedy)
