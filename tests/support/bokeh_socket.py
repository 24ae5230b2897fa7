"""A WebSocket client that speaks Bokeh's protocol, on the ``websockets`` library."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from bokeh_server.protocol.messages import Message, Receiver

__all__ = ["BokehSocket", "bokeh_socket"]

SECONDS = 10.0
MAX_SIZE = 256 * 1024 * 1024


class BokehSocket:
    """One connection to a document; every wait ends after ten seconds."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._receiver = Receiver(max_size=MAX_SIZE)
        self._numbers = itertools.count(1)

    def receive(self) -> Message:
        """The next message."""
        while True:
            message = self._receiver.feed(self.connection.recv(timeout=SECONDS))
            if message is not None:
                return message

    def expect(self, msgtype: str) -> Any:
        """The content of the next message, which has to be of this type."""
        message = self.receive()
        assert message.msgtype == msgtype, message
        return json.loads(message.content)

    def send(self, msgtype: str, content: object, msgid: str | None = None) -> str:
        """Send a message without buffers; its id."""
        msgid = msgid or f"test-{next(self._numbers)}"
        for part in ({"msgid": msgid, "msgtype": msgtype}, {}, content):
            self.connection.send(json.dumps(part))
        return msgid

    def ask(self, msgtype: str, content: object, answer: str) -> Any:
        """Send a message and give the content of its answer."""
        msgid = self.send(msgtype, content)
        message = self.receive()
        assert (message.msgtype, message.reqid) == (answer, msgid), message
        return json.loads(message.content)

    def pull(self) -> Any:
        """The document as it is now, as JSON."""
        return self.ask("PULL-DOC-REQ", {}, "PULL-DOC-REPLY")["doc"]


@contextmanager
def bokeh_socket(url: str, **options: Any) -> Iterator[BokehSocket]:
    """Connect to a document's socket as a script does, and wait for the ACK.

    :param url: ``ws://host:port/bokeh/doc/<docid>/ws``.
    :param options: of ``websockets.sync.client.connect``.
    """
    with connect(
        url, subprotocols=["bokeh"], max_size=MAX_SIZE, compression=None, **options
    ) as connection:
        socket = BokehSocket(connection)
        socket.expect("ACK")
        yield socket
