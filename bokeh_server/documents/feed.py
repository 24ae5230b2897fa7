"""What followers get: changes, messages and newest values as ready-made bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson

from bokeh_server.channels import Channel, Cursor, Entry, Follower
from bokeh_server.protocol import Applied, Buffers, encode

__all__ = ["FollowedChannel", "change_entry", "message_entry", "pull_entry", "value_entry"]


class FollowedChannel(Channel):
    """A channel that tells when somebody comes or goes.

    :param changed: called after; must not block.
    """

    __slots__ = ("_changed",)

    def __init__(self, changed: Callable[[], None], *, max_entries: int, max_bytes: int) -> None:
        super().__init__(max_entries=max_entries, max_bytes=max_bytes)
        self._changed = changed

    def follow(self, follower: Follower, *, seq: int | None = None) -> Cursor:
        """Follow, and tell."""
        cursor = super().follow(follower, seq=seq)
        self._changed()
        return cursor

    def unfollow(self, cursor: Cursor) -> None:
        """Stop following, and tell."""
        super().unfollow(cursor)
        self._changed()


def change_entry(seq: int, applied: Applied, origin: str | None) -> Entry:
    """The entry of a change."""
    if applied.resync:
        return Entry(seq, None, origin)
    data = encode("PATCH-DOC", *applied.shown, msgid=str(seq))
    return Entry(seq, data, origin)


def message_entry(
    seq: int, messages: Iterable[dict[str, object]], origin: str | None, browser: bool
) -> Entry:
    """The entry of relayed messages: a browser's go to scripts, a script's to everybody.

    :param seq: the last change before them.
    """
    data = encode("PATCH-DOC", orjson.dumps({"events": list(messages)}))
    return Entry(seq, data, origin, scripts_only=browser, transient=True)


def value_entry(seq: int, number: float, newest: tuple[bytes, Buffers], only: str) -> Entry:
    """The entry that puts a sender right whose edits crossed with somebody else's.

    :param number: stands for ``seq``, and tells it apart from that change itself.
    :param newest: content and buffers of a patch.
    :param only: the sender's ``origin``; the others got all in order.
    """
    data = encode("PATCH-DOC", *newest, msgid=f"{number:.3f}")
    return Entry(seq, data, transient=True, only=only)


def pull_entry(seq: int, only: str) -> Entry:
    """The entry that has one follower pull again, whom no values put right."""
    return Entry(seq, None, transient=True, only=only)
