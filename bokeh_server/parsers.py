"""How the value of a setting is read from text, TOML or Python, one function for each kind.

Each takes what the source gave and raises :exc:`ValueError` with the reason it cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = [
    "LOG_LEVELS",
    "REGISTRATIONS",
    "SESSION_IDS",
    "Parser",
    "count",
    "days",
    "directory",
    "flag",
    "header",
    "hosts",
    "keys",
    "level",
    "names",
    "number",
    "path",
    "port",
    "prefix",
    "registration",
    "room",
    "seconds",
    "session_ids",
    "size",
    "text",
    "usercontent",
]

Parser = Callable[[object], Any]

REGISTRATIONS = ("open", "invitation", "closed")
SESSION_IDS = ("unsigned", "signed", "external-signed", "external")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

_UNITS = {"": 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]@:/?#\\]+)(?::([0-9]{1,5}|\*))?")
_USERCONTENT = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*(:(?P<port>[0-9]{1,5}))?")
_WORDS = {"1": True, "true": True, "yes": True, "on": True}
_WORDS |= {"0": False, "false": False, "no": False, "off": False, "": False}


def text(value: object) -> str:
    """Text without the spaces around it."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value.strip()


def flag(value: object) -> bool:
    """Yes or no: ``true``, ``yes``, ``on``, ``1`` and their opposites."""
    known = value if isinstance(value, bool) else _WORDS.get(str(value).strip().lower())
    if known is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return known


def port(value: object) -> int:
    """A TCP port; 0 means any free one."""
    try:
        number = int(str(value)) if not isinstance(value, bool) else -1
    except ValueError:
        raise ValueError(f"{value!r} is not a whole number") from None
    if not 0 <= number <= 65535:
        raise ValueError(f"{value!r} is not a port, which is a number from 0 to 65535")
    return number


def count(value: object) -> int:
    """A small whole number."""
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,2}", str(value).strip()):
        raise ValueError(f"{value!r} is not a number from 0 to 99")
    return int(str(value))


def number(value: object) -> int:
    """A whole number up to a million millions."""
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,12}", str(value).strip()):
        raise ValueError(f"{value!r} is not a whole number from 0 to 999999999999")
    return int(str(value))


def days(value: object) -> float:
    """A time in days, from none to a hundred years."""
    try:
        found = float(str(value)) if not isinstance(value, bool) else -1.0
    except ValueError:
        raise ValueError(f"{value!r} is not a number of days") from None
    if not 0 <= found <= 36_500:
        raise ValueError(f"{value!r} is not a time between 0 and 36500 days")
    return found


def seconds(value: object) -> float:
    """A time in seconds, more than none and at most a day."""
    try:
        number = float(str(value)) if not isinstance(value, bool) else -1.0
    except ValueError:
        raise ValueError(f"{value!r} is not a number of seconds") from None
    if not 0 < number <= 86400:
        raise ValueError(f"{value!r} is not a time between 0 and 86400 seconds")
    return number


def size(value: object) -> int:
    """A number of bytes, as a number or as ``64MB``."""
    found = re.fullmatch(r"(\d{1,15})\s*([kmg]?b?)", str(value).strip().lower())
    unit = found[2] if found else ""
    if found is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a size; write a number of bytes, or 64MB")
    number = int(found[1]) * _UNITS[unit if not unit or unit.endswith("b") else unit + "b"]
    if number < 1024:
        raise ValueError(f"{value!r} is less than 1024 bytes")
    return number


def room(value: object) -> int:
    """A :func:`size`, or 0 for as much as there is."""
    return 0 if str(value).strip() == "0" else size(value)


def level(value: object) -> str:
    """One of :data:`LOG_LEVELS`."""
    word = text(value).lower()
    if word not in LOG_LEVELS:
        raise ValueError(f"{value!r} is not one of {', '.join(LOG_LEVELS)}")
    return word


def registration(value: object) -> str:
    """One of :data:`REGISTRATIONS`."""
    word = text(value).lower()
    if word not in REGISTRATIONS:
        raise ValueError(f"{value!r} is not one of {', '.join(REGISTRATIONS)}")
    return word


def session_ids(value: object) -> str:
    """One of :data:`SESSION_IDS`."""
    word = text(value).lower()
    if word not in SESSION_IDS:
        raise ValueError(f"{value!r} is not one of {', '.join(SESSION_IDS)}")
    return word


def header(value: object) -> str:
    """The name of a header; empty means none."""
    name = text(value)
    if name and not re.fullmatch(r"[A-Za-z0-9-]{1,80}", name):
        raise ValueError(f"{value!r} is not the name of a header")
    return name


def prefix(value: object) -> str:
    """A path in the form ``/foo``, or empty; ``foo`` and ``foo/`` are ``/foo`` too."""
    parts = [part for part in text(value).split("/") if part]
    for part in parts:
        if part in {".", ".."} or not re.fullmatch(r"[A-Za-z0-9._~-]+", part):
            raise ValueError(f"{part!r} cannot be part of a URL prefix")
    return "".join(f"/{part}" for part in parts)


def path(value: object) -> Path | None:
    """An absolute path; ``~`` is the home directory; empty means none."""
    given = str(value) if isinstance(value, Path) else text(value)
    return Path(given).expanduser().absolute() if given else None


def directory(value: object) -> Path:
    """A path that has to be there."""
    found = path(value)
    if found is None:
        raise ValueError("the name of the directory is empty")
    return found


def usercontent(value: object) -> str:
    """``HOST[:PORT]``, or ``*.HOST[:PORT]``; empty means none."""
    given = text(value).lower()
    match = _USERCONTENT.fullmatch(given)
    if given and (match is None or not 0 < int(match["port"] or 1) <= 65535):
        raise ValueError(f"{value!r} is not HOST[:PORT] or *.HOST[:PORT]; it is no IPv6 address")
    return given


def names(value: object) -> tuple[str, ...]:
    """Names, as a list or with commas between them."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise ValueError(f"{value!r} is not a list of names")
    found = tuple(text(item) for item in items)
    for name in found:
        if re.search(r"\s", name):
            raise ValueError(f"{name!r} has a space in it")
    return tuple(name for name in found if name)


def keys(value: object) -> tuple[str, ...]:
    """Secrets, as a list or with commas between them; no message has what they are."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError("it is not a list of texts")
    return tuple(item.strip() for item in items if item.strip())


def hosts(value: object) -> tuple[str, ...]:
    """``HOST[:PORT]``, several as :func:`names`; ``*`` stands for a part, or for any port."""
    found = names(value)
    for host in found:
        match = _HOST.fullmatch(host)
        if match is None or ((match[2] or "").isdigit() and int(match[2]) > 65535):
            raise ValueError(
                f"{host!r} is not HOST[:PORT]; write it without http:// and without a path"
            )
    return found
