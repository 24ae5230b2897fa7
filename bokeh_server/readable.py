"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["readable_size"]


def readable_size(size: float) -> str:
    """A number of bytes for people: ``1.5 MB``."""
    for unit in ("bytes", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
