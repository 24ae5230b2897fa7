"""Session ids and tokens, as Bokeh's pages and clients use them.

A token says for which session it is and until when, and has in it what the page's request was like.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bokeh.core.types import ID
from bokeh.util.token import (
    check_session_id_signature,
    check_token_signature,
    generate_jwt_token,
    generate_session_id,
)

from bokeh_server.errors import Forbidden

__all__ = ["Token", "Tokens"]

MOST_ID = 1024
MOST_TOKEN = 64 * 1024
MOST_PAYLOAD = 1024 * 1024
_PACKED = "__bk__zlib_"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says.

    :param expiry: seconds since 1970.
    :param payload: ``headers``, ``cookies``, ``arguments`` of the page's request,
        and what the application's ``process_request`` gave.
    """

    session_id: str
    expiry: float
    payload: dict[str, Any] = field(default_factory=dict)

    @property
    def has_expired(self) -> bool:
        """Whether it may not start a session any more."""
        return time.time() >= self.expiry


class Tokens:
    """Makes and reads them.

    :param secret: signs them.
    :param former: other keys, by which what was signed is still taken.
    :param signed: whether only what is signed is taken.
    :param generates: whether the server makes ids; otherwise somebody else does.
    :param lifetime: seconds for which a token can start a session.
    """

    def __init__(
        self,
        secret: bytes = b"",
        *,
        former: Sequence[bytes] = (),
        signed: bool = False,
        generates: bool = True,
        lifetime: float = 300.0,
    ) -> None:
        self._secret = secret
        self._former = tuple(former)
        self._signed = signed
        self._generates = generates
        self._lifetime = lifetime

    def pack(self) -> dict[str, Any]:
        """How they are made, for another process; has the secret in it."""
        return {
            "secret": self._secret.hex(),
            "former": [key.hex() for key in self._former],
            "signed": self._signed,
            "generates": self._generates,
            "lifetime": self._lifetime,
        }

    @classmethod
    def unpack(cls, content: dict[str, Any]) -> Tokens:
        """The same tokens."""
        return cls(
            bytes.fromhex(content["secret"]),
            former=[bytes.fromhex(key) for key in content["former"]],
            **{name: content[name] for name in ("signed", "generates", "lifetime")},
        )

    def new_id(self) -> str:
        """A new session id.

        :raises Forbidden: this server makes none.
        """
        if not self._generates:
            raise _refused("No bokeh-session-id provided", "its ids are made by somebody else")
        return generate_session_id(secret_key=self._secret, signed=self._signed)

    def check_id(self, session_id: str) -> str:
        """Give back a session id that came with a request.

        :raises Forbidden: it is none.
        """
        if not session_id or len(session_id) > MOST_ID or not session_id.isprintable():
            raise _refused("Invalid token or session ID", "it is empty, too long or no text")
        if not self._is_signed(check_session_id_signature, session_id):
            raise _refused("Invalid token or session ID", "its signature is not this server's")
        return session_id

    def make(self, session_id: str, payload: dict[str, Any]) -> str:
        """A new token for a session."""
        return generate_jwt_token(
            ID(session_id),
            secret_key=self._secret,
            signed=self._signed,
            extra_payload=payload,
            expiration=int(self._lifetime),
        )

    def read(self, text: str) -> Token:
        """Read a token.

        :raises Forbidden: it is none, or somebody else's.
        """
        if not text or len(text) > MOST_TOKEN or not text.isascii():
            raise _refused("Invalid token or session ID", "it is empty, too long or no text")
        if not self._is_signed(check_token_signature, text):
            raise _refused("Invalid token or session ID", "its signature is not this server's")
        try:
            return _read(text)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError, zlib.error):
            raise _refused("Invalid token or session ID", "it is not a token") from None

    def _is_signed(self, check: Any, text: str) -> bool:
        if not self._signed:
            return True
        return any(_is_by(check, text, key) for key in (self._secret, *self._former))


def _is_by(check: Any, text: str, key: bytes) -> bool:
    try:
        return bool(check(text, secret_key=key, signed=True))
    except Exception:  # Bokeh's own reader of what may be anything
        return False


def _read(text: str) -> Token:
    content = json.loads(_decode(text.split(".")[0]))
    if not isinstance(content, dict):
        raise TypeError
    session_id, expiry = content.pop("session_id"), content.pop("session_expiry")
    if not isinstance(session_id, str) or not session_id or len(session_id) > MOST_ID:
        raise ValueError
    packed = content.pop(_PACKED, None)
    payload = content if packed is None else {**content, **_unpack(packed)}
    expiry = float(expiry)
    if not math.isfinite(expiry):
        raise ValueError
    return Token(session_id, expiry, payload)


def _unpack(packed: str) -> dict[str, Any]:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(_decode(packed), MOST_PAYLOAD)
    if unpacker.unconsumed_tail:
        raise ValueError
    payload = json.loads(text, object_hook=_with_bytes)
    if not isinstance(payload, dict):
        raise TypeError
    return payload


def _with_bytes(value: dict[str, Any]) -> Any:
    if set(value) == {"bytes"} and isinstance(value["bytes"], str):
        return _decode(value["bytes"])
    return value


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError from error


def _refused(attempted: str, why: str) -> Forbidden:
    return Forbidden("open a session of this application", f"{attempted}: {why}")
