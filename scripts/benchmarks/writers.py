"""Many writers in a process of their own: ``writers.py WAY ADDRESS NUMBER COUNT``.

It makes a document for each of its ``COUNT`` writers, says that it is ready, and begins when it is
told for how many seconds. Every writer waits for the answer to a change before it makes the next.
Then it prints as JSON how many changes were answered, and how long each took.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and sys.argv[1] == "engine":
    from gevent import monkey

    monkey.patch_all()  # as the server command does, before anything else is imported

import json
import os
import resource
import selectors
import socket
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from bokeh.document import Document
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from viewers import Socket

POINTS = 5


def small_document() -> tuple[Document, ColumnDataSource]:
    """A plot of one line of five points, and its source."""
    plot = figure(width=400, height=400, name="bench")
    column = list(map(float, range(POINTS)))
    line = plot.line(column, column, name="line")
    document = Document()
    document.add_root(plot)
    return document, line.data_source


def change(source: str, number: int) -> bytes:
    """A patch that replaces one of the source's columns, as ``store_objects`` writes it."""
    column = {"type": "map", "entries": [["y", [number + each * 1.1 for each in range(POINTS)]]]}
    event = {"kind": "ColumnDataChanged", "model": {"id": source}, "attr": "data"}
    return json.dumps(
        {"events": [event | {"data": column, "cols": ["y"]}]}, separators=(",", ":")
    ).encode()


class Stopwatch:
    """The times of all changes, until the time is up."""

    def __init__(self, seconds: float) -> None:
        self.end = time.perf_counter() + seconds
        self.times: list[float] = []

    def note(self, began: float) -> bool:
        """Note a change that was answered; whether there is time for another."""
        now = time.perf_counter()
        if now <= self.end:
            self.times.append(now - began)
        return now < self.end


def in_threads(writers: list[Callable[[int], None]], seconds: float) -> list[float]:
    """Let every writer change its document in a thread of its own."""
    watch = Stopwatch(seconds)

    def write(change: Callable[[int], None]) -> None:
        number, more = 0, True
        while more:
            number, began = number + 1, time.perf_counter()
            change(number)
            more = watch.note(began)

    threads = [threading.Thread(target=write, args=(each,)) for each in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return watch.times


def sessions(address: str, names: list[str]) -> Callable[[float], list[float]]:
    """The real client: ``store_objects`` of a source whose column was replaced."""
    from bokeh_server import Session

    def writer(name: str) -> Callable[[int], None]:
        session = Session(root_url=address, load_from_config=False)
        session.use_doc(name)
        document, source = small_document()
        session.store_document(document)

        def store(number: int) -> None:
            source.data["y"] = [number + each * 1.1 for each in range(POINTS)]
            session.store_objects(source)

        store.document = document  # type: ignore[attr-defined]  # nobody else holds it
        return store

    writers = [writer(name) for name in names]
    return lambda seconds: in_threads(writers, seconds)


def engine(address: str, names: list[str]) -> Callable[[float], list[float]]:
    """The engine alone in this process, as the server uses it."""
    from bokeh_server.blueprint.schema import BokehSchema
    from bokeh_server.documents import Engine
    from bokeh_server.protocol import parse_patch
    from bokeh_server.server import spare_collector
    from bokeh_server.storage import Store

    schema = BokehSchema()
    schema.when_loaded = spare_collector
    documents = Engine(Store.open(address), schema=schema)

    def writer(name: str) -> Callable[[int], None]:
        docid = documents.create("default", name).docid
        document, source = small_document()
        live = documents.open(docid)
        content = json.loads(json.dumps(document.to_json(deferred=False)))
        live.replace(content, {}, actor="bench")
        return lambda number: void(
            live.apply(parse_patch(change(source.id, number), {}), actor="bench")
        )

    writers = [writer(name) for name in names]
    return lambda seconds: in_threads(writers, seconds)


def void(_value: object) -> None:
    """Drop a value."""


class Wire:
    """A writer that only sends bytes and waits, so that the server is what is measured."""

    def __init__(self, sock: socket.socket, source: str) -> None:
        self.sock = sock
        self.source = source
        self.number = 0
        self.began = 0.0

    def send(self) -> None:
        """Send the next change."""
        self.number += 1
        message = self.message(change(self.source, self.number))
        self.began = time.perf_counter()
        self.sock.sendall(message)

    def message(self, content: bytes) -> bytes:
        """A change as it goes over the line."""
        raise NotImplementedError

    def answered(self, data: bytes) -> bool:
        """Whether the change was stored; answers are short and come in one piece."""
        raise NotImplementedError


class HttpWriter(Wire):
    """POSTs changes as the client did in 2015, and still does where there is no WebSocket."""

    def __init__(self, port: int, docid: str, source: str) -> None:
        sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock, source)
        self.head = (
            f"POST /bokeh/doc/{docid}/changes HTTP/1.1\r\nHost: localhost:{port}\r\n"
            "User-Agent: python-requests\r\nAccept-Encoding: gzip, deflate\r\n"
            "Connection: keep-alive\r\nContent-Type: application/vnd.bokeh-server.packed\r\n"
            "Bokeh-Origin: 0123456789abcdef\r\nAccept: application/json\r\n"
        )

    def message(self, content: bytes) -> bytes:
        """A request."""
        from bokeh_server.protocol import pack

        body = pack(content, {})
        key = f"Idempotency-Key: {os.urandom(16).hex()}\r\n"
        return f"{self.head}{key}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def answered(self, data: bytes) -> bool:
        """Whether the answer is 200."""
        assert data.startswith(b"HTTP/1.1 200"), data[:300]
        return b'"seq"' in data


