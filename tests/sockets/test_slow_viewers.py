"""Viewers that do not keep up, at a real server: what they hold, and what they get in the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from bokeh_server.protocol.messages import Message, Receiver
from support.documents import doc_json
from support.rawsocket import BINARY, CLOSE, PING, PONG, TEXT, RawClient
from support.server import RunningServer, running_server

KILOBYTES_30 = "x" * 30_000
MEGABYTE = 1024 * 1024
SILENT = 20


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server of its own, whose memory is measured."""
    with running_server() as running:
        yield running


def make_document(server: RunningServer, title: str) -> str:
    """The document of ``support.documents``; its docid."""
    made = requests.post(f"{server.url}/bokeh/doc/", json={"title": title}, timeout=30)
    docid: str = made.json()["docid"]
    url = f"{server.url}/bokeh/doc/{docid}/content"
    requests.put(url, json={"doc": doc_json()}, timeout=30).raise_for_status()
    return docid


def publish(server: RunningServer, docid: str, count: int) -> str:
    """Set a long text so many times; the last value."""
    value = ""
    with requests.Session() as http:
        for number in range(count):
            value = f"{number} {KILOBYTES_30}"
            event = {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "title", "new": value}
            url = f"{server.url}/bokeh/doc/{docid}/changes"
            http.post(url, json={"events": [event]}, timeout=30).raise_for_status()
    return value


class Viewer:
    """A script's socket that has pulled the document."""

    def __init__(self, server: RunningServer, docid: str, buffer: int = 4096) -> None:
        path = f"/bokeh/doc/{docid}/ws?script=1"
        headers: dict[str, str | None] = {"Sec-WebSocket-Protocol": "bokeh"}
        self.client = RawClient(server.port, path, headers, receive_buffer=buffer)
        assert self.client.status == 101
        self._receiver = Receiver(max_size=1 << 30)
        assert self.receive().msgtype == "ACK"
        for part in (b'{"msgid":"1","msgtype":"PULL-DOC-REQ"}', b"{}", b"{}"):
            self.client.send(TEXT, part)
        assert self.receive().msgtype == "PULL-DOC-REPLY"

    def receive(self) -> Message:
        """The next message."""
        while True:
            frame = self.client.read()
            assert frame.opcode in (TEXT, BINARY, PING), (frame.opcode, frame.opcode == CLOSE)
            if frame.opcode == PING:
                self.client.send(PONG, frame.payload)
                continue
            payload = frame.payload.decode() if frame.opcode == TEXT else frame.payload
            message = self._receiver.feed(payload)
            if message is not None:
                return message

    def titles(self, last: str) -> list[str]:
        """The values that come, until this one."""
        found: list[str] = []
        while last not in found:
            events = json.loads(self.receive().content)["events"]
            found += [event["new"] for event in events if event.get("attr") == "title"]
        return found


@contextmanager
def silent_viewers(server: RunningServer, docid: str, count: int) -> Iterator[list[Viewer]]:
    """Viewers that read nothing after their pull."""
    viewers = [Viewer(server, docid) for _ in range(count)]
    try:
        yield viewers
    finally:
        for viewer in viewers:
            viewer.client.sock.close()


def rss(server: RunningServer) -> int:
    """Resident bytes of the server."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096


def unsent(port: int, viewers: list[Viewer]) -> list[int]:
    """Bytes that the kernel keeps on the server's side for each of some viewers."""
    wanted = {viewer.client.sock.getsockname()[1] for viewer in viewers}
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(each.split(":")[1], 16) for each in fields[1:3])
        if local == port and remote in wanted:
            found.append(int(fields[4].split(":")[0], 16))
    return found


def test_who_reads_nothing_holds_at_most_a_megabyte(server: RunningServer) -> None:
    """Memory of the process and of the kernel's buffers together, for each of them."""
    docid = make_document(server, "silent")
    publish(server, docid, 700)  # the ring is full
    before = rss(server)
    with silent_viewers(server, docid, SILENT) as viewers:
        publish(server, docid, 300)
        grown = max(0, rss(server) - before) / SILENT
        kernel = unsent(server.port, viewers)
        assert len(kernel) == SILENT
        assert max(kernel) + grown < MEGABYTE, (max(kernel), grown)


def test_who_reads_again_gets_the_newest_value(server: RunningServer) -> None:
    """After a pause longer than the ring it is not every step that comes, but the last value."""
    docid = make_document(server, "pause")
    viewer = Viewer(server, docid)
    last = publish(server, docid, 700)
    found = viewer.titles(last)
    assert found[-1] == last
    assert len(found) < 100
    viewer.client.sock.close()


@pytest.mark.alone
def test_those_who_read_wait_for_nobody(server: RunningServer) -> None:
    """Beside silent ones and one of 1 KB a second a change takes no longer than alone."""
    docid = make_document(server, "others")
    reader = Viewer(server, docid, 1 << 20)
    alone = [latency(server, docid, reader, number) for number in range(60)]
    with silent_viewers(server, docid, SILENT) as viewers:
        publish(server, docid, 40)
        while json.loads(reader.receive().content)["events"][0]["new"][:3] != "39 ":
            pass
        beside = []
        for number in range(60):
            viewers[0].client.sock.recv(1024)
            beside.append(latency(server, docid, reader, number))
    reader.client.sock.close()
    # p90 of few samples on a busy machine: `scripts/bench slow` measures closely
    assert sorted(beside)[54] < 2 * sorted(alone)[54] + 0.02


def latency(server: RunningServer, docid: str, reader: Viewer, number: int) -> float:
    """Seconds from a push to its arrival."""
    event: dict[str, Any] = {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "value"}
    url = f"{server.url}/bokeh/doc/{docid}/changes"
    began = time.perf_counter()
    requests.post(url, json={"events": [event | {"new": number}]}, timeout=30).raise_for_status()
    assert json.loads(reader.receive().content)["events"][0]["new"] == number
    return time.perf_counter() - began


def test_the_kernel_keeps_little(server: RunningServer) -> None:
    """A viewer's unread bytes stop at what the send buffer was set to."""
    docid = make_document(server, "buffers")
    with silent_viewers(server, docid, 2) as viewers:
        publish(server, docid, 60)
        assert all(0 < size <= 512 * 1024 for size in unsent(server.port, viewers))
