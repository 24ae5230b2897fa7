"""The opening handshake, from a WSGI environment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokeh_server.sockets import Handshake, Refusal, read_handshake


def environ(**changes: str | None) -> dict[str, Any]:
    """The handshake of RFC 6455's example, changed; ``None`` leaves something out."""
    values: dict[str, str | None] = {
        "REQUEST_METHOD": "GET",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "server.example.com",
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def test_the_example_of_the_rfc() -> None:
    """Its key is answered as the RFC says; no extension is named."""
    handshake = read_handshake(environ(HTTP_SEC_WEBSOCKET_EXTENSIONS="permessage-deflate"))
    assert isinstance(handshake, Handshake)
    assert handshake.answer() == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"REQUEST_METHOD": "POST"}, 405),
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, 400),
        ({"HTTP_UPGRADE": None}, 400),
        ({"HTTP_UPGRADE": "h2c"}, 400),
        ({"HTTP_CONNECTION": "keep-alive"}, 400),
        ({"HTTP_SEC_WEBSOCKET_VERSION": "12"}, 426),
        ({"HTTP_SEC_WEBSOCKET_VERSION": "13, 13"}, 426),
        ({"HTTP_SEC_WEBSOCKET_KEY": None}, 400),
        ({"HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==,dGhlIHNhbXBsZSBub25jZQ=="}, 400),
        ({"HTTP_SEC_WEBSOCKET_KEY": "ünïcode"}, 400),
        ({"CONTENT_LENGTH": "3"}, 400),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, 400),
        ({"HTTP_SEC_WEBSOCKET_PROTOCOL": "bokeh, a b"}, 400),
        ({"HTTP_SEC_WEBSOCKET_PROTOCOL": "bokeh,,x"}, 400),
        ({"HTTP_SEC_WEBSOCKET_PROTOCOL": "bokeh\r\nSet-Cookie: a=b"}, 400),
    ],
)
def test_what_is_wrong_is_refused(changes: dict[str, str | None], status: int) -> None:
    """With a status and a reason; a refusal is false."""
    refusal = read_handshake(environ(**changes))
    assert isinstance(refusal, Refusal)
    assert (refusal.status, bool(refusal), bool(refusal.reason)) == (status, False, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_UPGRADE": "WebSocket"},
        {"HTTP_CONNECTION": "keep-alive, UPGRADE"},
        {"CONTENT_LENGTH": "0"},
        {"CONTENT_LENGTH": ""},
    ],
)
def test_what_clients_really_send_is_taken(changes: dict[str, str | None]) -> None:
    """Other cases of letters, lists, empty bodies."""
    assert isinstance(read_handshake(environ(**changes)), Handshake)


@pytest.mark.parametrize(
    ("offered", "token"),
    [
        ("bokeh, abc.DEF-_", "abc.DEF-_"),
        ("bokeh,abc", "abc"),
        ("bokeh", None),
        ("other, abc", None),
        ("bokeh, a, b", None),
        (None, None),
    ],
)
def test_the_token_is_the_second_subprotocol(offered: str | None, token: str | None) -> None:
    """As BokehJS sends it."""
    handshake = read_handshake(environ(HTTP_SEC_WEBSOCKET_PROTOCOL=offered))
    assert isinstance(handshake, Handshake)
    assert handshake.token == token


def test_headers_of_the_app_are_sent_but_for_those_that_do_not_belong() -> None:
    """A cookie yes, the length of a body no."""
    handshake = read_handshake(environ())
    assert isinstance(handshake, Handshake)
    headers = [("Set-Cookie", "a=b"), ("Content-Length", "0"), ("Content-Type", "text/html")]
    answer = handshake.answer("bokeh", headers)
    assert b"Sec-WebSocket-Protocol: bokeh\r\nSet-Cookie: a=b\r\n\r\n" in answer


@given(st.dictionaries(st.sampled_from(sorted(environ())), st.text(max_size=30)))
def test_no_header_breaks_it(changes: dict[str, str]) -> None:
    """Whatever is sent: a handshake or a refusal."""
    assert isinstance(read_handshake(environ(**changes)), Handshake | Refusal)
