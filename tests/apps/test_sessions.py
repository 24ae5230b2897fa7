"""Sessions of applications: callbacks, locks, ``curdoc()``, and who is sent what."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from apps.conftest import Browser, Running, wait_for
from bokeh.document import Document, without_document_lock
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, Div, Slider

from bokeh_server.apps import AppRequest, application_of
from bokeh_server.errors import InvalidPatch, SessionGone


def with_div(doc: Document) -> Div:
    """Give a document a text."""
    div = Div(text="")
    doc.add_root(div)
    return div


def test_a_callback_answers_a_browser(running: Running) -> None:
    """What a callback changes goes to the browser that caused it; its own change does not."""

    def app(doc: Document) -> None:
        slider, div = Slider(start=0, end=10, value=1, name="s"), with_div(doc)
        slider.on_change("value", lambda attr, old, new: div.update(text=f"{old} to {new}"))
        doc.add_root(slider)

    session = running.open(app)
    browser, other = Browser(session), Browser(session, "other")
    slider = session.document.select_one({"name": "s"})
    browser.set(slider.id, "value", 7)
    assert browser.texts() == ["1 to 7"]
    assert other.texts() == [7, "1 to 7"]


def test_progress_is_sent_while_a_callback_runs(running: Running) -> None:
    """A browser sees what a callback does before the callback has ended."""
    go_on = threading.Event()

    def app(doc: Document) -> None:
        slider, div = Slider(start=0, end=10, value=1, name="s"), with_div(doc)

        def work(attr: str, old: object, new: object) -> None:
            div.text = "working"
            assert go_on.wait(10)
            div.text = "done"

        slider.on_change("value", work)
        doc.add_root(slider)

    session = running.open(app)
    browser = Browser(session)
    slider = session.document.select_one({"name": "s"})
    changing = threading.Thread(target=browser.set, args=(slider.id, "value", 7))
    changing.start()
    seen: list[Any] = []
    wait_for(lambda: seen.extend(browser.texts()) or seen)
    assert seen == ["working"]
    go_on.set()
    changing.join(10)
    assert browser.texts() == ["done"]


def test_a_failing_callback_divides_nobody(running: Running) -> None:
    """Its error is answered, the value stays, and the other viewers have it, too."""

    def app(doc: Document) -> None:
        slider = Slider(start=0, end=10, value=1, name="s")
        slider.on_change("value", lambda attr, old, new: 1 / 0)
        doc.add_root(slider)

    session = running.open(app)
    browser, other = Browser(session), Browser(session, "other")
    slider = session.document.select_one({"name": "s"})
    with pytest.raises(InvalidPatch, match="ZeroDivisionError"):
        browser.set(slider.id, "value", 7)
    assert slider.value == 7
    assert other.texts() == [7]


def test_every_viewer_gets_a_new_model_whole(running: Running) -> None:
    """A model that is made later is sent once, in full, to all who follow."""

    session = running.open(lambda doc: with_div(doc) and None)
    browsers = [Browser(session, name) for name in ("one", "two")]
    session.with_document_locked(session.document.add_root, Slider(start=0, end=1, value=0))
    events = [browser.heard() for browser in browsers]
    assert events[0] == events[1]
    assert [event["model"]["name"] for event in events[0]] == ["Slider"]


def test_a_browser_that_comes_amid_a_hold_is_no_stranger_to_later_models(running: Running) -> None:
    """Who pulled while events were held knows models that others do not: all pull again."""
    session = running.open(lambda doc: with_div(doc) and None)
    first = Browser(session, "first")
    document = session.document

    def hold() -> None:
        document.hold("collect")
        document.add_root(Slider(start=0, end=1, value=0))

    session.with_document_locked(hold)
    second = Browser(session, "second")
    session.with_document_locked(document.unhold)
    for browser in (first, second):
        entry = session.channel.next(browser.cursor)
        assert entry is not None
        assert entry.data is None  # type: ignore[union-attr]


def test_periodic_callbacks_go_on_after_an_error(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """The first run fails, which is logged; the next ones come, and can stop themselves."""

    def app(doc: Document) -> None:
        div, turns = with_div(doc), []

        def turn() -> None:
            turns.append(1)
            if len(turns) == 1:
                raise ValueError("the first one")
            div.text = str(len(turns))
            if len(turns) == 3:
                doc.remove_periodic_callback(callback)

        callback = doc.add_periodic_callback(turn, 10)

    session = running.open(app)
    browser = Browser(session)
    seen: list[Any] = []
    wait_for(lambda: seen.extend(browser.texts()) or "3" in seen)
    time.sleep(0.05)
    assert browser.texts() == []
    assert "the first one" in caplog.text


def test_curdoc_stays_across_awaits_and_errors(running: Running) -> None:
    """A coroutine has its own document after every wait, beside others that run and fail."""
    seen: dict[str, list[bool]] = {"one": [], "two": []}

    def make(name: str) -> Any:
        def app(doc: Document) -> None:
            async def turn() -> None:
                for _ in range(5):
                    seen[name].append(curdoc() is doc)
                    await asyncio.sleep(0.005)

            def fail() -> None:
                assert curdoc() is doc
                raise RuntimeError("as it is to be")

            doc.add_next_tick_callback(turn)
            doc.add_timeout_callback(fail, 10)

        return app

    sessions = [running.open(make(name)) for name in seen]
    wait_for(lambda: all(len(each) == 5 for each in seen.values()))
    assert all(all(each) for each in seen.values())
    assert all(curdoc() is not session.document for session in sessions)


def test_threads_change_a_document_by_next_ticks(running: Running) -> None:
    """A thread of the application may add next-tick callbacks, and change nothing itself."""
    refused: list[BaseException] = []

    def app(doc: Document) -> None:
        div = with_div(doc)

        def work() -> None:
            try:
                div.text = "at once"
            except RuntimeError as error:
                refused.append(error)
            doc.add_next_tick_callback(lambda: div.update(text="in turn"))

        threading.Timer(0.02, work).start()

    session = running.open(app)
    browser = Browser(session)
    seen: list[Any] = []
    wait_for(lambda: seen.extend(browser.texts()) or "in turn" in seen)
    assert "add_next_tick_callback" in str(refused[0])


def test_an_unlocked_callback_waits_without_the_lock(running: Running) -> None:
    """While it waits for a thread pool others may change the document; it may not."""
    steps: list[str] = []
    pool = ThreadPoolExecutor(1)
    go_on = threading.Event()

    def app(doc: Document) -> None:
        div = with_div(doc)

        @without_document_lock
        async def unlocked() -> None:
            await asyncio.wrap_future(pool.submit(go_on.wait, 10))
            try:
                curdoc().title = "no"
            except (AttributeError, RuntimeError):
                steps.append("refused")
            curdoc().add_next_tick_callback(lambda: div.update(text="after"))

        doc.add_next_tick_callback(unlocked)

    session = running.open(app)
    browser = Browser(session)
    div = session.document.roots[0]
    session.with_document_locked(lambda: div.update(text="meanwhile"))
    assert browser.texts() == ["meanwhile"]
    go_on.set()
    seen: list[Any] = []
    wait_for(lambda: seen.extend(browser.texts()) or "after" in seen)
    pool.shutdown()


def test_an_async_callback_has_the_lock_to_its_end(running: Running) -> None:
    """A change that comes while a locked coroutine waits has to wait for it."""
    begun, go_on = threading.Event(), threading.Event()

    async def turn() -> None:
        div.text = "begun"
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.005)
        div.text = "ended"

    session = running.open(lambda doc: with_div(doc) and None)
    browser, div = Browser(session), session.document.roots[0]
    session.document.add_next_tick_callback(turn)
    assert begun.wait(10)
    changing = threading.Thread(
        target=session.with_document_locked, args=(lambda: div.update(text="later"),)
    )
    changing.start()
    time.sleep(0.03)
    go_on.set()
    changing.join(10)
    assert [text for text in browser.texts() if text != "begun"] == ["ended", "later"]


def test_a_session_ends_when_nobody_is_there(running: Running) -> None:
    """Its hooks run while its document is whole; then nothing can be done with it."""
    ended: list[str] = []

    def app(doc: Document) -> None:
        div = with_div(doc)
        div.text = "whole"
        doc.on_session_destroyed(lambda context: ended.append(div.text))

    session = running.open(app)
    browser = Browser(session)
    time.sleep(0.5)
    assert not session.destroyed
    session.disconnected()
    wait_for(lambda: ended)
    assert ended == ["whole"]
    assert session.destroyed
    with pytest.raises(SessionGone, match="Load the page again"):
        browser.set("p1", "text", "no")


def test_streamed_rows_are_sent_as_such(running: Running) -> None:
    """What is streamed goes out as rows, in the order of the callbacks."""

    def app(doc: Document) -> None:
        source = ColumnDataSource(data={"x": [1.0]})
        doc.add_root(source)
        doc.add_periodic_callback(lambda: source.stream({"x": [2.0]}, 5), 10)

    session = running.open(app)
    browser = Browser(session)
    seen: list[Any] = []
    wait_for(lambda: seen.extend(browser.heard()) or len(seen) >= 3)
    assert {event["kind"] for event in seen} == {"ColumnsStreamed"}


def test_a_session_is_kept_as_long_as_somebody_says(running: Running) -> None:
    """Blocked, it outlives its time; unblocked, it ends; one time too often is an error."""
    session = running.open(lambda doc: None)
    session.block_expiration()
    assert session.expiration_blocked
    assert not session.finish(0.0)
    session.unblock_expiration()
    assert session.finish(0.0)
    with pytest.raises(RuntimeError, match="mismatched"):
        session.unblock_expiration()


def test_another_application_takes_the_place_of_one(running: Running) -> None:
    """Its sessions end, with hooks, though somebody is connected; new ones are of the other."""
    ended: list[str] = []

    def first(doc: Document) -> None:
        doc.on_session_destroyed(lambda context: ended.append(context.id))
        doc.add_periodic_callback(lambda: None, 10)

    session = running.open(first)
    Browser(session)
    session.block_expiration()
    (host,) = running.hosts
    host.replace("/app", application_of(lambda doc: setattr(doc, "title", "second")))
    assert ended == ["one"]
    assert session.destroyed
    assert host.at("/app").open("one", AppRequest(), {}).document.title == "second"


def test_next_ticks_keep_their_order(running: Running) -> None:
    """Each waits a little, so that the next ones are due meanwhile, and none overtakes another."""
    seen: list[int] = []

    def turn(number: int) -> None:
        time.sleep(0.001)
        seen.append(number)

    document = running.open(lambda doc: with_div(doc) and None).document
    for number in range(200):
        document.add_next_tick_callback(partial(turn, number))
    wait_for(lambda: len(seen) == 200)
    assert seen == list(range(200))


def test_a_next_tick_that_was_removed_does_not_run(running: Running) -> None:
    """Also where it was due already, and waited for another one to end."""
    begun, go_on, seen = threading.Event(), threading.Event(), []

    def first() -> None:
        begun.set()
        assert go_on.wait(10)

    document = running.open(lambda doc: with_div(doc) and None).document
    document.add_next_tick_callback(first)
    removed = document.add_next_tick_callback(lambda: seen.append("removed"))
    assert begun.wait(10)
    time.sleep(0.05)
    document.remove_next_tick_callback(removed)
    document.add_next_tick_callback(lambda: seen.append("last"))
    go_on.set()
    wait_for(lambda: seen)
    assert seen == ["last"]


def test_a_session_that_ended_is_not_held_by_its_timeouts(running: Running) -> None:
    """What would be due in an hour does not keep its document in memory until then."""

    def app(doc: Document) -> None:
        div = with_div(doc)
        doc.add_timeout_callback(lambda: div.update(text="late"), 3_600_000)

    sessions = [running.open(app)]
    document = weakref.ref(sessions[0].document)
    wait_for(lambda: sessions[0].destroyed)
    sessions.clear()

    def is_gone() -> bool:
        gc.collect()
        return document() is None

    wait_for(is_gone)
