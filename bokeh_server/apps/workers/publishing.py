"""What applications in workers publish: the server's process stores it."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from typing import Any

import orjson

from bokeh_server.apps.publishing import Publisher
from bokeh_server.apps.workers.wire import pack, pack_error, receive, unpack_error
from bokeh_server.errors import ApplicationUnavailable, BokehServerError, ServerFault

__all__ = ["Desk", "DistantPublisher"]

log = logging.getLogger("bokeh_server")

#: how long storing a document may take.
STORE_SECONDS = 120.0


class Desk:
    """Takes documents of workers, in the server's process.

    :param listener: who has access to its address is one of our workers.
    """

    def __init__(self, listener: socket.socket, publisher: Publisher) -> None:
        self._listener = listener
        self._publisher = publisher

    def start(self) -> None:
        """Begin to take them."""
        threading.Thread(target=self._run, name="bokeh-desk", daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.closing(line), contextlib.suppress(OSError, EOFError):
            line.settimeout(STORE_SECONDS)
            question, data = receive(line)
            line.sendall(pack(self._answer(question["user"], question["title"], data)))

    def _answer(self, user: str | None, title: str, data: bytes) -> dict[str, Any]:
        try:
            return {"path": self._publisher.publish(user, title, orjson.loads(data))}
        except BokehServerError as error:
            return pack_error(error)
        except Exception:
            log.exception("A document of an application could not be stored")
            return pack_error(ServerFault("publish a document", "the server's log says why"))


class DistantPublisher:
    """Has the server store documents; a :class:`Publisher` for workers."""

    def __init__(self, address: str) -> None:
        self._address = address

    def publish(self, user: str | None, title: str, doc: dict[str, Any]) -> str:
        """Store a document; see :class:`Publisher`."""
        question = pack({"user": user, "title": title}, orjson.dumps(doc))
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(STORE_SECONDS)
                line.connect(self._address)
                line.sendall(question)
                answer, _ = receive(line)
        except (OSError, EOFError) as error:
            why = "the server's own process does not answer"
            raise ApplicationUnavailable("publish a document", why, "Try again") from error
        if "error" in answer:
            raise unpack_error(answer)
        path: str = answer["path"]
        return path
