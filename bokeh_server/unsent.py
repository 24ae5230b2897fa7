"""Whether a peer that lets us send nothing is slow, or has gone."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["unsent"]


def unsent(sock: Any) -> int:
    """Bytes that the peer has not yet acknowledged; 0 where the system does not tell.

    The system calls a full connection writable only when a good part of its buffer is free again,
    which over a slow line takes minutes; this number sinks with every packet that arrives.
    """
    try:
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (ImportError, AttributeError, OSError):
        return 0
