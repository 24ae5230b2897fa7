"""Secrets that are made here, shown once, and kept as digests only.

They have 256 random bits, so that one round of SHA-256 hides them well enough.
"""

from __future__ import annotations

import hashlib
import secrets

__all__ = [
    "KEY_PREFIX",
    "LINK_PREFIX",
    "TOKEN_PREFIX",
    "digest_of",
    "make_id",
    "make_secret",
    "make_token",
    "token_id",
]

#: what every token begins with, so that a leaked one is known for what it is.
TOKEN_PREFIX = "bks_"  # noqa: S105 — no secret
#: the same for what a share link has behind its ``#``, and for document keys.
LINK_PREFIX, KEY_PREFIX = "bkl_", "bkd_"
_ID_BYTES = 5
#: nothing longer is even hashed.
_LONGEST = 200


def make_secret() -> str:
    """A new secret, safe in cookies and addresses."""
    return secrets.token_urlsafe(32)


def make_id() -> str:
    """A new public part of a secret, by which it is listed and revoked."""
    return secrets.token_hex(_ID_BYTES)


def make_token() -> str:
    """A new token: its id can be told from it."""
    return f"{TOKEN_PREFIX}{make_id()}_{make_secret()}"


def token_id(token: str, prefix: str = TOKEN_PREFIX) -> str:
    """The public part of a token, by which it is listed and revoked."""
    return token.removeprefix(prefix).partition("_")[0]


def digest_of(secret: str) -> bytes | None:
    """What is kept of a secret; ``None`` for what cannot be one."""
    if not 0 < len(secret) <= _LONGEST or not secret.isascii():
        return None
    return hashlib.sha256(secret.encode("ascii")).digest()
