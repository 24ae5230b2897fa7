"""All applications of one server in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bokeh.application.application import Application

from bokeh_server.apps.backend import HandOver
from bokeh_server.apps.connecting import AppHandler
from bokeh_server.apps.coroutines import Coroutines
from bokeh_server.apps.curdoc import install
from bokeh_server.apps.loading import metadata_of
from bokeh_server.apps.opening import Asked, open_by_token, open_for_page
from bokeh_server.apps.options import HostOptions
from bokeh_server.apps.permits import Permits
from bokeh_server.apps.pipes import install as install_pipes
from bokeh_server.apps.rendering import Embedding, PageFiles, render_page, render_script
from bokeh_server.apps.requests import AppRequest
from bokeh_server.apps.running import RunningApplication
from bokeh_server.apps.schedule import Schedule, Task
from bokeh_server.apps.services import NO_SERVICES, Services
from bokeh_server.errors import NotFound
from bokeh_server.sockets.connection import Connection
from bokeh_server.sockets.loop import SocketLoop
from bokeh_server.sockets.takeover import Transport

__all__ = ["AppHost"]

#: seconds that callbacks may take, all together, when their sessions are to end.
PATIENCE = 2.0


class AppHost:
    """Runs applications: what they share, and when they begin and end; a :class:`Backend`.

    :param applications: by their addresses.
    :param services: what is around them.
    """

    def __init__(
        self,
        applications: Mapping[str, Application],
        options: HostOptions,
        services: Services = NO_SERVICES,
    ) -> None:
        self.options = options
        self._schedule = Schedule()
        self._coroutines = Coroutines()
        self._lock = threading.Lock()
        self._looking: Task | None = None
        self._stopped = False
        self._publisher = services.publisher
        self._permits = Permits(services.guard, self._schedule) if services.guard else None
        self._running = {
            path: self._run(path, application) for path, application in applications.items()
        }

    def _run(self, path: str, application: Application) -> RunningApplication:
        return RunningApplication(
            path, application, self._schedule, self._coroutines, self.options, self._publisher
        )

    # --- what is asked of it ---------------------------------------------------------------

    def page(self, path: str, request: AppRequest, asked: Asked, files: PageFiles) -> str:
        """The page of an application, with the session that its request asks for, or a new one.

        :raises NotFound: there is no application at this address.
        """
        opened = open_for_page(self.at(path), request, asked, self.options.tokens)
        patience = self.options.patience
        page: str = opened.session.locked(render_page, opened, files, patience=patience)
        return page

    def script(
        self, path: str, request: AppRequest, asked: Asked, files: PageFiles, embedding: Embedding
    ) -> str:
        """The script that shows an application in somebody's page; see :meth:`page`."""
        opened = open_for_page(self.at(path), request, asked, self.options.tokens)
        patience = self.options.patience
        script: str = opened.session.locked(
            render_script, opened, files, embedding, patience=patience
        )
        return script

    def metadata(self, path: str) -> dict[str, Any]:
        """What the author of an application wants to be known of it; makes no session."""
        return metadata_of(self.at(path).application)

    def admit(
        self,
        path: str,
        request: AppRequest,
        token: str,
        *,
        script: bool,
        permit: str | None = None,
    ) -> HandOver:
        """Open the session that a token names, for a connection; see :class:`Backend`.

        :raises Forbidden: the token is not good.
        """
        tokens = self.options.tokens
        session = open_by_token(self.at(path), request, tokens.read(token), tokens)

        def hand_over(
            loop: SocketLoop, transport: Transport, initial: bytes, answer: bytes
        ) -> None:
            loop.adopt(transport, make_handler, initial=initial, answer=answer)

        def make_handler(connection: Connection) -> AppHandler:
            leave = self._watched(permit, connection)
            return AppHandler(connection, session, script=script, leave=leave)

        return hand_over

    def _watched(self, permit: str | None, connection: Connection) -> Callable[[], None]:
        if permit is None or self._permits is None:
            return lambda: None
        return self._permits.join(permit, connection)

    def at(self, path: str) -> RunningApplication:
        """The application at an address.

        :raises NotFound: there is none.
        """
        self.start()
        found = self._running.get(path)
        if found is None:
            raise NotFound("open an application", f"there is none at {path}", "Check the address")
        return found

    def static_folder(self, path: str) -> str | None:
        """The folder of an application's own files."""
        return self.at(path).application.static_path

    # --- its beginning and end -------------------------------------------------------------

    @property
    def paths(self) -> list[str]:
        """The addresses of the applications, in order of the alphabet."""
        return sorted(self._running)

    def start(self) -> None:
        """Run the hooks of the start, once, and begin to look for sessions that nobody uses."""
        with self._lock:
            if self._looking is not None or self._stopped:
                return
            install()
            install_pipes()
            self._looking = self._schedule.after(self.options.lifetimes.check, self._look)
        self._schedule.start()
        for application in self._running.values():
            application.load()
        self._schedule.add(self._looking)

    def replace(self, path: str, application: Application) -> None:
        """Run another application in the place of one; the sessions of the old one end.

        :raises NotFound: there is none at this address.
        """
        old, new = self.at(path), self._run(path, application)
        with self._lock:
            self._running[path] = new
        old.unload(time.monotonic() + PATIENCE)
        new.load()

    def close(self) -> None:
        """End every session, and run the hooks of the end; safe to repeat."""
        with self._lock:
            was_stopped, self._stopped = self._stopped, True
            started = self._looking is not None
        if was_stopped:
            return
        if started:
            deadline = time.monotonic() + PATIENCE
            for application in self._running.values():
                application.unload(deadline)
        self._schedule.stop()
        self._coroutines.stop()

    def _look(self) -> float:
        for application in self._running.values():
            application.discard_unused()
        return self._schedule.now() + self.options.lifetimes.check
