"""Objects go to where the document they are in is stored, whichever session is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bokeh.document import Document
from bokeh.models import Slider

import bokeh_server.io as output
from bokeh_server.client import Session
from bokeh_server.errors import Conflict
from bokeh_server.plotting import curdoc, cursession, figure, output_server, push, show
from support.oracle import OracleServer, same_documents

Connect = Callable[..., Session]


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were opened in a browser."""
    urls: list[str] = []
    monkeypatch.setattr(output, "view", lambda url, browser=None, new="same": urls.append(url))
    return urls


def current() -> Session:
    """The session of the current document."""
    session = cursession()
    assert session is not None
    return session


def stored(oracle: OracleServer) -> dict[str, Document]:
    """What is stored, by title."""
    return {each.title: each.document for each in oracle.documents.values()}


def made(session: Session, title: str) -> tuple[Document, Slider]:
    """A document that an explicit session has stored, and its slider."""
    session.use_doc(title)
    document = Document(title=title)
    slider = Slider(start=0, end=9, value=1, name=title)
    document.add_root(slider)
    session.store_document(document)
    return document, slider


@pytest.mark.parametrize("clear", [True, False])
def test_three_documents(
    connect: Connect, oracle: OracleServer, opened: list[str], clear: bool
) -> None:
    """The session of the third call stores objects of all three documents where they belong."""
    documents, plots, sources = [], [], []
    for title in ("a", "b", "c"):
        output_server(title, session=connect(None), clear=clear)
        plot = figure(name=title)
        sources.append(plot.line([1], [1]).data_source)
        show(plot)
        documents.append(curdoc())
        plots.append(plot)
    for source in sources:
        source.stream({"x": [5], "y": [5]})
    plots[2].width = 77
    sent = current().store_objects(*sources, plots[2])
    assert set(sent) == {*sources, plots[2]}
    assert current().store_objects(*sources, *plots) == []
    for document in documents:
        same_documents(stored(oracle)[document.title], document)
    links = [current().object_link(plot) for plot in plots]
    assert links == opened
    assert len({link.split("/")[-2] for link in links}) == 3
    plots[0].height = 33
    show(plots[0])
    push()
    for document in documents:
        same_documents(stored(oracle)[document.title], document)


def test_whole_document_of_another_session(connect: Connect, oracle: OracleServer) -> None:
    """A document of output_server is pushed, loaded and shown where it is, by any session."""
    output_server("a", session=connect(None))
    first, p = curdoc(), figure()
    show(p)
    output_server("b", session=connect(None))
    second = curdoc()
    show(figure())
    p.width = 77
    assert current().store_document(first) == [p]
    p.width = 78
    push(current(), first)
    current().store_document(first, dirty_only=False)
    current().load_document(first)
    current().load_object(p, second)
    assert first.roots == [p]
    same_documents(stored(oracle)["a"], first)
    same_documents(stored(oracle)["b"], second)


def test_explicit_sessions(connect: Connect, oracle: OracleServer) -> None:
    """Without output_server too: another session's document takes the place of none."""
    one, other = connect(None), connect(None)
    first, x = made(one, "a")
    second, y = made(other, "b")
    x.value, y.value = 2, 3
    assert other.store_objects(x, y) == [x, y]
    x.value = 4
    assert other.store_document(first) == [x]
    one.use_doc("c")
    x.value = 5
    assert other.store_objects(x) == [x]
    assert one.object_link(x) == other.object_link(x)
    same_documents(stored(oracle)["a"], first)
    same_documents(stored(oracle)["b"], second)


def test_copies_can_be_asked_for(connect: Connect, oracle: OracleServer) -> None:
    """A document goes to a second place where use_doc and store_document say so."""
    document, _ = made(connect(None), "a")
    connect("copy").store_document(document)
    assert [root.name for root in stored(oracle)["copy"].roots] == ["a"]
    same_documents(stored(oracle)["a"], document)


def test_loading_from_where_it_is(connect: Connect, oracle: OracleServer) -> None:
    """load_object asks for the stored document of the object, not the one in use."""
    output_server("a", session=connect(None))
    x = Slider(start=0, end=9, value=1)
    show(x)
    output_server("b", session=connect(None))
    show(figure())
    writer, copy = connect("a"), Document()
    writer.load_document(copy)
    copy.roots[0].value = 7  # type: ignore[attr-defined]
    writer.store_document(copy)
    current().load_object(x, curdoc())
    assert x.value == 7


@pytest.mark.parametrize("clear", [True, False])
def test_a_document_that_is_stored_nowhere(
    connect: Connect, oracle: OracleServer, clear: bool
) -> None:
    """It takes the place of no document of output_server; nothing is sent, one error tells why."""
    output_server("b", session=connect(None), clear=clear)
    q = figure()
    show(q)
    stray, x = Document(title="stray"), Slider(start=0, end=9, value=1)
    stray.add_root(x)
    q.width = 77
    bodies = len(oracle.bodies)
    for attempt in (
        lambda: current().store_objects(q, x),
        lambda: current().store_document(stray),
        lambda: current().object_link(x),
        lambda: current().autoload(x),
        lambda: show(x),
        lambda: push(document=stray),
    ):
        with pytest.raises(Conflict, match="another local document"):
            attempt()
    assert len(oracle.bodies) == bodies
    push()
    same_documents(stored(oracle)["b"], curdoc())


def test_what_was_made_before_output_server(connect: Connect, oracle: OracleServer) -> None:
    """A plot that was in the current document before can be shown while nothing else is there."""
    p = figure()
    curdoc().add_root(p)
    output_server("late", session=connect(None))
    show(p)
    assert [root.id for root in stored(oracle)["late"].roots] == [p.id]
