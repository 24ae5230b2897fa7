"""What a worker does: it answers the server's questions, and takes the sockets that it is given."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from typing import Any

from bokeh_server.apps.hosting import AppHost
from bokeh_server.apps.opening import Asked
from bokeh_server.apps.rendering import Embedding, PageFiles
from bokeh_server.apps.workers.wire import pack, pack_error, receive, unpack_request
from bokeh_server.errors import BokehServerError, ServerFault
from bokeh_server.sockets.loop import SocketLoop
from bokeh_server.sockets.takeover import plain_transport

__all__ = ["Serving"]

log = logging.getLogger("bokeh_server")

#: how long the server may take to hand over a socket that it has announced.
HAND_OVER_SECONDS = 60.0
PAUSE_SECONDS = 0.2


class Serving:
    """Answers on a listening socket, each question on a thread of its own."""

    def __init__(self, listener: socket.socket, host: AppHost, loop: SocketLoop) -> None:
        self._listener = listener
        self._host = host
        self._loop = loop

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self._run, name="bokeh-worker", daemon=True).start()

    def close(self) -> None:
        """Close the sockets, end the sessions, and run the hooks."""
        self._loop.close()
        self._host.close()

    def _run(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()
            except (OSError, RuntimeError):  # too many open files, or threads
                log.exception("A worker could not take a question")
                time.sleep(PAUSE_SECONDS)

    def _serve(self, line: socket.socket) -> None:
        with contextlib.closing(line), contextlib.suppress(OSError, EOFError):
            line.sendall(b"+")
            question, _ = receive(line)
            if question["do"] == "admit":
                self._admit(line, question)
            else:
                line.sendall(self._answer(question))

    def _answer(self, question: dict[str, Any]) -> bytes:
        try:
            text = self._written(question)
            return pack({}, text.encode("utf-8", "surrogatepass"))
        except Exception as error:
            return pack(_told(error))

    def _written(self, question: dict[str, Any]) -> str:
        path, request = question["path"], unpack_request(question["request"])
        asked = Asked(**question["asked"])
        files = PageFiles(**question["files"])
        if question["do"] == "script":
            embedding = Embedding(**question["embedding"])
            return self._host.script(path, request, asked, files, embedding)
        return self._host.page(path, request, asked, files)

    def _admit(self, line: socket.socket, question: dict[str, Any]) -> None:
        request = unpack_request(question["request"])
        try:
            self._loop.check_open()
            take = self._host.admit(
                question["path"],
                request,
                question["token"],
                script=question["script"],
                permit=question["permit"],
            )
        except Exception as error:
            line.sendall(pack(_told(error)))
            return
        line.sendall(pack({}))
        line.settimeout(HAND_OVER_SECONDS)
        descriptor = _descriptor(line)
        try:
            sizes, data = receive(line)
        except BaseException:
            os.close(descriptor)
            raise
        answer = sizes["answer"]
        take(self._loop, plain_transport(descriptor), data[answer:], data[:answer])


def _descriptor(line: socket.socket) -> int:
    """Wait for a descriptor; who opened the session may also go away."""
    _, descriptors, _, _ = socket.recv_fds(line, 1, 1)
    if not descriptors:
        raise EOFError
    os.set_inheritable(descriptors[0], False)
    return descriptors[0]


def _told(error: Exception) -> dict[str, Any]:
    if isinstance(error, BokehServerError):
        return pack_error(error)
    log.exception("A worker failed to answer")
    why = "the worker failed; the server's log says where"
    return pack_error(ServerFault("run the application", why))
