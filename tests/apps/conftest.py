"""Applications that run, and browsers that follow them without a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from bokeh.document import Document

from bokeh_server.apps import (
    AppHost,
    AppRequest,
    AppSession,
    HostOptions,
    Lifetimes,
    application_of,
)
from bokeh_server.channels import Cursor
from bokeh_server.protocol.patches import parse_patch

__all__ = ["PLACES", "Browser", "Running", "options_for", "wait_for"]

#: where sessions of the command may run.
PLACES = ["one process", "a worker"]


def options_for(place: str) -> tuple[str, ...]:
    """Options of the command, for sessions to run in one of :data:`PLACES`."""
    return ("--app-workers", "1") if place == "a worker" else ()


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


class Browser:
    """A connection to a session."""

    is_script = False

    def __init__(self, session: AppSession, origin: str = "browser") -> None:
        self.origin = origin
        self.session = session
        session.connected()
        self.pulled, cursor = session.join(self)
        self.cursor: Cursor = cursor

    def wake(self) -> None:
        """Nothing to do: it looks by itself."""

    def heard(self) -> list[dict[str, Any]]:
        """The events that came since it was asked last."""
        found = []
        while (entry := self.session.channel.next(self.cursor)) is not None:
            text = bytes(entry.data)  # type: ignore[union-attr, arg-type]
            content = text[text.index(b'{"events"') :]
            found += orjson.loads(content[: content.rindex(b"]}") + 2])["events"]
        return found

    def texts(self) -> list[Any]:
        """The new values of attributes among them."""
        return [event["new"] for event in self.heard() if event["kind"] == "ModelChanged"]

    def set(self, model_id: str, attr: str, value: object) -> int:
        """Change an attribute, as BokehJS does."""
        event = {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": value}
        patch = parse_patch(orjson.dumps({"events": [event]}), {})
        return self.session.apply(patch, actor="", origin=self.origin, browser=True)


class Running:
    """A host of applications that are functions."""

    def __init__(self, lifetimes: Lifetimes) -> None:
        self._lifetimes = lifetimes
        self.hosts: list[AppHost] = []

    def open(self, function: Callable[[Document], None], name: str = "one") -> AppSession:
        """A session of an application."""
        host = AppHost({"/app": application_of(function)}, HostOptions(lifetimes=self._lifetimes))
        self.hosts.append(host)
        return host.at("/app").open(name, AppRequest(), {})

    def close(self) -> None:
        """Stop all hosts."""
        for host in self.hosts:
            host.close()


@pytest.fixture
def running() -> Iterator[Running]:
    """Runs applications whose sessions end soon when nobody is there."""
    running = Running(Lifetimes(unused=0.3, check=0.05))
    yield running
    running.close()
