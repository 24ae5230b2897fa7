"""Applications whose code would end what runs it, and coroutines that wait for one another."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import bokeh.io
import pytest
import requests
from apps.conftest import Browser, Running, wait_for
from bokeh.application.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document, without_document_lock
from bokeh.io import curdoc, reset_output
from bokeh.models import Div, Slider

from bokeh_server.apps import (
    AppHost,
    AppRequest,
    Asked,
    Coroutines,
    HostOptions,
    Lifetimes,
    PageFiles,
    application_of,
    hosting,
)
from bokeh_server.apps import running as running_module
from bokeh_server.apps.containing import contained
from bokeh_server.apps.running import MOST_ENDING
from bokeh_server.apps.scripts import Turns
from bokeh_server.crew import Crew
from bokeh_server.errors import ApplicationFailed, ApplicationUnavailable
from support.app_client import app_socket, open_app_page
from support.server import running_server


class Odd(BaseException):
    """What is no ``Exception``, and not of Python either."""


def leave(*_: object) -> None:
    """Call what ends programs."""
    sys.exit(3)


def interrupt(*_: object) -> None:
    """Raise what Ctrl-C does, where nobody pressed it."""
    raise KeyboardInterrupt


def be_odd(*_: object) -> None:
    """Raise what nobody expects."""
    raise Odd


async def leave_later(*_: object) -> None:
    """The same, in a coroutine."""
    await asyncio.sleep(0.01)
    sys.exit(3)


ENDS = [leave, interrupt, be_odd, leave_later]


@pytest.mark.parametrize("end", [leave, be_odd])
def test_it_is_a_failure_like_any_other(end: Callable[[], None]) -> None:
    """Told as ours; an exception passes as it is, and so does a value."""
    with pytest.raises(ApplicationFailed, match="would end the server"):
        contained(end)
    with pytest.raises(ZeroDivisionError):
        contained(lambda: 1 / 0)
    assert contained(max, 1, 2) == 2


def test_who_sits_at_the_terminal_may_stop_the_server() -> None:
    """Ctrl-C comes to the main thread, and stays what it is."""
    with pytest.raises(KeyboardInterrupt):
        contained(interrupt)


@pytest.mark.parametrize("end", ENDS)
def test_no_callback_ends_more_than_itself(
    running: Running, end: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Callbacks of the same session and coroutines of another go on, and the log says why."""
    ticks: list[int] = []

    async def tick() -> None:
        await asyncio.sleep(0.001)
        ticks.append(1)

    def application(doc: Document) -> None:
        doc.add_next_tick_callback(end)
        doc.add_timeout_callback(end, 5)
        doc.add_next_tick_callback(without_document_lock(end))
        doc.add_periodic_callback(tick, 10)

    running.open(application)
    wait_for(lambda: caplog.text.count("would end the server") >= 3)
    count = len(ticks)
    wait_for(lambda: len(ticks) > count + 3)
    assert "callback of an application failed" in caplog.text


@pytest.mark.parametrize("end", [leave, be_odd])
def test_no_change_of_a_browser_ends_it(running: Running, end: Callable[..., Any]) -> None:
    """The message is answered with an error; the next one is taken."""
    slider = Slider(start=0, end=9, value=0)

    def application(doc: Document) -> None:
        slider.on_change("value", lambda attr, old, new: end())
        doc.add_root(slider)

    browser = Browser(running.open(application))
    for value in (1, 2):
        with pytest.raises(ApplicationFailed):
            browser.set(slider.id, "value", value)
        assert slider.value == value


class OddHooks(FunctionHandler):
    """Hooks, each of which ends what runs it."""

    on_server_loaded = on_server_unloaded = staticmethod(leave)

    async def on_session_created(self, context: object) -> None:
        """End a coroutine."""
        sys.exit(1)

    async def on_session_destroyed(self, context: object) -> None:
        """End it otherwise."""
        raise Odd


