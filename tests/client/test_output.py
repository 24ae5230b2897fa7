"""output_server, show, push and the like, without sockets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bokeh.plotting
import pytest
from bokeh.document import Document
from bokeh.io.state import curstate
from bokeh.models import Slider

import bokeh_server.io as output
from bokeh_server import plotting
from bokeh_server.client import Session
from bokeh_server.plotting import (
    column,
    curdoc,
    cursession,
    figure,
    gridplot,
    output_server,
    push,
    reset_output,
    row,
    show,
)
from support.oracle import OracleServer, same_documents

Connect = Callable[..., Session]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were opened in a browser."""
    urls: list[str] = []
    monkeypatch.setattr(output, "view", lambda url, browser=None, new="same": urls.append(url))
    return urls


def test_plotting_has_everything() -> None:
    """bokeh_server.plotting offers all of bokeh.plotting; __all__ can be imported."""
    assert set(bokeh.plotting.__all__) <= set(plotting.__all__)
    assert all(hasattr(plotting, name) for name in plotting.__all__)
    assert list(plotting.__all__) == sorted(plotting.__all__, key=lambda name: (
        0 if name.isupper() else 1 if name[0].isupper() else 2, name))  # fmt: skip


def test_plotting_is_light() -> None:
    """A script loads neither Flask nor SQLAlchemy, gevent, Tornado or IPython."""
    heavy = {"flask", "sqlalchemy", "gevent", "tornado", "IPython", "pandas", "werkzeug"}
    code = "import sys, bokeh_server.plotting, bokeh_server.embed; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & {name.split(".")[0] for name in out.stdout.split()}


def test_show_opens_the_object(connect: Connect, oracle: OracleServer, opened: list[str]) -> None:
    """show adds, pushes and opens the page of its object; ids are those of the address."""
    output_server("line", session=connect(None))
    p = figure()
    show(p)
    (docid,) = oracle.documents
    assert opened == [f"http://test.invalid/bokeh/doc/{docid}/{p.id}"]
    assert oracle.only().title == "line"
    same_documents(oracle.only(), curdoc())
    show()
    assert opened[-1] == f"http://test.invalid/bokeh/doc/{docid}/show"


def test_show_lists_and_layouts(connect: Connect, oracle: OracleServer, opened: list[str]) -> None:
    """Lists show as several roots; a plot that is put into a layout is not there twice."""
    output_server("layouts", session=connect(None))
    one, two = figure(), figure()
    show([one, [two]])
    assert curdoc().roots == [one, two]
    assert opened[-1].endswith("/show")
    layout = column(row(one, two), Slider(start=0, end=1, value=0))
    show(layout)
    assert curdoc().roots == [layout]
    show(gridplot([[figure(), None], [figure()]]))
    same_documents(oracle.only(), curdoc())
    with pytest.raises(ValueError, match="Could not show"):
        show(["no model"])  # type: ignore[list-item]


def test_clear(connect: Connect, oracle: OracleServer, opened: list[str]) -> None:
    """Cleared documents keep what is stored until the next push; others keep it for good."""
    output_server("clear", session=connect(None))
    show(figure(name="old"))
    output_server("clear", session=connect(None))
    assert curdoc().roots == []
    assert oracle.only().roots[0].name == "old"
    show(figure(name="new"))
    assert [root.name for root in oracle.only().roots] == ["new"]
    output_server("clear", session=connect(None), clear=False)
    assert [root.name for root in curdoc().roots] == ["new"]
    show(figure(name="more"))
    assert [root.name for root in oracle.only().roots] == ["new", "more"]


def test_one_session_for_two_documents(
    connect: Connect, oracle: OracleServer, opened: list[str]
) -> None:
    """Documents are not mixed, even when both go through one session."""
    session = connect(None)
    output_server("a", session=session)
    p, first = figure(), curdoc()
    show(p)
    output_server("b", session=session)
    q = figure()
    show(q)
    p.width = 77
    assert session.store_objects(p) == [p]
    show(p)
    titles = {each.document.title: each.document for each in oracle.documents.values()}
    same_documents(titles["a"], first)
    same_documents(titles["b"], curdoc())
    assert session.object_link(p) != session.object_link(q)


def test_renaming(connect: Connect, oracle: OracleServer, opened: list[str]) -> None:
    """A title set after output_server is the stored document's."""
    output_server("before", session=connect(None))
    curdoc().title = "after"
    show(figure())
    assert oracle.only().title == "after"


def test_push_without_session() -> None:
    """push says that there is nowhere to push to."""
    with pytest.warns(UserWarning, match="nothing pushed"):
        push()


def test_push_elsewhere(connect: Connect, oracle: OracleServer) -> None:
    """A session and a document can be named."""
    session, document = connect("named"), Document(title="any")
    document.add_root(figure())
    push(session, document)
    assert oracle.only().title == "any"
    assert [each.title for each in oracle.documents.values()] == ["named"]


def test_reset(connect: Connect, opened: list[str]) -> None:
    """After reset_output there is no session and the document is new."""
    output_server("reset", session=connect(None))
    before = curdoc()
    assert cursession() is not None
    reset_output()
    assert cursession() is None
    assert curdoc() is not before


def test_file_beside_server(
    connect: Connect, oracle: OracleServer, opened: list[str], tmp_path: Path
) -> None:
    """output_file goes on working beside a server."""
    output_server("file", session=connect(None))
    path = tmp_path / "plot.html"
    plotting.output_file(str(path), mode="inline")
    show(figure())
    assert path.stat().st_size > 1000
    assert opened[-1] == str(path)
    same_documents(oracle.only(), curdoc())


def test_notebook(connect: Connect, monkeypatch: pytest.MonkeyPatch, opened: list[str]) -> None:
    """In a notebook show displays the live embed and opens nothing."""
    shown: list[Any] = []
    session = connect(None)
    monkeypatch.setattr("bokeh.io.notebook.publish_display_data", shown.append)
    monkeypatch.setattr(Session, "autoload", lambda self, model, public=False: f"<{model.id}>")
    plotting.output_notebook(session=session, docname="notes")
    assert curstate().notebook
    p = figure()
    show(p)
    assert shown == [{"text/html": f"<{p.id}>"}]
    assert opened == []
