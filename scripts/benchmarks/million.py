"""A document of a million points: memory, opening, and pulling it beside sending its raw bytes."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from contenders import Server, run_server
from databases import database
from table import growth, heading
from viewers import Socket

from bokeh_server import Session

__all__ = ["million"]

POINTS = 1_000_000
RAW = POINTS * 2 * 8


@contextmanager
def _raw_sender() -> Iterator[socket.socket]:
    """A connection on which another process sends all bytes whenever it is sent one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = os.fork()
        if not child:
            peer, data = listener.accept()[0], os.urandom(RAW)
            while peer.recv(1):
                peer.sendall(data)
            os._exit(0)
        with socket.create_connection(listener.getsockname()) as sock:
            yield sock
    os.waitpid(child, 0)


def _time(sock: socket.socket, ask: Callable[[], None]) -> float:
    """Milliseconds from asking until as many bytes have come as there are in the arrays."""
    view = memoryview(bytearray(RAW))
    began = time.perf_counter()
    ask()
    while view:
        view = view[sock.recv_into(view) :]
    return 1e3 * (time.perf_counter() - began)


def _pull(port: int, docid: str) -> float:
    """Milliseconds from asking for a document until as much has come as its arrays have."""
    viewer = Socket.connect(port, f"/bokeh/doc/{docid}/ws?script=1", None)
    header = b'{"msgid":"pull","msgtype":"PULL-DOC-REQ"}'
    try:
        return _time(viewer.sock, lambda: viewer.send(header, b"{}", b"{}"))
    finally:
        viewer.close()


def _publish(root: str) -> str:
    with Session(root_url=root, load_from_config=False) as session:
        docid = session.use_doc("million")
        column, document = np.random.default_rng(1).random(POINTS), Document()
        document.add_root(ColumnDataSource({"x": column, "y": column + 1}))
        session.store_document(document)
        return docid


def _find(root: str) -> str:
    with Session(root_url=root, load_from_config=False) as session:
        return session.use_doc("million")


def _streaming(root: str) -> Callable[[int], None]:
    """Add a point and drop one, by another script; the puller does not hear of it."""
    session = Session(root_url=root, load_from_config=False)
    session.use_doc("million")
    document = Document()
    session.load_document(document)
    source = document.roots[0]

    def stream(number: int) -> None:
        source.stream({"x": [number / 7], "y": [number / 3]}, rollover=POINTS)
        session.store_objects(source)

    return stream


def million(quick: bool) -> None:
    """Print what a document of a million points costs, beside its raw bytes."""
    tries = 5 if quick else 20
    heading("raw bytes", "bokeh-server")
    with tempfile.TemporaryDirectory() as folder, database("sqlite", folder) as url:
        with run_server(url or "") as server:
            _publish(server.root)
        with run_server(url or "") as server:
            before = server.rss()
            docid = _find(server.root)
            opened = _pull(server.port, docid)
            sent, again, changed = _pulls(server, docid, tries)
            growth("pull 1,000,000 points", sent, again, "ms", 2.0)
            growth("the same just after a point was added", sent, changed, "ms", 2.0)
            growth("the same from disk, the first time", sent, opened, "ms", 10.0)
            grown = (server.rss() - before) / 2**20
            growth("memory of the server", RAW / 2**20, grown, "MiB", 6.0)


def _pulls(server: Server, docid: str, tries: int) -> tuple[float, float, float]:
    """Milliseconds, the best of some: raw bytes, the document, and the document changed before."""
    stream = _streaming(server.root)
    with _raw_sender() as raw:
        rounds = []
        for number in range(tries):
            sent = _time(raw, lambda: raw.sendall(b"x"))
            again = _pull(server.port, docid)
            stream(number)
            rounds.append((sent, again, _pull(server.port, docid)))
    sent, again, changed = (min(times) for times in zip(*rounds, strict=True))
    return sent, again, changed
