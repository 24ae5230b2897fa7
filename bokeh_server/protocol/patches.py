"""Patches as they arrive: the content of one ``PATCH-DOC``, parsed but not yet understood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bokeh_server.errors import InvalidMessage, InvalidPatch
from bokeh_server.protocol.packing import Buffers

__all__ = [
    "KEY_LENGTH",
    "Patch",
    "invalid_patch",
    "parse_json",
    "parse_patch",
    "weigh",
    "without_view_state",
]

Event = dict[str, Any]

#: most characters of the idempotency key that goes with a patch, however it comes.
KEY_LENGTH = 255

#: zlib makes at most 1032 bytes of one, and base64 takes 4 for 3.
_UNPACKED = 774

_SCREEN = frozenset({"inner_width", "inner_height", "outer_width", "outer_height"})
_BOUNDS = frozenset({"start", "end"})
_CONNECTION_EVENTS = frozenset({"document_ready", "client_reconnected", "connection_lost"})


@dataclass(frozen=True)
class Patch:
    """Events in order, with the bytes they refer to.

    :param events: Bokeh's patch events as JSON values; nobody changes them in place.
    :param buffers: buffer id -> bytes.
    :param content: the JSON that ``events`` were parsed from, where it holds nothing else.
    :param weight: bytes that are worked on when it is applied, at most; see :func:`weigh`.
    """

    events: list[Event]
    buffers: Buffers
    content: bytes | None = None
    weight: int = 0


def parse_patch(content: bytes, buffers: Buffers) -> Patch:
    """Parse ``{"events": [...]}``.

    :raises InvalidMessage: ``content`` is not JSON.
    :raises InvalidPatch: it is JSON of another shape.
    """
    value = parse_json(content, "a patch")
    events = value.get("events") if isinstance(value, dict) else None
    if not isinstance(events, list):
        raise invalid_patch('it is not an object with a list of "events"')
    for number, event in enumerate(events, 1):
        if not isinstance(event, dict):
            raise invalid_patch(f"event {number} is not an object")
        if not isinstance(event.get("kind"), str):
            raise invalid_patch(f'event {number} has no "kind"')
    exact = content if len(value) == 1 else None
    return Patch(events, buffers, exact, weigh(content, buffers))


def weigh(content: bytes, buffers: Buffers) -> int:
    """Give how many bytes JSON and its buffers have when arrays in the JSON are unpacked, at most.

    Quick rather than close: any JSON that may hold such an array is taken for nothing but one.
    """
    size = len(content) + sum(map(len, buffers.values()))
    # A letter of the word may be written as an escape.
    if b'"bytes"' in content or b"\\u00" in content:
        size += len(content) * _UNPACKED
    return size


def parse_json(content: bytes, what: str) -> Any:
    """Parse JSON as the protocol has it: no NaN literals, no lone surrogates, no deep nesting.

    :param what: what is being parsed, for the error message.
    :raises InvalidMessage: it cannot be parsed.
    """
    try:
        return orjson.loads(content)
    except (orjson.JSONDecodeError, RecursionError) as fault:
        remedy = 'Send JSON in UTF-8; NaN is {"type": "number", "value": "nan"}'
        raise InvalidMessage(f"read {what}", f"it is not JSON ({fault})", remedy) from None


def invalid_patch(why: str, remedy: str = "Nothing was changed; mend the patch") -> InvalidPatch:
    """Give the error for a patch, with the usual remedy."""
    return InvalidPatch("apply the patch", why, remedy)


def without_view_state(
    events: Iterable[Event],
    *,
    browser: bool,
    ranges: bool,
    type_of: Callable[[str], str | None] | None = None,
) -> list[Event]:
    """Leave out what a browser computed for its own screen.

    :param events: as they came.
    :param browser: whether a browser sent them; from a script everything is kept.
    :param ranges: keep the bounds of automatic ranges, because a person made them.
    :param type_of: model id -> type name or ``None``; without it no model is known to be
        an automatic range.
    """
    if not browser:
        return list(events)
    look_up = type_of or _no_type
    return [event for event in events if not _is_view_state(event, ranges, look_up)]


def _no_type(_model_id: str) -> str | None:
    return None


def _is_view_state(event: Event, ranges: bool, type_of: Callable[[str], str | None]) -> bool:
    if event.get("kind") == "MessageSent":
        return _is_connection_event(event)
    if event.get("kind") != "ModelChanged":
        return False
    attr = event.get("attr")
    if not isinstance(attr, str):
        return False
    if attr in _SCREEN:
        return True
    if attr == "visible":  # BokehJS alone has it: Bokeh in Python could not read it again
        return _is_a("ToolProxy", event.get("model"), type_of)
    return not ranges and attr in _BOUNDS and _is_a("DataRange1d", event.get("model"), type_of)


def _is_connection_event(event: Event) -> bool:
    data = event.get("msg_data")
    if event.get("msg_type") != "bokeh_event" or not isinstance(data, Mapping):
        return False
    name = data.get("name")
    return isinstance(name, str) and name in _CONNECTION_EVENTS


def _is_a(name: str, model: object, type_of: Callable[[str], str | None]) -> bool:
    model_id = model.get("id") if isinstance(model, Mapping) else None
    return isinstance(model_id, str) and type_of(model_id) == name
