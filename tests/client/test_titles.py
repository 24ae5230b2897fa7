"""Bokeh's title of a document, which is stored exactly, whatever name the document is listed by."""

from __future__ import annotations

from collections.abc import Callable

from bokeh.document import DEFAULT_TITLE, Document
from bokeh.models import CustomJS, Slider

from bokeh_server.client import Session
from support.oracle import OracleServer

Connect = Callable[..., Session]


def stored(connect: Connect, title: str | None = None) -> tuple[Session, Document]:
    """A document that was stored as "test"."""
    session, document = connect(), Document()
    if title is not None:
        document.title = title
    document.add_root(Slider(start=0, end=9, value=1))
    session.store_document(document)
    return session, document


def test_a_title_set_before_the_first_store(connect: Connect, oracle: OracleServer) -> None:
    """It is stored, and stays through further stores and loads."""
    session, document = stored(connect, "Mine")
    assert oracle.only().title == "Mine"
    session.store_document(document, dirty_only=False)
    session.load_document(document)
    assert oracle.only().title == document.title == "Mine"
    assert [each.title for each in oracle.documents.values()] == ["test"]


def test_no_title(connect: Connect, oracle: OracleServer) -> None:
    """A document without a title has none when stored, for the first time or as a whole."""
    session, document = stored(connect)
    assert oracle.only().title == DEFAULT_TITLE
    document.js_on_event("document_ready", CustomJS(code="1"))
    session.store_document(document)
    session.store_document(document, dirty_only=False)
    assert oracle.only().title == document.title == DEFAULT_TITLE


def test_the_whole_document_keeps_the_title_of_another(
    connect: Connect, oracle: OracleServer
) -> None:
    """A title that another script set, as renaming does, is not undone by a callback added here."""
    session, document = stored(connect)
    other, theirs = connect(), Document()
    other.load_document(theirs)
    theirs.title = "theirs"
    other.store_document(theirs)
    document.js_on_event("document_ready", CustomJS(code="1"))
    session.store_document(document)
    assert oracle.only().title == document.title == "theirs"


def test_a_new_document_takes_the_title(connect: Connect, oracle: OracleServer) -> None:
    """The stored title is loaded, also when it is the name by which the document is listed."""
    stored(connect, "test")
    for loaded in (Document(), Document(title="local")):
        connect().load_document(loaded)
        assert loaded.title == "test"


def test_a_title_that_waits_stays(connect: Connect, oracle: OracleServer) -> None:
    """A title set here is stored after a load, not lost to the older one."""
    session, document = stored(connect, "old")
    other, theirs = connect(), Document()
    other.load_document(theirs)
    theirs.roots[0].update(value=2)
    other.store_document(theirs)
    document.title = "new"
    session.load_document(document)
    assert document.title == "new"
    session.store_document(document)
    assert oracle.only().title == "new"


def test_a_title_is_kept_where_there_was_none(connect: Connect, oracle: OracleServer) -> None:
    """A script that loads first and stores then gives what it adds to its title."""
    stored(connect)
    session, document = connect(), Document(title="local")
    session.load_document(document)
    session.store_document(document)
    assert oracle.only().title == "local"
