"""What a WebSocket may send and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the transport; sizes in bytes, times in seconds."""

    #: largest WebSocket message, before and after its fragments are put together.
    max_message: int = 20 * MEGABYTE
    #: most fragments of one message.
    max_fragments: int = 131_072
    #: largest message of Bokeh's protocol, which is several WebSocket messages.
    max_protocol_message: int = 100 * MEGABYTE
    #: a connection is pinged so often; one that does not answer until the next ping is dead.
    ping_interval: float = 25.0
    #: a peer that takes nothing for so long while data waits is closed.
    stall_timeout: float = 30.0
    #: how long a peer may take to answer our close, and to hang up after it.
    close_timeout: float = 3.0
    #: how long a stopping server waits for its connections to end.
    shutdown_timeout: float = 2.0
    #: more than this waiting for a peer that does not read: it is not read from either.
    max_replies: int = 256 * 1024
    #: more than this of its own (not shared) waiting for a peer: it is closed.
    max_backlog: int = MEGABYTE // 2
    #: what the kernel may keep for a peer, which it takes twice; left to itself it keeps megabytes.
    send_buffer: int = 208 * 1024
