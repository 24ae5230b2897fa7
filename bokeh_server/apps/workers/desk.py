"""What workers ask of the server's process: to store what they publish, and who may stay."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Collection
from typing import Any

import orjson

from bokeh_server.apps.services import Services
from bokeh_server.apps.workers.wire import pack, pack_error, receive, unpack_error
from bokeh_server.errors import ApplicationUnavailable, BokehServerError, ServerFault

__all__ = ["Desk", "DistantGuard", "DistantPublisher"]

log = logging.getLogger("bokeh_server")

#: how long storing a document may take.
STORE_SECONDS = 120.0


class Desk:
    """Answers workers, in the server's process.

    :param listener: who has access to its address is one of our workers.
    """

    def __init__(self, listener: socket.socket, services: Services) -> None:
        self._listener = listener
        self._services = services

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self._run, name="bokeh-desk", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
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
            line.sendall(pack(self._answer(question, data)))

    def _answer(self, question: dict[str, Any], data: bytes) -> dict[str, Any]:
        publisher, guard = self._services.publisher, self._services.guard
        try:
            if "permits" in question:
                return {"lapsed": [] if guard is None else guard.lapsed(question["permits"])}
            assert publisher is not None, "workers are told whether there is one"
            doc = orjson.loads(data)
            return {"path": publisher.publish(question["user"], question["title"], doc)}
        except BokehServerError as error:
            return pack_error(error)
        except Exception:
            log.exception("The server could not do what an application asked for")
            why = "the server's log says why"
            return pack_error(ServerFault("do this for an application", why))


class _Distant:
    """Asks the desk."""

    def __init__(self, address: str) -> None:
        self._address = address

    def _ask(self, attempted: str, question: dict[str, Any], data: bytes = b"") -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(STORE_SECONDS)
                line.connect(self._address)
                line.sendall(pack(question, data))
                answer, _ = receive(line)
        except (OSError, EOFError) as error:
            why = "the server's own process does not answer"
            raise ApplicationUnavailable(attempted, why, "Try again") from error
        if "error" in answer:
            raise unpack_error(answer)
        return answer


class DistantPublisher(_Distant):
    """Has the server store documents; a ``Publisher`` for workers."""

    def publish(self, user: str | None, title: str, doc: dict[str, Any]) -> str:
        """Store a document; see :class:`bokeh_server.apps.Publisher`."""
        question = {"user": user, "title": title}
        path: str = self._ask("publish a document", question, orjson.dumps(doc))["path"]
        return path


class DistantGuard(_Distant):
    """Has the server tell whose login has ended; a ``Guard`` for workers."""

    def lapsed(self, permits: Collection[str]) -> list[str]:
        """Those that are good no more; see :class:`bokeh_server.apps.Guard`."""
        question = {"permits": list(permits)}
        found: list[str] = self._ask("see who may stay", question)["lapsed"]
        return found
