"""Tickets for the WebSocket of a document."""

from __future__ import annotations

import base64
import json
import time

import pytest
from bokeh.util.token import get_session_id
from hypothesis import given
from hypothesis import strategies as st

from bokeh_server.errors import NotAuthenticated
from bokeh_server.sockets import Kind, Right, Ticket, mint_ticket, read_ticket
from bokeh_server.sockets.tickets import Spent, _encode, _sign

SECRET = b"a secret of this server"


@pytest.mark.parametrize("right", ["read", "write"])
@pytest.mark.parametrize("kind", ["page", "embed", "frame"])
def test_what_was_minted_can_be_read(right: Right, kind: Kind) -> None:
    """Document, right, kind and time come back."""
    ticket = read_ticket(SECRET, mint_ticket(SECRET, "doc-1", right, kind, 60))
    assert ticket == Ticket("doc-1", right, kind, ticket.expiry)
    assert 55 < ticket.expiry - time.time() <= 60


def test_a_ticket_says_who_its_bearer_is() -> None:
    """A frame has no login: the name under which it changes something is signed into its ticket."""
    token = mint_ticket(SECRET, "doc-1", "write", "frame", 60, "Zoë")
    assert read_ticket(SECRET, token).actor == "Zoë"
    assert read_ticket(SECRET, mint_ticket(SECRET, "doc-1", "read", "frame", 60)).actor is None


def test_bokeh_reads_it_as_a_session_token() -> None:
    """As BokehJS does: base64url of JSON before the dot, with the session's id and expiry."""
    token = mint_ticket(SECRET, "doc-1", "read", "page", 60)
    text = token.split(".")[0]
    payload = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert payload["session_id"] == get_session_id(token) == "doc-1"
    assert isinstance(payload["session_expiry"], int)


def test_it_can_be_a_subprotocol() -> None:
    """It travels in Sec-WebSocket-Protocol, so it consists of characters of a token."""
    token = mint_ticket(SECRET, "döc / 1", "read", "page", 60)
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert read_ticket(SECRET, token).docid == "döc / 1"


def test_it_expires() -> None:
    """And says so."""
    with pytest.raises(NotAuthenticated, match="expired"):
        read_ticket(SECRET, mint_ticket(SECRET, "doc-1", "read", "page", -1))


def test_another_servers_ticket_is_refused() -> None:
    """The signature needs the secret."""
    with pytest.raises(NotAuthenticated, match="signature"):
        read_ticket(SECRET, mint_ticket(b"another", "doc-1", "write", "page", 60))


def test_a_changed_ticket_is_refused() -> None:
    """Another right with the old signature."""
    token = mint_ticket(SECRET, "doc-1", "read", "page", 60)
    other = mint_ticket(SECRET, "doc-1", "write", "page", 60)
    with pytest.raises(NotAuthenticated):
        read_ticket(SECRET, other.split(".")[0] + "." + token.split(".")[1])


@pytest.mark.parametrize(
    "payload",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"session_id": 1, "session_expiry": 99999999999, "right": "read", "kind": "page"}',
        b'{"session_id": "a", "session_expiry": "x", "right": "read", "kind": "page"}',
        b'{"session_id": "a", "session_expiry": 99999999999, "right": "own", "kind": "page"}',
        b'{"session_id": "a", "session_expiry": 99999999999, "right": ["read"], "kind": "page"}',
        b'{"session_id": "a", "session_expiry": 99999999999, "right": "read", "kind": "frame", '
        b'"actor": 1}',
        b"[" * 2000,
        b"\xff\xfe",
    ],
)
def test_a_signed_ticket_of_a_wrong_form_is_refused(payload: bytes) -> None:
    """Such as one of a later release with the same secret."""
    text = _encode(payload)
    with pytest.raises(NotAuthenticated):
        read_ticket(SECRET, f"{text}.{_sign(SECRET, text)}")


@given(st.text(max_size=300))
def test_garbage_is_refused(token: str) -> None:
    """Any text at all: a refusal, no other error."""
    with pytest.raises(NotAuthenticated, match="Load the page again"):
        read_ticket(SECRET, token)


def test_a_ticket_is_used_once() -> None:
    """Another one of the same content is another ticket; what has ended is not kept."""
    spent = Spent()
    tokens = [mint_ticket(SECRET, "a", "read", "frame", 60) for _ in range(3)]
    for token in tokens:
        spent.spend(token, read_ticket(SECRET, token))
    for token in tokens:
        with pytest.raises(NotAuthenticated, match="used before"):
            spent.spend(token, read_ticket(SECRET, token))
    assert len(spent) == 3
    spent._ends = dict.fromkeys(spent._ends, 1)
    spent._look_again = 0
    spent.spend("x.y", read_ticket(SECRET, tokens[0]))
    assert len(spent) == 1