def test_no_hook_ends_it() -> None:
    """The server starts, makes a session, ends it and stops."""
    host = AppHost({"/": Application(OddHooks(lambda doc: None))}, HostOptions())
    session = host.at("/").open("one", AppRequest(), {})
    session.document.on_session_destroyed(leave)
    host.close()
    assert session.destroyed


@pytest.mark.parametrize("end", ["sys.exit(3)", "raise KeyboardInterrupt", "raise GeneratorExit"])
def test_a_script_that_ends_is_told(tmp_path: Path, end: str) -> None:
    """It is a page with an error, and can be tried again."""
    script = tmp_path / "script.py"
    script.write_text(f"import sys\n{end}\n")
    host = AppHost({"/": application_of(str(script))}, HostOptions())
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            host.page("/", AppRequest(), Asked(), PageFiles("/bokeh/"))
        except BaseException as error:
            errors.append(error)

    for _ in range(2):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(20)
    assert [type(each) for each in errors] == [ApplicationFailed] * 2
    assert bokeh.io.reset_output is reset_output
    host.close()


def test_a_crew_counts_only_threads_that_live() -> None:
    """A task that ends its thread leaves room for another."""
    crew, done = Crew(most=2), threading.Event()
    known, threading.excepthook = threading.excepthook, lambda _: None
    try:
        for _ in range(5):
            crew.submit(leave)
        wait_for(lambda: len(crew) == 0)
    finally:
        threading.excepthook = known
    crew.submit(done.set)
    assert done.wait(10)
    crew.stop()


def test_a_task_of_its_own_does_not_end_the_loop() -> None:
    """Also where nobody waits for what called ``sys.exit()``."""
    coroutines, done = Coroutines(), threading.Event()

    async def begin() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(leave_later())

    task = coroutines.run(begin())
    wait_for(task.done)
    with suppress(SystemExit):
        task.result()

    async def finish() -> str:
        done.set()
        return "alive"

    assert coroutines.run(finish()) == "alive"
    coroutines.stop()


def test_who_waits_for_a_coroutine_does_not_outlast_the_loop() -> None:
    """It is told that the server stops."""
    coroutines = Coroutines()
    found: list[BaseException] = []

    def wait() -> None:
        try:
            coroutines.run(asyncio.sleep(60))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_for(lambda: coroutines._thread is not None)
    time.sleep(0.1)
    coroutines.stop()
    thread.join(10)
    assert len(found) == 1


