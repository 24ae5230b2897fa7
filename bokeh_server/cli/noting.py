"""What commands do is noted, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bokeh_server.storage import NewEvent

__all__ = ["by_command"]


def by_command(
    action: str,
    *,
    docid: str | None = None,
    owner: str | None = None,
    title: str | None = None,
    detail: str | None = None,
) -> NewEvent:
    """An event of what a command does, by nobody who has an account."""
    from bokeh_server.storage import NewEvent

    return NewEvent(action, via="command", docid=docid, owner=owner, title=title, detail=detail)
