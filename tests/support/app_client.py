"""Pages and sockets of applications, as a browser asks for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from websockets.sync.client import connect

from support.bokeh_socket import MAX_SIZE, BokehSocket

__all__ = ["AppSocket", "app_socket", "open_app_page"]


def open_app_page(url: str, session_id: str | None = None, **options: Any) -> str:
    """Open the page of an application; its token.

    :param session_id: the session that is asked for.
    """
    query = {} if session_id is None else {"bokeh-session-id": session_id}
    answer = requests.get(url, params=query, timeout=60, **options)
    assert answer.status_code == 200, answer.text
    found = re.search(r'"token":"([^"]+)"', answer.text)
    assert found is not None, answer.text[-2000:]
    return found[1]


class AppSocket(BokehSocket):
    """A browser's connection to a session.

    :ivar opened: which session it is, as its ``ACK`` said.
    """

    opened: str

    def text_of(self, name: str) -> str:
        """The text of a ``Div``, as the server has it now."""
        text: str = self.find(name)["attributes"]["text"]
        return text

    def find(self, name: str) -> dict[str, Any]:
        """A model of the session's document, by its name."""
        found = list(_named(self.pull(), name))
        assert len(found) == 1, f"{len(found)} models have the name {name!r}"
        return found[0]

    def order(self, name: str, value: object) -> str:
        """Change the ``value`` of a widget; the id of the message, which is not waited for."""
        model = self.find(name)["id"]
        event = {"kind": "ModelChanged", "model": {"id": model}, "attr": "value", "new": value}
        return self.send("PATCH-DOC", {"events": [event]})


def _named(value: Any, name: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("attributes", {}).get("name") == name:
            yield value
        for each in value.values():
            yield from _named(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each, name)


@contextmanager
def app_socket(url: str, token: str, **options: Any) -> Iterator[AppSocket]:
    """Connect to a session, and wait for the ``ACK``.

    :param url: of the application, as its page has it.
    """
    address = "ws" + url.removeprefix("http") + "/ws"
    with connect(
        address,
        subprotocols=["bokeh", token],  # type: ignore[list-item]
        max_size=MAX_SIZE,
        compression=None,
        open_timeout=60,
        **options,
    ) as connection:
        socket = AppSocket(connection)
        message = socket.receive()
        assert message.msgtype == "ACK", message
        assert json.loads(message.content) == {}
        socket.opened = message.msgid
        yield socket
