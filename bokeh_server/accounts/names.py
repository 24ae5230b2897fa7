"""What names and passwords may be."""

from __future__ import annotations

import re

from bokeh_server.errors import BadRequest
from bokeh_server.permissions import SINGLE_USER

__all__ = ["LEAST_PASSWORD", "MOST_PASSWORD", "check_name", "check_password", "folded"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}", re.ASCII)
LEAST_PASSWORD, MOST_PASSWORD = 8, 1024


def folded(name: object) -> str:
    """A name as it is kept: nobody is told from another by capitals."""
    return name.strip().lower() if isinstance(name, str) else ""


def check_name(name: object) -> str:
    """Give back the name that somebody may register, in lower case.

    :raises BadRequest: it cannot be one.
    """
    found = folded(name)
    if not _NAME.fullmatch(found):
        raise BadRequest(
            "use this name",
            "a name has up to 64 letters, digits and . _ @ + -, and begins with a letter or digit",
            "Choose another name",
        )
    if found == SINGLE_USER:
        why = "it is that of everybody on a server without accounts"
        raise BadRequest(f"use the name {found!r}", why, "Choose another name")
    return found


def check_password(password: object, name: str) -> str:
    """Give back a password that may be set.

    :raises BadRequest: it is too short or too long, no text, or the name again.
    """
    if not isinstance(password, str) or len(password) < LEAST_PASSWORD:
        why = f"a password has at least {LEAST_PASSWORD} characters"
        raise BadRequest("use this password", why, "Several words make a good one")
    if len(password) > MOST_PASSWORD:
        raise BadRequest("use this password", f"it has over {MOST_PASSWORD:,} characters")
    if not _is_text(password):
        raise BadRequest("use this password", "it has half a character", "Type it again")
    if folded(password) == name:
        raise BadRequest("use this password", "it is the name", "Choose another one")
    return password


def _is_text(password: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in password)
