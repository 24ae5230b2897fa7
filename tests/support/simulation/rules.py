"""The rules of ``blueprint/static/crossing.js`` once more, for pages that have no browser.

``tests/browser/test_crossing.py`` compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Rules", "Waiting", "brings_models", "is_whole", "key_of"]

HOLD = 0.25

Event = dict[str, Any]


def key_of(event: Event) -> str | None:
    """The attribute that an event is about."""
    match event["kind"]:
        case "MessageSent":
            return None
        case "TitleChanged":
            return "title"
        case "RootAdded" | "RootRemoved":
            return "roots"
    return f"{event['model']['id']} {event['attr']}"


def is_whole(event: Event) -> bool:
    """Whether it sets the whole attribute."""
    kind = event["kind"]
    whole = kind == "ColumnDataChanged" and event.get("cols") is None
    return whole or kind in ("ModelChanged", "TitleChanged")


def brings_models(value: Any) -> bool:
    """Whether there is a model in it that the page may not know."""
    if isinstance(value, dict):
        if value.get("type") == "object" and "id" in value:
            return True
        return any(map(brings_models, value.values()))
    return isinstance(value, list) and any(map(brings_models, value))


@dataclass
class Waiting:
    """An event that is shown later."""

    seq: float
    event: Event
    buffers: Mapping[str, bytes]


@dataclass
class _Edit:
    whole: bool
    seen: float


class Rules:
    """See ``crossing.js``; times are in seconds here."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._pressed: float | None = None
        self._edited: dict[str, float] = {}
        self._in_whole: set[str] = set()
        self.start(0)

    def start(self, seq: float) -> None:
        """The document was pulled; what is held stays as it is now."""
        held = {key: at for key, at in self._edited.items() if self._is_dragged(key)}
        held = {key: at for key, at in held.items() if key in self._in_whole}
        self.seen = seq
        self._unsent: dict[str, _Edit] = {}
        self._sent: dict[str, dict[str, _Edit]] = {}
        self._own: dict[str, float] = dict.fromkeys(held, seq)
        self._edited = held
        self._kept = set(held)
        self._waiting: list[Waiting] = []

    def press(self, is_held: bool) -> None:
        """Somebody holds something, or nothing any more."""
        if not is_held:
            self._pressed = None
        elif self._pressed is None:
            self._pressed = self._now()

    def edited(self, key: str, whole: bool) -> None:
        """An edit was made here."""
        before = self._unsent.get(key)
        self._unsent[key] = (
            _Edit(before.whole and whole, before.seen) if before else _Edit(whole, self._shown())
        )
        self._edited[key] = self._now()
        (self._in_whole.add if whole else self._in_whole.discard)(key)
        self._kept.discard(key)

    def sent(self, message_id: str) -> float:
        """All edits were sent; what they had seen."""
        seen = min([self._shown(), *(each.seen for each in self._unsent.values())])
        self._sent[message_id], self._unsent = self._unsent, {}
        return seen

    def answered(self, message_id: str, seq: float) -> None:
        """A message was stored."""
        for key, edit in self._sent.pop(message_id, {}).items():
            if edit.whole:
                self._own[key] = seq
            else:
                self._own.pop(key, None)

    def incoming(
        self, seq: float, events: list[Event], buffers: Mapping[str, bytes]
    ) -> list[Event] | None:
        """What to show now of a change; ``None``: pull again."""
        shown = []
        for event in events:
            key = key_of(event)
            if key in self._kept and is_whole(event) and brings_models(event):
                self._let_go(key)
            fate = "show" if key is None else self._fate(key, seq, event)
            if fate != "show" and brings_models(event):
                return None
            if fate == "show":
                shown.append(event)
            elif fate == "wait" and key is not None:
                self._put_off(key, Waiting(seq, event, buffers))
        self.seen = max(self.seen, seq)
        return shown

    def due(self) -> list[Waiting]:
        """What may be shown now of what waited."""
        waiting, self._waiting = self._waiting, []
        ready = []
        for each in waiting:
            fate = self._fate(key_of(each.event) or "", each.seq, each.event)
            if fate == "wait":
                self._waiting.append(each)
            elif fate == "show":
                ready.append(each)
        return ready

    def wait(self) -> float | None:
        """Seconds until something is due by itself."""
        keys = [key_of(each.event) or "" for each in self._waiting]
        times = [
            self._edited[key] + HOLD - self._now()
            for key in keys
            if not self._is_open(key) and not self._is_dragged(key)
        ]
        return max(0.0, min(times)) if times else None

    def _put_off(self, key: str, each: Waiting) -> None:
        if is_whole(each.event):
            self._waiting = [one for one in self._waiting if key_of(one.event) != key]
        self._waiting.append(each)

    def _fate(self, key: str, seq: float, event: Event) -> str:
        if self._is_open(key):
            return "wait" if self._is_set_here(key) else "show"
        own = self._own.get(key)
        if own is not None and (seq < own if is_whole(event) else seq <= own):
            return "skip"
        if any(key_of(one.event) == key for one in self._waiting):
            return "wait"
        if own is None:
            return "show"
        is_fresh = self._now() - self._edited[key] < HOLD
        return "wait" if is_fresh or self._is_dragged(key) else "show"

    def _let_go(self, key: str) -> None:
        self._kept.discard(key)
        self._own.pop(key, None)
        self._waiting = [one for one in self._waiting if key_of(one.event) != key]

    def _is_dragged(self, key: str) -> bool:
        return self._pressed is not None and self._edited.get(key, -1.0) >= self._pressed

    def _is_open(self, key: str) -> bool:
        return key in self._unsent or any(key in edits for edits in self._sent.values())

    def _is_set_here(self, key: str) -> bool:
        every = [*self._sent.values(), self._unsent]
        return all(edits[key].whole for edits in every if key in edits)

    def _shown(self) -> float:
        return min([self.seen, *(each.seq - 1 for each in self._waiting[:1])])
