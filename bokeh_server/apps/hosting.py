"""All applications of one server in one process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from bokeh.application.application import Application

from bokeh_server.apps.coroutines import Coroutines
from bokeh_server.apps.curdoc import install
from bokeh_server.apps.requests import Filters
from bokeh_server.apps.running import Lifetimes, RunningApplication
from bokeh_server.apps.schedule import Schedule, Task
from bokeh_server.apps.tokens import Tokens

__all__ = ["AppHost", "HostOptions"]


@dataclass(frozen=True)
class HostOptions:
    """How applications are served.

    :param logout_url: what ``session_context.logout_url`` says.
    """

    tokens: Tokens = field(default_factory=Tokens)
    filters: Filters = field(default_factory=Filters)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    logout_url: str | None = None


class AppHost:
    """Runs applications: what they share, and when they begin and end.

    :param applications: by their addresses.
    """

    def __init__(self, applications: Mapping[str, Application], options: HostOptions) -> None:
        self.options = options
        self._schedule = Schedule()
        self._coroutines = Coroutines()
        self._lock = threading.Lock()
        self._looking: Task | None = None
        self._stopped = False
        self._running = {
            path: RunningApplication(
                path,
                application,
                self._schedule,
                self._coroutines,
                options.lifetimes,
                options.logout_url,
            )
            for path, application in applications.items()
        }

    @property
    def paths(self) -> list[str]:
        """The addresses of the applications, in order of the alphabet."""
        return sorted(self._running)

    def find(self, path: str) -> RunningApplication | None:
        """The application at an address."""
        return self._running.get(path)

    def start(self) -> None:
        """Run the hooks of the start, once, and begin to look for sessions that nobody uses."""
        with self._lock:
            if self._looking is not None or self._stopped:
                return
            install()
            self._looking = self._schedule.after(self.options.lifetimes.check, self._look)
        self._schedule.start()
        for application in self._running.values():
            application.load()
        self._schedule.add(self._looking)

    def close(self) -> None:
        """End every session, and run the hooks of the end; safe to repeat."""
        with self._lock:
            was_stopped, self._stopped = self._stopped, True
            started = self._looking is not None
        if was_stopped:
            return
        if started:
            for application in self._running.values():
                application.unload()
        self._schedule.stop()
        self._coroutines.stop()

    def _look(self) -> float:
        for application in self._running.values():
            application.discard_unused()
        return self._schedule.now() + self.options.lifetimes.check