@pytest.mark.parametrize("by_server", [True, False], ids=["stopped", "cancelled"])
def test_a_stop_fails_no_callback(
    running: Running,
    by_server: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is said of what still waits for something; what cancels itself is told of."""
    monkeypatch.setattr("bokeh_server.apps.hosting.PATIENCE", 0.1)
    waiting = threading.Event()

    async def wait() -> None:
        waiting.set()
        await asyncio.sleep(60 if by_server else 0.01)
        raise asyncio.CancelledError

    running.open(lambda doc: doc.add_next_tick_callback(wait))
    assert waiting.wait(10)
    if not by_server:
        wait_for(lambda: caplog.records)
    running.close()
    assert ("A callback of an application failed" in caplog.text) is not by_server


def test_many_wait_for_the_lock_beside_those_who_need_the_executor(running: Running) -> None:
    """More of them than it has threads: they wait in others."""
    worked: list[int] = []

    async def holds() -> None:
        await asyncio.sleep(0.3)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, time.sleep, 0.01)
        worked.append(-1)

    def application(doc: Document) -> None:
        async def waits() -> None:
            await context.with_locked_document(lambda doc: worked.append(1))

        context: Any = doc.session_context
        doc.add_next_tick_callback(holds)
        for _ in range(60):
            doc.add_next_tick_callback(without_document_lock(waits))

    running.open(application)
    wait_for(lambda: len(worked) == 61)


def test_the_lock_is_awaited_in_coroutines_as_bokehs(running: Running) -> None:
    """With arguments by name, of functions and coroutines; elsewhere it gives the result."""
    session = running.open(lambda doc: None)

    def add(one: int, other: int) -> tuple[int, bool]:
        return one + other, session.lock.is_mine

    async def add_later(one: int, other: int) -> tuple[int, bool]:
        await asyncio.sleep(0.001)
        return add(one, other)

    assert session.with_document_locked(add, 1, other=2) == (3, True)
    assert session.with_document_locked(add_later, 1, other=2) == (3, True)
    found: list[object] = []

    async def both() -> None:
        found.append(await session.with_document_locked(add, 3, other=4))
        found.append(await session.with_document_locked(add_later, 5, other=6))

    session.document.add_next_tick_callback(without_document_lock(both))
    session.document.add_next_tick_callback(both)  # who has it already has it again
    wait_for(lambda: len(found) == 4)
    assert sorted(found) == [(7, True)] * 2 + [(11, True)] * 2  # type: ignore[type-var]


def test_hooks_of_the_end_may_do_what_callbacks_may(running: Running) -> None:
    """They change the document, which is ``curdoc()``; what they add does not keep it alive."""
    seen: list[object] = []

    def ended(context: Any) -> None:
        div.text = "ended"
        curdoc().add_periodic_callback(lambda: seen.append("again"), 5)
        seen.extend([curdoc() is context._document, div.text])

    div = Div(text="alive")

    def application(doc: Document) -> None:
        doc.add_root(div)
        doc.on_session_destroyed(ended)

    session = running.open(application)
    wait_for(lambda: session.destroyed and seen)
    time.sleep(0.1)
    assert seen == [True, "ended"]


@pytest.fixture
def slow_script(tmp_path: Path) -> Iterator[tuple[AppHost, Path]]:
    """A host with a script that runs until there is a file, and another script."""
    end = tmp_path / "end"
    slow, quick = tmp_path / "slow.py", tmp_path / "quick.py"
    slow.write_text(
        f"import time\nfrom pathlib import Path\n"
        f"while not Path({str(end)!r}).exists():\n    time.sleep(0.01)\n"
    )
    quick.write_text("")
    applications = {"/slow": application_of(str(slow)), "/quick": application_of(str(quick))}
    host = AppHost(applications, HostOptions(patience=0.2, lifetimes=Lifetimes(unused=60)))
    yield host, end
    end.touch()
    host.close()


def test_a_script_that_hangs_holds_nobody_up_for_ever(slow_script: tuple[AppHost, Path]) -> None:
    """Who wants its session, or that of another script, is told after a while; later it works."""
    host, end = slow_script
    page = partial(host.page, request=AppRequest(), files=PageFiles("/bokeh/"))
    thread = threading.Thread(target=page, args=("/slow",), kwargs={"asked": Asked("one")})
    thread.start()
    wait_for(lambda: "one" in host.at("/slow")._making)
    time.sleep(0.05)
    with pytest.raises(ApplicationUnavailable, match="its session is being made"):
        page("/slow", asked=Asked("one"))
    with pytest.raises(ApplicationUnavailable, match="script of another session is running"):
        page("/quick", asked=Asked("two"))
    end.touch()
    thread.join(20)
    assert "<html" in page("/quick", asked=Asked("two"))


EXITS = """
import sys
from bokeh.io import curdoc, reset_output
from bokeh.models import Slider

slider = Slider(start=0, end=9, value=0, name="order")
slider.on_change("value", lambda attr, old, new: sys.exit(new))
curdoc().add_root(slider)
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_a_server_goes_on(tmp_path: Path, workers: int) -> None:
    """The command, where a browser's change makes an application call ``sys.exit()``."""
    script = tmp_path / "exits.py"
    script.write_text(EXITS)
    with running_server(str(script), "--app-workers", str(workers)) as server:
        server.tracebacks_expected = True
        url = f"{server.url}/exits"
        token = open_app_page(url)
        with app_socket(url, token) as socket:
            socket.order("order", 3)
            assert "SystemExit(3)" in socket.expect("ERROR")["text"]
        assert requests.get(f"{server.url}/bokeh/ping", timeout=10).ok
        open_app_page(url)


def test_a_queue_of_scripts_is_no_script_that_hangs() -> None:
    """Each takes less than whoever waits has patience for, together they take more."""
    turns, got = Turns(), []

    def take() -> None:
        if turns.begin(0.4):
            time.sleep(0.1)
            got.append(1)
            turns.end()

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(got) == 12


class Endless(FunctionHandler):
    """An application whose sessions never end."""

    started: list[int]

    async def on_session_destroyed(self, context: object) -> None:
        """Wait for nothing."""
        self.started.append(1)
        await asyncio.Event().wait()


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[AppHost, list[int]]]:
    """A host of it, and how often its hook has begun."""
    monkeypatch.setattr(hosting, "PATIENCE", 0.2)
    monkeypatch.setattr(running_module, "HOOK_SECONDS", 0.3)
    handler = Endless(lambda doc: None)
    handler.started = []
    options = HostOptions(patience=0.3, lifetimes=Lifetimes(unused=0.05, check=0.05))
    applications = {"/endless": Application(handler), "/quick": application_of(lambda doc: None)}
    host = AppHost(applications, options)
    yield host, handler.started
    host.close()


