"""WebSocket frames as a server sends them: final, never masked, never compressed.

They do not depend on the connection, so one encoding serves every viewer.
"""

from __future__ import annotations

import struct

__all__ = ["binary_frame", "binary_head", "text_frame", "text_head"]

_TEXT = 0x81
_BINARY = 0x82


def text_frame(payload: bytes) -> bytes:
    """Give one text message; ``payload`` is UTF-8."""
    return _head(_TEXT, len(payload)) + payload


def text_head(size: int) -> bytes:
    """Give what goes before ``size`` bytes of text."""
    return _head(_TEXT, size)


def binary_frame(payload: bytes) -> bytes:
    """Give one binary message."""
    return _head(_BINARY, len(payload)) + payload


def binary_head(size: int) -> bytes:
    """Give what goes before ``size`` bytes of anything."""
    return _head(_BINARY, size)


def _head(opcode: int, size: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", opcode, size)
    if size < 65536:
        return struct.pack("!BBH", opcode, 126, size)
    return struct.pack("!BBQ", opcode, 127, size)
