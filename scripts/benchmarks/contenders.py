"""The two servers that are compared, each as a child process with one document to follow."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bokeh.document import Document
from bokeh.plotting import figure
from bokeh.util.token import generate_jwt_token
from viewers import Socket

QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

APP = """
from bokeh.plotting import curdoc, figure
p = figure(width=400, height=400, name="bench")
p.line(list(map(float, range({points}))), list(map(float, range({points}))), name="line")
curdoc().add_root(p)
"""


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_of(pid: int) -> int:
    """Resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _http(method: str, url: str, body: bytes = b"", **headers: str) -> bytes:
    request = urllib.request.Request(url, body or None, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


@dataclass
class Contender(ABC):
    """A running server: how its viewers connect and how a patch is published."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    page: str = ""
    ws: str = ""
    source: str = ""
    publisher: Socket | None = field(default=None, repr=False)

    def cpu(self) -> float:
        """CPU seconds that the server has used so far, user and system."""
        return cpu_of(self.process.pid)

    def rss(self) -> int:
        """Resident memory of the server in bytes."""
        return rss_of(self.process.pid)

    def token(self) -> str:
        """What a viewer offers as its second subprotocol."""
        return generate_jwt_token("bench", expiration=86_400)

    def viewer(self) -> Socket:
        """A connected viewer that has pulled the document."""
        viewer = Socket.connect(self.port, self.ws, self.token())
        viewer.pull()
        return viewer

    @abstractmethod
    def publish(self, data: dict[str, list[float]]) -> None:
        """Replace the source's columns; returns when the server says that it has done so."""

    def event(self, data: dict[str, list[float]]) -> bytes:
        """The content of a PATCH-DOC that replaces the columns."""
        columns = {"type": "map", "entries": [[k, v] for k, v in data.items()]}
        event = {"kind": "ColumnDataChanged", "model": {"id": self.source}, "attr": "data"}
        return json.dumps({"events": [event | {"data": columns, "cols": None}]}).encode()


class BokehServe(Contender):
    """``bokeh serve``: viewers share one session and a client patches it, as bokeh.client does."""

    def publish(self, data: dict[str, list[float]]) -> None:
        """Patch over a WebSocket; the OK comes when it is applied and sent."""
        if self.publisher is None:
            self.publisher = self.viewer()
        self.publisher.patch(self.event(data))


class BokehServer(Contender):
    """``bokeh-server``: a script patches over HTTP, as ``store_objects`` does."""

    _connection: socket.socket | None = None

    def token(self) -> str:
        """The ticket in the document's page."""
        html = _http("GET", f"http://localhost:{self.port}{self.page}").decode()
        found = re.search(r'"(?:token|ticket)":\s*"([^"]+)"', html)
        assert found is not None, "the page carries no token"
        self.token = lambda: found[1]  # type: ignore[method-assign]
        return found[1]

    def publish(self, data: dict[str, list[float]]) -> None:
        """Patch over HTTP; the answer comes when it is committed."""
        body = self.event(data)
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        path = self.ws.removesuffix("/ws") + "/changes"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._connection.sendall(head.encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.rstrip().endswith(b"}"):
            chunk = self._connection.recv(65536)
            assert chunk, answer
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 200"), answer[:500]


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(
                f"The server ended with {process.returncode} before it answered {url}."
            )
        try:
            _http("GET", url)
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"No answer from {url} within 30 s.")


@contextmanager
def bokeh_serve(points: int) -> Iterator[Contender]:
    """Run ``bokeh serve`` with an application of one line of ``points`` points."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "bench.py")
        script.write_text(APP.format(points=points))
        command = [sys.executable, "-m", "bokeh", "serve", str(script), "--port", str(port)]
        command += ["--log-level", "error", "--session-token-expiration", "86400"]
        process = subprocess.Popen(command, cwd=folder, **QUIET)
        try:
            _wait(f"http://localhost:{port}/bench/metadata", process)
            contender = BokehServe("bokeh serve", process, port, "/bench", "/bench/ws")
            first = contender.viewer()
            contender.source = first.source_id()
            first.close()
            yield contender
        finally:
            process.terminate()
            process.wait(20)


@dataclass
class Server:
    """A running bokeh-server."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def root(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://localhost:{self.port}/"

    def cpu(self) -> float:
        """CPU seconds that it has used so far, user and system."""
        return cpu_of(self.process.pid)

    def rss(self) -> int:
        """Resident memory in bytes."""
        return rss_of(self.process.pid)


@contextmanager
def run_server(database: str = "", *options: str) -> Iterator[Server]:
    """Run ``bokeh-server``.

    :param database: a URL; without it SQLite in a directory of its own.
    :param options: more options of the command.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bokeh_server", "--port", str(port), "--data-dir", folder]
        command += ["--log-level", "error", *(["--database", database] if database else [])]
        command += options
        process = subprocess.Popen(command, cwd=folder, **QUIET)
        try:
            _wait(f"http://localhost:{port}/bokeh/ping", process)
            yield Server(process, port)
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def bokeh_server(points: int) -> Iterator[Contender]:
    """Run ``bokeh-server`` on SQLite with a published document of one line of ``points`` points."""
    with run_server() as server:
        docid, source, plot = _publish(server.root.rstrip("/"), points)
        path = f"/bokeh/doc/{docid}"
        yield BokehServer(
            "bokeh-server", server.process, server.port, f"{path}/{plot}", f"{path}/ws", source
        )


def _publish(root: str, points: int) -> tuple[str, str, str]:
    plot = figure(width=400, height=400, name="bench")
    column = list(map(float, range(points)))
    line = plot.line(column, column, name="line")
    document = Document()
    document.add_root(plot)
    as_json = {"Content-Type": "application/json"}
    created = _http("POST", f"{root}/bokeh/doc/", b'{"title": "bench"}', **as_json)
    docid = json.loads(created)["docid"]
    content = json.dumps({"doc": document.to_json(deferred=False)}).encode()
    _http("PUT", f"{root}/bokeh/doc/{docid}/content", content, **as_json)
    return docid, line.data_source.id, plot.id
