"""Control frames as a server sends them (RFC 6455, section 5.5)."""

from __future__ import annotations

import struct

__all__ = ["close_frame", "ping_frame", "pong_frame"]

MAX_PAYLOAD = 125
NO_STATUS = 1005


def ping_frame(payload: bytes = b"") -> bytes:
    """Ask the peer for a pong with the same payload, of at most 125 bytes."""
    return bytes((0x89, len(payload))) + payload


def pong_frame(payload: bytes = b"") -> bytes:
    """Answer a ping."""
    return bytes((0x8A, len(payload))) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Close with a code and a reason, which is cut to what fits; 1005 stands for no code."""
    if code == NO_STATUS:
        return b"\x88\x00"
    text = reason.encode(errors="replace")[: MAX_PAYLOAD - 2].decode(errors="ignore").encode()
    return bytes((0x88, len(text) + 2)) + struct.pack("!H", code) + text
