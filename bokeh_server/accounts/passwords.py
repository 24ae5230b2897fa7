"""Hashing passwords, out of the way of everything else.

A hash takes a tenth of a second and 64 MB, on purpose; only a few are made at once,
so that many people who log in together slow down each other, and nothing else.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bokeh_server.blocking import run_blocking
from bokeh_server.errors import ServerFault

__all__ = ["Passwords"]

T = TypeVar("T")

#: seconds to wait for one's turn.
PATIENCE_SECONDS = 20.0
#: what is not as argon2 has it by default. One lane a hash: with more it would take all cores.
COST: dict[str, Any] = {"parallelism": 1}


class Passwords:
    """Makes and checks hashes (argon2id).

    :param at_once: how many; one core is left to others where there are several.
    """

    def __init__(self, at_once: int | None = None) -> None:
        self._hasher = PasswordHasher(**COST)
        self._turns = threading.BoundedSemaphore(at_once or max(1, (os.cpu_count() or 1) - 1))

    def hash(self, password: str) -> str:
        """The hash of a password."""
        return self._in_turn(self._hasher.hash, _normal(password))

    def verify(self, hashed: str | None, password: str) -> bool:
        """Whether a password is that of a hash; without a hash it takes as long, and is not."""
        known = self._in_turn(self._is_right, hashed or self._nobodys, _normal(password))
        return known and hashed is not None

    def needs_rehash(self, hashed: str) -> bool:
        """Whether it was made as one was made formerly."""
        return self._hasher.check_needs_rehash(hashed)

    def _is_right(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    @cached_property
    def _nobodys(self) -> str:
        return self._in_turn(self._hasher.hash, os.urandom(16).hex())

    def _in_turn(self, work: Callable[..., T], *args: str) -> T:
        if not self._turns.acquire(timeout=PATIENCE_SECONDS):
            why = "too many people log in at once"
            raise ServerFault("check a password", why, "Try again in a moment")
        try:
            return run_blocking(work, *args)
        finally:
            self._turns.release()


def _normal(password: str) -> str:
    """The same characters, however a keyboard has put them together."""
    return unicodedata.normalize("NFKC", password)
