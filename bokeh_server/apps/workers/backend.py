"""Applications whose sessions are in workers, as the server's own process asks for them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bokeh.application.application import Application

from bokeh_server.apps.backend import HandOver
from bokeh_server.apps.loading import metadata_of
from bokeh_server.apps.opening import Asked
from bokeh_server.apps.options import HostOptions
from bokeh_server.apps.rendering import Embedding, PageFiles
from bokeh_server.apps.requests import AppRequest
from bokeh_server.apps.services import NO_SERVICES, Services
from bokeh_server.apps.workers.pool import Pool
from bokeh_server.apps.workers.relay import descriptor_of
from bokeh_server.apps.workers.starting import Orders
from bokeh_server.apps.workers.wire import pack, pack_request, receive, unpack_error
from bokeh_server.errors import ApplicationUnavailable, ConfigurationError, NotFound
from bokeh_server.sockets.limits import Limits
from bokeh_server.sockets.loop import SocketLoop
from bokeh_server.sockets.takeover import Transport

__all__ = ["WorkerBackend"]

#: how long an application's script may run until a page is given up.
ANSWER_SECONDS = 300.0


class WorkerBackend:
    """Has applications run in workers; a :class:`Backend`.

    :param applications: by their addresses; all of files.
    :param count: how many workers.
    :param limits: of their WebSockets.
    :param services: what is around the applications, in this process.
    :raises ConfigurationError: an application is no file, or this system cannot do it.
    """

    def __init__(
        self,
        applications: Mapping[str, Application],
        options: HostOptions,
        *,
        count: int,
        limits: Limits | None = None,
        services: Services = NO_SERVICES,
    ) -> None:
        if not hasattr(socket, "send_fds"):
            attempted, why = (
                "run applications in worker processes",
                "this system has no Unix sockets",
            )
            raise ConfigurationError(attempted, why, "Leave app_workers out")
        self.options = options
        self._applications = dict(applications)
        self._services = services
        self._orders = Orders.of(applications, options, limits or Limits())
        self._count = count
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._closed = False

    @property
    def paths(self) -> list[str]:
        """The addresses of the applications, in order of the alphabet."""
        return sorted(self._applications)

    @property
    def pool(self) -> Pool:
        """The workers, which start when they are asked for first."""
        with self._lock:
            if self._closed:
                raise ApplicationUnavailable("run an application", "the server is stopping")
            if self._pool is None:
                self._pool = Pool(self._count, self._orders.pack(), self._services)
                self._pool.start()
            return self._pool

    def start(self) -> None:
        """Start the workers."""
        self.pool  # noqa: B018 — made when it is asked for

    def close(self) -> None:
        """End the workers; safe to repeat."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    # --- what is asked of it ---------------------------------------------------------------

    def page(self, path: str, request: AppRequest, asked: Asked, files: PageFiles) -> str:
        """The page of an application; see :class:`Backend`."""
        return self._written("page", path, request, asked, files=asdict(files))

    def script(
        self, path: str, request: AppRequest, asked: Asked, files: PageFiles, embedding: Embedding
    ) -> str:
        """The script that shows an application in somebody's page."""
        more = {"files": asdict(files), "embedding": asdict(embedding)}
        return self._written("script", path, request, asked, **more)

    def metadata(self, path: str) -> dict[str, Any]:
        """What the author of an application wants to be known of it."""
        return metadata_of(self._at(path))

    def static_folder(self, path: str) -> str | None:
        """The folder of an application's own files."""
        return self._at(path).static_path

    def admit(
        self,
        path: str,
        request: AppRequest,
        token: str,
        *,
        script: bool,
        permit: str | None = None,
    ) -> HandOver:
        """Open the session that a token names, for a connection."""
        self._at(path)
        session_id = self.options.tokens.read(token).session_id
        question = {"do": "admit", "path": path, "request": pack_request(request)}
        more = {"token": token, "script": script, "permit": permit}
        line = self._ask(session_id, {**question, **more})
        _answer_of(line, path)

        def hand_over(
            loop: SocketLoop, transport: Transport, initial: bytes, answer: bytes
        ) -> None:
            # The peer's socket lives on in the worker; a failure here leaves it closed.
            with contextlib.closing(line), descriptor_of(transport) as descriptor:
                socket.send_fds(line, [b"f"], [descriptor])
                line.sendall(pack({"answer": len(answer)}, answer + initial))

        return hand_over

    def _written(self, do: str, path: str, request: AppRequest, asked: Asked, **more: Any) -> str:
        self._at(path)
        session_id, asked = self._place(asked)
        question = {"do": do, "path": path, "request": pack_request(request)}
        with self._ask(session_id, {**question, "asked": asdict(asked), **more}) as line:
            return _answer_of(line, path).decode("utf-8", "surrogatepass")

    def _place(self, asked: Asked) -> tuple[str, Asked]:
        """Find the session that is asked for, by which its worker is found; a new one has an id."""
        found = asked.id
        if found is None and asked.token is not None:
            return self.options.tokens.read(asked.token).session_id, asked
        if found is None:
            found = self.options.tokens.new_id()
            asked = Asked(session_id=found)
        return found, asked

    def _at(self, path: str) -> Application:
        found = self._applications.get(path)
        if found is None:
            raise NotFound("open an application", f"there is none at {path}", "Check the address")
        return found

    def _ask(self, session_id: str, question: dict[str, Any]) -> socket.socket:
        """Ask a worker; gives the connection to it when it has begun to answer.

        :raises ApplicationUnavailable: it did not begin in time.
        """
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(self.options.patience)
        try:
            line.connect(self.pool.address_of(session_id))
            line.sendall(pack(question))
            if not line.recv(1):
                raise EOFError
        except (OSError, EOFError) as error:
            line.close()
            raise _unavailable(question["path"], error) from error
        except BaseException:
            line.close()
            raise
        line.settimeout(ANSWER_SECONDS)
        return line


def _answer_of(line: socket.socket, path: str) -> bytes:
    """What a worker answers.

    :raises BokehServerError: what it raises; or it has ended.
    """
    try:
        content, data = receive(line)
    except (OSError, EOFError) as error:
        line.close()
        raise _unavailable(path, error) from error
    if "error" in content:
        line.close()
        raise unpack_error(content)
    return data


def _unavailable(path: str, error: Exception) -> ApplicationUnavailable:
    attempted = f"run the application {path}"
    if isinstance(error, TimeoutError | BlockingIOError):
        why = "its worker process is busy with another session, or is starting"
    else:
        why = "its worker process has just ended, and another one is being started"
    return ApplicationUnavailable(attempted, why, "Try again in a moment")
