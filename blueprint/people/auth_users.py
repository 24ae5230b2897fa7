"""Whom an auth module knows: what its ``get_user`` gives may be any object, made anew each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from bokeh_server.errors import ConfigurationError

__all__ = ["ModuleUser", "user_of"]

#: what names somebody, as an attribute or a key; the best name first.
_NAMES = ("username", "name", "id", "email", "sub", "login")
#: the same; last what people choose themselves and may share with others.
_IDENTITIES = ("username", "id", "sub", "login", "email", "name")


@dataclass(frozen=True, slots=True)
class ModuleUser:
    """Somebody whom an auth module knows.

    :param name: what applications are told.
    :param identity: the same whenever they ask, and nobody else's.
    """

    name: str
    identity: str


def user_of(found: object) -> ModuleUser | None:
    """Who that is which ``get_user`` gave; ``None``: nobody.

    :raises ConfigurationError: it cannot be told whether it is the same person the next time.
    """
    if not found:
        return None
    if isinstance(found, bytes):
        found = found.decode("utf-8", "replace")
    if not isinstance(found, str):
        name, identity = _first(found, _NAMES), _first(found, _IDENTITIES)
        if name is not None and identity is not None:
            return ModuleUser(name[1], "=".join(identity))
        _demand_text(found)
    return ModuleUser(str(found), str(found))


def _first(found: object, fields: Iterable[str]) -> tuple[str, str] | None:
    """The first of some fields that an object has, and what is there."""
    for field in fields:
        value = found.get(field) if isinstance(found, Mapping) else getattr(found, field, None)
        if value is not None and value != "" and not callable(value):
            return field, _text_of(value)
    return None


def _text_of(value: object) -> str:
    """A name or an id as text; what two people may share is never taken in its place."""
    if isinstance(value, bytes):
        return value.hex()
    if not isinstance(value, str | int | UUID):
        _demand_text(value)
    return str(value)


def _demand_text(found: object) -> None:
    """Refuse an object whose text is its address in memory."""
    kind = type(found)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        raise ConfigurationError(
            "know who sent this request",
            f"get_user of the auth module gave a {kind.__name__} that says nobody's name",
            f"Return a text, or an object or dict with one of {', '.join(_NAMES)}",
        )
