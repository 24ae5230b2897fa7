"""Tickets: who may open the WebSocket of a document, in the form of Bokeh's session tokens.

BokehJS reads the session's id out of the part before the dot, and sends the whole back to us;
nothing is stored, the signature says that this server wrote it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from bokeh_server.errors import NotAuthenticated

__all__ = ["Kind", "Right", "Spent", "Ticket", "is_session_token", "mint_ticket", "read_ticket"]

Right = Literal["read", "write"]
Kind = Literal["page", "embed", "frame"]
Proof = Literal["login", "token"]

#: longer than any ticket we write; a longer one is not even decoded.
MAX_LENGTH = 4096
#: so that no other signature made with the same secret can pass for a ticket.
PURPOSE = b"bokeh-server ticket\0"
#: how often used tickets are looked through for those that have ended.
_FORGETTING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket says.

    :param kind: ``page`` for our own pages; ``embed`` for pages of any origin;
        ``frame`` for a document's frame, which has no origin and no login of its own.
    :param expiry: seconds since 1970, after which it is not valid.
    :param actor: the name of whoever looks at the frame; ``None`` where nobody is logged in.
    :param login: the digest of the login or token by which they are known, in hexadecimal digits;
        nobody can log in with it.
    :param by: which of the two it is, ``login`` or ``token``.
    :param links: the ids of the share links that they have followed; nobody can follow one by it.
    """

    docid: str
    right: Right
    kind: Kind
    expiry: int
    actor: str | None = None
    login: str | None = None
    links: tuple[str, ...] = ()
    by: Proof = "login"


def mint_ticket(
    secret: bytes,
    docid: str,
    right: Right,
    kind: Kind,
    lifetime: float,
    actor: str | None = None,
    login: str | None = None,
    links: tuple[str, ...] = (),
    by: Proof = "login",
) -> str:
    """Write a ticket.

    :param secret: the server's key.
    :param lifetime: seconds for which it is valid.
    :param actor: in whose name its bearer reads and writes, where the ticket alone says so.
    :param login: the digest of the login or token by which they are known.
    :param links: the ids of the share links that they have followed.
    :param by: which of the two ``login`` is.
    """
    payload = {
        "session_id": docid,
        "session_expiry": int(time.time() + lifetime),
        "right": right,
        "kind": kind,
        "nonce": secrets.token_urlsafe(6),
        **({} if actor is None else {"actor": actor}),
        **({} if login is None else {"login": login}),
        **({"links": links} if links else {}),
        **({"by": by} if by != "login" else {}),
    }
    text = _encode(json.dumps(payload, separators=(",", ":")).encode("ascii"))
    return f"{text}.{_sign(secret, text)}"


def read_ticket(secret: bytes, token: str, former: Iterable[bytes] = ()) -> Ticket:
    """Read a ticket.

    :param former: keys that the server had before, and that are good still.
    :raises NotAuthenticated: it is not one of this server's, or it has expired.
    """
    text, dot, signature = token.partition(".")
    if len(token) > MAX_LENGTH or not dot or not token.isascii():
        raise _refused("it is not a ticket")
    if not any(hmac.compare_digest(_sign(key, text), signature) for key in (secret, *former)):
        raise _refused("its signature is not this server's")
    ticket = _ticket(_payload(text))
    if time.time() >= ticket.expiry:
        raise _refused("it has expired")
    return ticket


class Spent:
    """Tickets that were used, remembered until they would have ended anyway: each is for once.

    It is the memory of one process, and grows with the tickets given out within their lifetime.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[str, int] = {}
        self._look_again = 0.0

    def spend(self, token: str, ticket: Ticket) -> None:
        """Use a ticket.

        :raises NotAuthenticated: it was used before.
        """
        now, key = time.time(), token.partition(".")[2]
        with self._lock:
            if now >= self._look_again:
                self._ends = {each: end for each, end in self._ends.items() if end > now}
                self._look_again = now + _FORGETTING_SECONDS
            if key in self._ends:
                raise _refused("it was used before")
            self._ends[key] = ticket.expiry

    def __len__(self) -> int:
        return len(self._ends)


def is_session_token(token: str) -> bool:
    """Whether it is one that Bokeh's client in Python made for itself, and never a ticket."""
    if len(token) > MAX_LENGTH or not token.isascii():
        return False
    try:
        payload = _payload(token.partition(".")[0])
    except NotAuthenticated:
        return False
    return "session_id" in payload and not payload.keys() & {"right", "kind"}


def _payload(text: str) -> dict[str, Any]:
    try:
        payload = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        raise _refused("it is not a ticket") from None
    if not isinstance(payload, dict):
        raise _refused("it is not a ticket")
    return payload


def _ticket(payload: dict[str, Any]) -> Ticket:
    docid, expiry = payload.get("session_id"), payload.get("session_expiry")
    right, kind, actor = payload.get("right"), payload.get("kind"), payload.get("actor")
    if not isinstance(docid, str) or not isinstance(expiry, int):
        raise _refused("it names no document or no time")
    if right not in ("read", "write") or kind not in ("page", "embed", "frame"):
        raise _refused("its right or kind is unknown")
    login, by = payload.get("login"), payload.get("by", "login")
    if by not in ("login", "token"):
        raise _refused("what its bearer is known by is unknown")
    if not all(each is None or isinstance(each, str) for each in (actor, login)):
        raise _refused("its bearer has no name")
    links = payload.get("links", [])
    if not isinstance(links, list) or not all(isinstance(each, str) for each in links):
        raise _refused("its links are none")
    return Ticket(
        docid, cast(Right, right), cast(Kind, kind), expiry, actor, login, tuple(links), by
    )


def _sign(secret: bytes, text: str) -> str:
    return _encode(hmac.new(secret, PURPOSE + text.encode("ascii"), hashlib.sha256).digest())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _refused(why: str) -> NotAuthenticated:
    remedy = "Load the page again to get a new one"
    return NotAuthenticated("read the ticket for a live connection", why, remedy)
