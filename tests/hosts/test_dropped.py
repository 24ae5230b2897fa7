"""Connections that break at any byte, at two workers of which one dies: no row is lost or doubled.

``BOKEH_TEST_DROPS`` sets how many connections are dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from bokeh_server.protocol.messages import Message, Receiver
from support.postgresql import Postgresql
from support.rawsocket import PING, PONG, TEXT, RawClient
from support.server import RunningServer, running_server
from support.writers import client, make_document

pytestmark = pytest.mark.postgresql

DROPS = int(os.environ.get("BOKEH_TEST_DROPS", "40"))
VIEWERS = 4
PARTS = ({"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {})

Pair = tuple[RunningServer, RunningServer]


@pytest.fixture
def servers(postgresql_server: Postgresql) -> Iterator[Pair]:
    """Two workers on one database."""
    with (
        postgresql_server.ready_database() as url,
        running_server("--database", url) as one,
        running_server("--database", url) as two,
    ):
        yield one, two


class Writer(threading.Thread):
    """Appends rows, each numbered, at any worker, until each is stored.

    :ivar stored: how many rows are.
    """

    def __init__(self, servers: Pair, docid: str, first: int) -> None:
        super().__init__()
        self.servers, self.docid, self.stored = servers, docid, first
        self.stopping = threading.Event()

    def run(self) -> None:
        """Write."""
        while not self.stopping.wait(0.01):
            number = float(self.stored)
            event = {"kind": "ColumnsStreamed", "model": {"id": "d"}, "attr": "data"}
            event |= {"rollover": None, "data": {"x": [number], "y": [number]}}
            while not self.send(event, f"row-{self.stored}"):
                time.sleep(0.05)
            self.stored += 1

    def send(self, event: object, key: str) -> bool:
        """Try at one of them."""
        path = f"{random.choice(self.servers).url}/bokeh/doc/{self.docid}/changes"
        with contextlib.suppress(requests.RequestException), requests.Session() as http:
            headers = {"Idempotency-Key": key}
            answer = http.post(path, json={"events": [event]}, headers=headers, timeout=10)
            return answer.status_code == 200
        return False


class Viewer:
    """Follows over raw sockets, and checks that it always has rows without a gap."""

    def __init__(self, writer: Writer, seed: int) -> None:
        self.writer = writer
        self.dice = random.Random(seed)
        self.rows: list[float] = []

    def follow(self, until: float, least: int) -> None:
        """Connect somewhere, pull, and follow for some seconds, and until so many rows are there.

        :raises OSError: the connection is lost.
        """
        port = self.dice.choice(self.writer.servers).port
        path = f"/bokeh/doc/{self.writer.docid}/ws?script=1"
        deadline = time.monotonic() + until
        with RawClient(port, path, {"Sec-WebSocket-Protocol": "bokeh"}) as raw:
            raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for part in PARTS:
                raw.send(TEXT, json.dumps(part).encode())
            receiver = Receiver(max_size=2**24)
            while time.monotonic() < deadline or len(self.rows) < least:
                found = raw.read()
                if found.opcode == PING:
                    raw.send(PONG, found.payload)
                    continue
                if found.opcode != TEXT:
                    raise ConnectionResetError
                message = receiver.feed(found.payload.decode())
                if message is not None:
                    self.take(message)
                    receiver = Receiver(max_size=2**24)

    def take(self, message: Message) -> None:
        """Show a message."""
        content = json.loads(message.content)
        if message.msgtype == "PULL-DOC-REPLY":
            self.rows = rows_in(content["doc"])
        elif message.msgtype == "PATCH-DOC":
            for event in content["events"]:
                self.rows += event["data"]["x"]
        assert self.rows == [float(number) for number in range(len(self.rows))]

    def drop_often(self, times: int) -> None:
        """Be cut off again and again."""
        for _ in range(times):
            with contextlib.suppress(OSError):
                self.follow(self.dice.random() ** 3, 0)
            time.sleep(self.dice.choice([0, 0, 0.2]) * self.dice.random())


def rows_in(value: object) -> list[float]:
    """The column ``x`` of the data source, in the JSON of a document."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            if each.get("id") == "d" and "attributes" in each:
                found: list[float] = dict(each["attributes"]["data"]["entries"])["x"]
                return found
            left += each.values()
        elif isinstance(each, list):
            left += each
    raise AssertionError("there is no data source")


def test_whoever_is_cut_off_misses_nothing(servers: Pair) -> None:
    """Viewers are dropped at random while rows are streamed and a worker is killed and started."""
    with client(servers[0].url) as http:
        docid = make_document(http, "dropped")
        data = {"type": "map", "entries": [["x", [0.0, 1.0]], ["y", [0.0, 1.0]]]}
        event = {"kind": "ModelChanged", "model": {"id": "d"}, "attr": "data", "new": data}
        path = f"{servers[0].url}/bokeh/doc/{docid}/changes"
        assert requests.post(path, json={"events": [event]}, timeout=10).status_code == 200
    writer = Writer(servers, docid, 2)
    viewers = [Viewer(writer, seed) for seed in range(VIEWERS)]
    failures: list[BaseException] = []

    def run(viewer: Viewer) -> None:
        try:
            viewer.drop_often(DROPS // VIEWERS)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(viewer,)) for viewer in viewers]
    for thread in (writer, *threads):
        thread.start()
    time.sleep(1)
    servers[1].kill()
    servers[1].start()
    for thread in threads:
        thread.join()
    writer.stopping.set()
    writer.join()
    assert failures == []
    for viewer in viewers:
        viewer.follow(0, writer.stored)
        assert len(viewer.rows) == writer.stored > 20