class SocketWriter(Wire):
    """Sends ``PATCH-DOC`` over the document's WebSocket."""

    def __init__(self, port: int, docid: str, source: str) -> None:
        path = f"/bokeh/doc/{docid}/ws?script=1&origin={os.urandom(8).hex()}"
        super().__init__(Socket.connect(port, path, None).sock, source)

    def message(self, content: bytes) -> bytes:
        """A ``PATCH-DOC``."""
        header = {"msgid": os.urandom(16).hex(), "msgtype": "PATCH-DOC"}
        return Socket.frames(json.dumps(header).encode(), b"{}", content)

    def answered(self, data: bytes) -> bool:
        """Whether it is ``OK``."""
        assert b'"ERROR"' not in data, data
        return b'"OK"' in data


def wires(address: str, names: list[str], kind: Any) -> Callable[[float], list[float]]:
    """Writers that are nothing but bytes, all in one thread."""
    port = int(address.rsplit(":", 1)[1].strip("/"))
    writers = [kind(port, *_published(address, name)) for name in names]
    return lambda seconds: _in_turn(writers, seconds)


def _in_turn(writers: list[Wire], seconds: float) -> list[float]:
    watch = Stopwatch(seconds)
    with selectors.DefaultSelector() as selector:
        for writer in writers:
            selector.register(writer.sock, selectors.EVENT_READ, writer)
            writer.send()
        waiting = len(writers)
        while waiting:
            for key, _ in selector.select(30):
                if key.data.answered(key.data.sock.recv(65536)):
                    if watch.note(key.data.began):
                        key.data.send()
                    else:
                        waiting -= 1
    return watch.times


def _published(address: str, name: str) -> tuple[str, str]:
    document, source = small_document()
    made = _http("POST", f"{address}bokeh/doc/", {"title": name})
    content = {"doc": document.to_json(deferred=False)}
    _http("PUT", f"{address}bokeh/doc/{made['docid']}/content", content)
    return made["docid"], source.id


def _http(method: str, url: str, body: object) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


WAYS: dict[str, Callable[[str, list[str]], Callable[[float], list[float]]]] = {
    "session": sessions,
    "engine": engine,
    "http": lambda address, names: wires(address, names, HttpWriter),
    "websocket": lambda address, names: wires(address, names, SocketWriter),
}


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _summary(times: list[float], seconds: float, cpu: float) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    shown = {"rate": len(times) / seconds, "count": len(times), "cpu": cpu}
    return shown | {"p50": cuts[49] * 1e3, "p99": cuts[98] * 1e3}


def _orders() -> Iterator[float]:
    for line in sys.stdin:
        yield float(line)


def main() -> None:
    """Make the documents, then write whenever a number of seconds comes on standard input."""
    way, address, number, count = sys.argv[1:]
    write = WAYS[way](address, [f"{way} {number} {each}" for each in range(int(count))])
    print("ready", flush=True)
    for seconds in _orders():
        before = _cpu()
        times = write(seconds)
        print(json.dumps(_summary(times, seconds, _cpu() - before)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
