"""A stored document, a loop, and clients on socket pairs."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.protocol.messages import Message, Receiver
from bokeh_server.sockets import BokehHandler, Connection, Limits, SocketLoop, plain_transport
from bokeh_server.storage import Store
from support.documents import doc_json
from support.rawsocket import BINARY, CLOSE, PING, PONG, TEXT, Frame, RawClient


class Client:
    """A client of Bokeh's protocol.

    :ivar raw: its WebSocket.
    :ivar connection: the server's end.
    """

    def __init__(self, raw: RawClient, connection: Connection) -> None:
        self.raw = raw
        self.connection = connection
        self._receiver = Receiver(max_size=2**30)
        self._numbers = itertools.count(1)

    def send(self, msgtype: str, content: object = None) -> str:
        """Send a message; its id."""
        msgid = f"m{next(self._numbers)}"
        for part in ({"msgid": msgid, "msgtype": msgtype}, {}, content or {}):
            self.raw.send(TEXT, json.dumps(part).encode())
        return msgid

    def frame(self) -> Frame:
        """The next frame that is no ping."""
        while (found := self.raw.read()).opcode == PING:
            self.raw.send(PONG, found.payload)
        return found

    def receive(self) -> Message:
        """The next message."""
        while True:
            found = self.frame()
            assert found.opcode in (TEXT, BINARY), found
            text = found.opcode == TEXT
            message = self._receiver.feed(found.payload.decode() if text else found.payload)
            if message is not None:
                return message

    def ask(self, msgtype: str, content: object = None) -> tuple[str, Any]:
        """Send a message; type and content of its answer."""
        msgid = self.send(msgtype, content)
        message = self.receive()
        assert message.reqid == msgid, message
        return message.msgtype, json.loads(message.content)

    def patch(self, value: object) -> tuple[str, Any]:
        """Set the slider; type and content of the answer."""
        return self.ask("PATCH-DOC", slider(value))

    def events(self) -> list[Any]:
        """The events of the next message, which is a patch."""
        message = self.receive()
        assert (message.msgtype, message.reqid) == ("PATCH-DOC", None), message
        events: list[Any] = json.loads(message.content)["events"]
        return events

    def closed_with(self) -> int:
        """The code the server closes with, and then hangs up."""
        found = self.frame()
        assert found.opcode == CLOSE, found
        self.raw.send(CLOSE, found.payload[:2])
        assert self.raw.rest() == b""
        return found.code


def slider(value: object) -> dict[str, Any]:
    """The content of a patch that sets the slider."""
    event = {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "value", "new": value}
    return {"events": [event]}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a database of its own."""
    store = Store.open(f"sqlite:///{tmp_path / 'bokeh.sqlite'}")
    made = Engine(store)
    yield made
    made.close()
    store.close()


@pytest.fixture
def live(engine: Engine) -> LiveDocument:
    """The document of ``support.documents.doc_json``, as its change 1."""
    document = engine.open(engine.create("ada", "line").docid)
    document.replace(doc_json(), {}, actor="ada")
    return document


@pytest.fixture
def loop() -> Iterator[SocketLoop]:
    """A loop on threads."""
    made = SocketLoop(Limits(max_message=2**20, max_protocol_message=2**21, close_timeout=1.0))
    yield made
    made.close()


Connect = Callable[..., Client]


@pytest.fixture
def connect(loop: SocketLoop, live: LiveDocument) -> Iterator[Connect]:
    """Gives clients: ``connect(right="read", ...)``."""
    ours: list[socket.socket] = []

    def make(source: Any = live, **options: Any) -> Client:
        there, here = socket.socketpair()
        ours.append(here)
        options = {"right": "write", "actor": "ada", **options}
        connection = loop.adopt(
            plain_transport(there.detach()), lambda one: BokehHandler(one, source, **options)
        )
        client = Client(RawClient.on(here), connection)
        assert client.receive().msgtype == "ACK"
        return client

    yield make
    for sock in ours:
        sock.close()
