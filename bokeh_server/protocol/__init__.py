"""Bokeh's messages and framing, and documents kept as Bokeh's wire JSON. No I/O."""

from __future__ import annotations

from bokeh_server.protocol.checking import Schema
from bokeh_server.protocol.chunks import Digests
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
from bokeh_server.protocol.models import WireModel
from bokeh_server.protocol.packing import CONTENT_TYPE, Buffers, pack, unpack
from bokeh_server.protocol.patches import Patch, parse_json, parse_patch, weigh, without_view_state
from bokeh_server.protocol.saving import Draft, Part
from bokeh_server.protocol.successors import Place, climb
from bokeh_server.protocol.wire import REPLACED, Applied, WireDocument

__all__ = [
    "CONTENT_TYPE",
    "REPLACED",
    "Applied",
    "Body",
    "Buffers",
    "Digests",
    "Draft",
    "Message",
    "Part",
    "Patch",
    "Place",
    "Receiver",
    "Schema",
    "WireDocument",
    "WireModel",
    "ack",
    "binary_frame",
    "climb",
    "encode",
    "encode_body",
    "encode_with",
    "error",
    "ok",
    "pack",
    "parse_json",
    "parse_patch",
    "server_info",
    "text_frame",
    "unpack",
    "weigh",
    "without_view_state",
]
