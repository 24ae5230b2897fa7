"""gevent in the place of the standard library's threads and sockets.

To be imported, and called, before anything else is.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["patch"]


def patch() -> None:
    """Have threads be greenlets.

    asyncio keeps the running loop for each native thread where it is written in C, and all
    greenlets share one: two that run a loop would take each other's. Written in Python it keeps
    the loop for whatever ``threading.local`` does, which are greenlets then.
    """
    modules: dict[str, Any] = sys.modules
    if "asyncio" not in modules:
        modules["_asyncio"] = None
    from gevent import monkey

    monkey.patch_all()
