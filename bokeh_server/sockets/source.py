"""What the socket of Bokeh's protocol needs of a live document."""

from __future__ import annotations

from typing import Any, Protocol

from bokeh_server.channels import Channel, Cursor, Follower
from bokeh_server.protocol.messages import Body
from bokeh_server.protocol.packing import Buffers
from bokeh_server.protocol.patches import Patch

__all__ = ["LiveSource", "Snapshot"]


class Snapshot(Protocol):
    """A whole document as it is sent to those who pull it."""

    @property
    def seq(self) -> int:
        """The last change it contains."""

    @property
    def body(self) -> Body:
        """``{"doc": DocJson}`` and its buffers, ready to send and shared by all who get it."""


class LiveSource(Protocol):
    """A stored document, or the session of an application."""

    @property
    def channel(self) -> Channel:
        """Its live feed."""

    def join(self, follower: Follower, *, inline: bool = False) -> tuple[Snapshot, Cursor]:
        """Give the whole document and a cursor to exactly what comes after it."""

    def apply(
        self,
        patch: Patch,
        *,
        actor: str,
        origin: str | None = None,
        key: str | None = None,
        browser: bool = False,
        ranges: bool = True,
        seen: float | None = None,
    ) -> int:
        """Apply a patch, all or nothing; give the ``seq`` of the document then."""

    def replace(
        self,
        doc: dict[str, Any],
        buffers: Buffers,
        *,
        actor: str,
        origin: str | None = None,
        key: str | None = None,
    ) -> int:
        """Replace everything; give the ``seq`` of the document then."""

    def resume(self, follower: Follower, seq: int) -> tuple[bytes | None, Cursor]:
        """Give what brings a follower that has change ``seq`` up to date, and a cursor from there.

        :returns: frames ready to send; ``None``: it takes more, the follower has to pull again.
        """
