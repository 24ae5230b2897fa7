"""Sessions in which a callback runs for long: who waits for it, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path

import pytest
from apps.conftest import Browser, wait_for
from bokeh.document import Document
from flask import Flask

from bokeh_server import BokehServer
from bokeh_server.apps import (
    AppHost,
    AppRequest,
    AppSession,
    Asked,
    HostOptions,
    PageFiles,
    application_of,
    hosting,
)
from bokeh_server.apps.session import MOST_WAITING
from bokeh_server.errors import ApplicationUnavailable

FILES = PageFiles("/bokeh/")


@contextmanager
def hung(*sessions: AppSession) -> Iterator[None]:
    """Callbacks that run in sessions until the end."""
    begun, end = threading.Semaphore(0), threading.Event()

    def callback() -> None:
        begun.release()
        end.wait(60)

    for session in sessions:
        session.document.add_next_tick_callback(callback)
    for _ in sessions:
        assert begun.acquire(timeout=10)
    try:
        yield
    finally:
        end.set()


@pytest.fixture
def host() -> Iterator[AppHost]:
    """A host of one application, whose pages have little patience."""
    host = AppHost({"/app": application_of(nothing)}, HostOptions(patience=0.2))
    yield host
    host.close()


def nothing(document: Document) -> None:
    """An application that has nothing to show."""


def test_a_page_waits_so_long_alone(host: AppHost) -> None:
    """Of the busy session, then it is told; of others it comes at once, of this one afterwards."""
    session = host.at("/app").open("busy", AppRequest(), {})
    page = partial(host.page, "/app", AppRequest(), Asked(session_id="busy"), FILES)
    with hung(session):
        with pytest.raises(ApplicationUnavailable, match=r"running in it for 0\.2 seconds.*Try"):
            page()
        assert "<html" in host.page("/app", AppRequest(), Asked(session_id="other"), FILES)
    assert "<html" in page()


def test_a_callback_waits_as_long_as_it_takes(host: AppHost) -> None:
    """The patience of pages is not that of the application's own work."""
    session = host.at("/app").open("busy", AppRequest(), {})
    order: list[str] = []
    with hung(session):
        waiting = threading.Thread(
            target=session.with_document_locked, args=(order.append, "waited")
        )
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        order.append("released")
    waiting.join(10)
    assert order == ["released", "waited"]


def test_the_answer_says_so(tmp_path: Path) -> None:
    """It is a 503, over HTTP."""
    app = Flask(__name__)
    bokeh = BokehServer(app, data_dir=tmp_path, app_patience=0.1)
    bokeh.add_application("/app", nothing)
    client = app.test_client()
    address = "/app?bokeh-session-id=busy"
    assert client.get(address).status_code == HTTPStatus.OK
    host = app.extensions["bokeh_server"].applications
    with hung(host.at("/app").get_session("busy")):
        answer = client.get(address, headers={"Accept": "application/json"})
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.json["error"] == "application_unavailable"
        assert client.get("/app").status_code == HTTPStatus.OK
    bokeh.close()


def test_many_who_wait_for_one_session_leave_threads_to_others(host: AppHost) -> None:
    """So many messages wait for it, further ones are refused; who goes away does not wait."""
    session = host.at("/app").open("busy", AppRequest(), {})
    refused: list[ApplicationUnavailable] = []

    def join() -> None:
        try:
            Browser(session)
        except ApplicationUnavailable as error:
            refused.append(error)

    threads = [threading.Thread(target=join) for _ in range(MOST_WAITING + 5)]
    with hung(session):
        for thread in threads:
            thread.start()
        wait_for(lambda: len(refused) == 5)
        assert sum(each.is_alive() for each in threads) == MOST_WAITING
        for _ in range(300):
            session.disconnected()
        assert threading.active_count() < 3 * MOST_WAITING
    for thread in threads:
        thread.join(10)
    assert session.channel.followers == MOST_WAITING


def test_hung_sessions_hold_up_the_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten of them, in two applications, as long as one; the idle one ends in good order."""
    monkeypatch.setattr(hosting, "PATIENCE", 0.5)
    ended: list[str] = []

    def application(document: Document) -> None:
        document.on_session_destroyed(lambda context: ended.append(context.id))

    paths = ("/a", "/b")
    host = AppHost({path: application_of(application) for path in paths}, HostOptions())
    sessions = [
        host.at(path).open(f"hung-{number}", AppRequest(), {})
        for path in paths
        for number in range(5)
    ]
    host.at("/b").open("idle", AppRequest(), {})
    with hung(*sessions):
        begun = time.monotonic()
        host.close()
        assert time.monotonic() - begun < 5 * 0.5
    assert ended == ["idle"]