def test_hooks_that_never_end_hold_up_nobody(endless: tuple[AppHost, list[int]]) -> None:
    """They are given up, a few at a time; callbacks of others run meanwhile, and the stop comes."""
    host, started = endless
    for number in range(30):
        host.at("/endless").open(f"endless-{number}", AppRequest(), {})
    wait_for(lambda: len(started) >= MOST_ENDING)
    ticks: list[int] = []
    quick = host.at("/quick").open("quick", AppRequest(), {})
    quick.block_expiration()
    quick.document.add_next_tick_callback(lambda: ticks.append(1))
    wait_for(lambda: ticks)
    wait_for(lambda: len(started) == 30)
    host.at("/endless").open("last", AppRequest(), {}).block_expiration()
    began = time.monotonic()
    host.close()
    assert time.monotonic() - began < 5


def test_hooks_of_sessions_that_end_at_the_stop_run() -> None:
    """Those that were about to run when it came, too, though many are."""
    ended: list[str] = []

    class Slow(FunctionHandler):
        async def on_session_destroyed(self, context: Any) -> None:
            await asyncio.sleep(0.05)
            ended.append(context.id)

    options = HostOptions(lifetimes=Lifetimes(unused=0.0, check=0.05))
    host = AppHost({"/": Application(Slow(lambda doc: None))}, options)
    for number in range(40):
        host.at("/").open(f"{number}", AppRequest(), {})
    wait_for(lambda: ended)
    host.close()
    assert len(ended) == 40


@pytest.mark.parametrize("how", ["replaced", "closed"])
def test_a_session_that_is_made_too_late_ends(how: str) -> None:
    """Its application is another one by then, or the server has stopped: with its hooks."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def application(doc: Document) -> None:
        doc.on_session_destroyed(lambda context: ended.set())
        doc.add_periodic_callback(lambda: None, 10)
        begun.set()
        go_on.wait(20)

    host = AppHost({"/": application_of(application)}, HostOptions())
    found: list[BaseException] = []

    def ask() -> None:
        try:
            host.at("/").open("late", AppRequest(), {})
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert begun.wait(10)
    if how == "closed":
        host.close()
    else:
        host.replace("/", application_of(lambda doc: None))
    go_on.set()
    thread.join(20)
    assert [type(each) for each in found] == [ApplicationUnavailable]
    assert ended.wait(10)
    host.close()
