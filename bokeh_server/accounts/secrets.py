"""Secrets that are made here, shown once, and kept as digests only.

They have 256 random bits, so that one round of SHA-256 hides them well enough.
"""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["TOKEN_PREFIX", "digest_of", "make_secret", "make_token", "token_id"]

#: what every token begins with, so that a leaked one is known for what it is.
TOKEN_PREFIX = "bks_"  # noqa: S105 — no secret
_ID_BYTES = 5
#: nothing longer is even hashed.
_LONGEST = 200


def make_secret() -> str:
    """A new secret, safe in cookies and addresses."""
    return secrets.token_urlsafe(32)


def make_token() -> str:
    """A new token: its id can be told from it."""
    return f"{TOKEN_PREFIX}{secrets.token_hex(_ID_BYTES)}_{make_secret()}"


def token_id(token: str) -> str:
    """The public part of a token, by which it is listed and revoked."""
    return token.removeprefix(TOKEN_PREFIX).partition("_")[0]


def digest_of(secret: str) -> bytes | None:
    """What is kept of a secret; ``None`` for what cannot be one."""
    if not 0 < len(secret) <= _LONGEST or not secret.isascii():
        return None
    return hashlib.sha256(secret.encode("ascii")).digest()
