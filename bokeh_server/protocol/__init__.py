"""Bokeh's messages and framing, and documents kept as Bokeh's wire JSON. No I/O."""

from __future__ import annotations

from bokeh_server.protocol.frames import binary_frame, text_frame
from bokeh_server.protocol.messages import (
    Body,
    Message,
    Receiver,
    ack,
    encode,
    encode_body,
    encode_with,
    error,
    ok,
    server_info,
)
from bokeh_server.protocol.packing import CONTENT_TYPE, Buffers, pack, unpack

__all__ = [
    "CONTENT_TYPE",
    "Body",
    "Buffers",
    "Message",
    "Receiver",
    "ack",
    "binary_frame",
    "encode",
    "encode_body",
    "encode_with",
    "error",
    "ok",
    "pack",
    "server_info",
    "text_frame",
    "unpack",
]
