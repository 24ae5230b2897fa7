"""What weighs on the server: publishers, viewers that read, and viewers that come and go."""

from __future__ import annotations

import random
import re
import selectors
import socket
import struct
import threading
import time
from typing import Any

import requests
from viewers import PING, Socket

__all__ = ["Audience", "Publisher", "make_document"]

ROWS = 500
LINGER = struct.pack("ii", 1, 0)


def make_document(url: str, number: int) -> str:
    """Make a document with a data source "d" and a slider "s"; its docid."""
    from bokeh.document import Document
    from bokeh.models import ColumnDataSource, Slider
    from bokeh.plotting import figure

    source = ColumnDataSource({"x": [0.0], "y": [0.0]}, name="d")
    plot = figure(width=300, height=200)
    plot.line("x", "y", source=source)
    document = Document()
    document.add_root(plot)
    document.add_root(Slider(start=0, end=1e9, value=0, name="s"))
    made = requests.post(f"{url}/bokeh/doc/", json={"title": f"soak {number}"}, timeout=30)
    docid: str = made.json()["docid"]
    content = {"doc": document.to_json(deferred=False)}
    requests.put(f"{url}/bokeh/doc/{docid}/content", json=content, timeout=30).raise_for_status()
    return docid


class Publisher(threading.Thread):
    """Changes some documents so many times a second each, over HTTP.

    :ivar sent: how many changes were stored.
    :ivar late: seconds that it is behind its rate.
    """

    def __init__(self, url: str, docids: list[str], rate: float) -> None:
        super().__init__(daemon=True)
        self.url, self.docids, self.rate = url, docids, rate
        self.sent = 0
        self.late = 0.0
        self.error: Exception | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        """Publish until stopped."""
        try:
            with requests.Session() as http:
                self._publish(http)
        except Exception as error:
            self.error = error

    def _publish(self, http: requests.Session) -> None:
        ids = {docid: self._ids(http, docid) for docid in self.docids}
        began, number = time.monotonic(), 0
        while not self.stopped.is_set():
            for docid in self.docids:
                event = _event(ids[docid], number)
                url = f"{self.url}/bokeh/doc/{docid}/changes"
                http.post(url, json={"events": [event]}, timeout=30).raise_for_status()
                self.sent += 1
            number += 1
            rest = began + number / self.rate - time.monotonic()
            self.late = max(0.0, -rest)
            self.stopped.wait(max(0.0, rest))

    def _ids(self, http: requests.Session, docid: str) -> dict[str, str]:
        models = http.get(f"{self.url}/bokeh/bb/{docid}/", timeout=30).json()
        return {model["attributes"].get("name"): model["id"] for model in models}


def _event(ids: dict[str, str], number: int) -> dict[str, Any]:
    if number % 2:
        slider = {"id": ids["s"]}
        return {"kind": "ModelChanged", "model": slider, "attr": "value", "new": number}
    rows = {"x": [float(number)], "y": [float(number % 17)]}
    source = {"model": {"id": ids["d"]}, "attr": "data"}
    return {"kind": "ColumnsStreamed", **source, "data": rows, "rollover": ROWS}


def answer_pings(viewer: Socket, chunk: bytes) -> None:
    """Go through the frames that have come; what is left of the last one stays in its buffer."""
    data, at = viewer.buffer + chunk, 0
    while len(data) - at >= 2:
        head, size = 2, data[at + 1]
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[at + 2 : at + head], "big")
        if len(data) - at < head + size:
            break
        if data[at] == PING:
            viewer.pong(data[at + head : at + head + size])
        at += head + size
    viewer.buffer = data[at:]


class Audience:
    """Viewers that read all they get; some leave, well or badly, and others come.

    :ivar read: bytes they have read.
    """

    def __init__(self, port: int, docids: list[str], size: int) -> None:
        self.port, self.docids = port, docids
        self.dice = random.Random(port)
        self.read = self.came = 0
        self._selector = selectors.DefaultSelector()
        self._viewers: list[Socket] = []
        self._silent: list[tuple[float, socket.socket]] = []
        for number in range(size):
            self.come(docids[number % len(docids)])

    def come(self, docid: str) -> None:
        """Open the page of a document, connect and pull, as a browser does."""
        url = f"http://localhost:{self.port}/bokeh/doc/{docid}/show"
        found = re.search(r'"ticket":\s*"([^"]+)"', requests.get(url, timeout=30).text)
        assert found is not None
        viewer = Socket.connect(self.port, f"/bokeh/doc/{docid}/ws", found[1])
        viewer.pull()
        viewer.sock.setblocking(False)
        self._viewers.append(viewer)
        self._selector.register(viewer.sock, selectors.EVENT_READ, viewer)
        self.came += 1

    def churn(self) -> None:
        """Have one leave, and another come."""
        viewer = self._viewers.pop(self.dice.randrange(len(self._viewers)))
        self._selector.unregister(viewer.sock)
        how = self.dice.random()
        if how < 0.3:
            viewer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            viewer.close()
        elif how < 0.4:  # it reads no more, and goes only later
            self._silent.append((time.monotonic() + self.dice.uniform(1, 40), viewer.sock))
        else:
            viewer.close()
        self.come(self.dice.choice(self.docids))
        for late in [each for each in self._silent if each[0] < time.monotonic()]:
            self._silent.remove(late)
            late[1].close()

    def look(self, seconds: float) -> None:
        """Read what comes for so long."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(rest):
                chunk = key.data.sock.recv(1 << 16)
                assert chunk, "the server dropped a viewer that reads"
                self.read += len(chunk)
                answer_pings(key.data, chunk)

    def leave(self) -> None:
        """Everybody goes."""
        self._selector.close()
        for viewer in self._viewers:
            viewer.close()
        for _, sock in self._silent:
            sock.close()
        self._viewers, self._silent = [], []
