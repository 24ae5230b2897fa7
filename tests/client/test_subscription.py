"""Following a stored document: subscriptions, how they end, polling, and many threads at once."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure

from bokeh_server.client import Session
from bokeh_server.errors import UnknownDocument
from support.oracle import OracleServer, same_documents
from support.scripts import eventually, interrupt, running_script
from support.server import RunningServer, running_server

POLLING = """
from bokeh.models import Slider
from bokeh_server.plotting import *
output_server("polled")
slider = Slider(start=0, end=9, value=1)
slider.on_change("value", lambda attr, old, new: print("moved", old, new))
show(slider)
print("ready", slider.id)
cursession().poll_document(curdoc(), interval=0.05)
print("after")
"""


def plotted() -> tuple[Document, ColumnDataSource]:
    """A document of one plot."""
    document, source = Document(title="test"), ColumnDataSource({"x": [1], "y": [1.0]})
    plot = figure()
    plot.line("x", "y", source=source)
    document.add_root(plot)
    return document, source


def is_freed(document: weakref.ref[Document]) -> bool:
    """Whether nobody holds a document any more."""
    gc.collect()
    return document() is None


def changed_and_left(session: Session) -> weakref.ref[Document]:
    """Store a document, change all kinds of things in it, and let go of it."""
    document, source = plotted()
    session.store_document(document)
    source.stream({"x": [2], "y": [2.0]})
    document.roots[0].width = 99
    document.add_root(figure())
    document.title = "another"
    return weakref.ref(document)


def test_a_document_with_unsent_changes_can_go(
    connect: Callable[..., Session], oracle: OracleServer
) -> None:
    """A session keeps no document alive, whatever waits to be sent."""
    session = connect()
    assert is_freed(changed_and_left(session))


def test_unsent_changes_live_as_long_as_the_document(
    connect: Callable[..., Session], oracle: OracleServer
) -> None:
    """What waits is not lost while somebody holds no more than the document."""
    session = connect()
    document = changed_and_left(session)()
    gc.collect()
    assert document is not None
    session.store_document(document)
    same_documents(oracle.only(), document)


def test_a_closed_subscription_lets_go(session: Session) -> None:
    """After the block the document goes, though the subscription itself is still held."""
    session.use_doc("closed")

    def follow() -> tuple[weakref.ref[Document], Any]:
        document, _ = plotted()
        with session.subscribe(document) as subscription:
            pass
        return weakref.ref(document), subscription

    document, subscription = follow()
    assert is_freed(document)
    assert subscription.wait(0)
    session.unsubscribe()


def test_a_subscription_holds_its_document(session: Session, other: Session) -> None:
    """While it follows, callbacks run though the script holds nothing; unsubscribe ends that."""
    session.use_doc("held")
    other.use_doc("held")
    seen: list[int] = []

    def follow() -> weakref.ref[Document]:
        document = Document(title="held")
        slider = Slider(start=0, end=9, value=1)
        slider.on_change("value", lambda attr, old, new: seen.append(new))
        document.add_root(slider)
        session.subscribe(document)
        return weakref.ref(document)

    document = follow()
    assert not is_freed(document)
    copy = Document()
    other.load_document(copy)
    copy.roots[0].value = 5
    other.store_document(copy)
    eventually(lambda: seen == [5])
    session.unsubscribe()
    assert is_freed(document)


def test_a_subscription_that_ended_lets_go(session: Session) -> None:
    """When the stored document is deleted, or never was there, nothing is left behind."""
    session.use_doc("ended")
    document = plotted()[0]
    gone = weakref.ref(document)
    subscription = session.subscribe(document)
    requests.delete(session.http.url("doc", str(session.docid)) + "/", timeout=10)
    eventually(lambda: subscription.wait(0.1))
    assert isinstance(subscription.error, UnknownDocument)
    empty = Document()
    unknown = weakref.ref(empty)
    with pytest.raises(UnknownDocument):
        session.subscribe(empty)
    del document, empty
    assert is_freed(gone)
    assert is_freed(unknown)


def test_wait_with_a_timeout(session: Session) -> None:
    """wait tells after so many seconds that it goes on, and at once that it has ended."""
    session.use_doc("wait")
    document, _ = plotted()
    with session.subscribe(document) as subscription:
        begun = time.monotonic()
        assert not subscription.wait(0.3)
        assert 0.25 < time.monotonic() - begun < 5
        threading.Timer(0.2, subscription.close).start()
        begun = time.monotonic()
        assert subscription.wait(30)
        assert time.monotonic() - begun < 10
        assert subscription.wait()


def move(session: Session, value: int) -> None:
    """Move the slider of the polled script, as another program."""
    document = Document()
    session.load_document(document)
    document.roots[0].value = value
    session.store_document(document)


def test_polling_runs_callbacks_until_ctrl_c(
    server: RunningServer, session: Session, tmp_path: Path
) -> None:
    """poll_document brings what others did and runs on_change; Ctrl-C lets the script go on."""
    with running_script(POLLING, server.url, tmp_path) as script:
        assert script.stdout is not None
        assert script.stdout.readline().startswith("ready")
        session.use_doc("polled")
        move(session, 5)
        assert script.stdout.readline() == "moved 1 5\n"
        move(session, 7)
        assert script.stdout.readline() == "moved 5 7\n"
        code, out, err = interrupt(script)
        assert (code, out.split(), err) == (0, ["after"], "")


def test_polling_says_in_one_line_that_the_server_is_gone(tmp_path: Path) -> None:
    """A server that is stopped ends the poll without a traceback."""
    with running_server() as server, running_script(POLLING, server.url, tmp_path) as script:
        assert script.stdout is not None
        assert script.stdout.readline().startswith("ready")
        server.stop()
        out, err = script.communicate(timeout=60)
        assert out == "Connection to bokeh-server was terminated\nafter\n"
        assert (script.returncode, err) == (0, "")


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Let threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("busy_threads")
def test_threads_store_on_one_session(session: Session, other: Session) -> None:
    """Six threads stream, patch and set through one session while it follows: nothing is lost."""
    session.use_doc("threads")
    other.use_doc("threads")
    document = Document(title="threads")
    sources = [ColumnDataSource({"x": [0], "y": [0.0]}) for _ in range(6)]
    plot = figure()
    for source in sources:
        plot.line("x", "y", source=source)
    document.add_root(plot)
    session.store_document(document)

    def work(number: int) -> None:
        source = sources[number]
        for step in range(1, 31):
            source.stream({"x": [step], "y": [float(step)]})
            if step % 3 == 0:
                source.patch({"y": [(step, -float(step))]})
            source.name = f"{number} {step}"
            session.store_objects(source)

    with session.subscribe(document), ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    copy = Document(title="threads")
    other.load_document(copy)
    same_documents(copy, document)
    for number, source in enumerate(sources):
        stored: Any = copy.get_model_by_id(source.id)
        assert list(stored.data["x"]) == list(range(31))
        assert [abs(value) for value in stored.data["y"]] == list(range(31))
        assert stored.name == f"{number} 30"
    assert session.store_document(document) == []
