"""Scripts look back: what was changed, how a document was, and that again for everybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure

from bokeh_server.client import Session
from bokeh_server.embed import autoload_server
from bokeh_server.errors import BadRequest, UnknownModel, UnknownRevision


class Local:
    """A document of a script, stored: revision 1 has the value 1, and so on to 4."""

    def __init__(self, session: Session) -> None:
        session.use_doc(f"history {uuid4()}")
        self.source = ColumnDataSource({"x": np.arange(3.0), "y": np.array([1.0, np.nan, 3.0])})
        plot = figure(name="plot")
        plot.line("x", "y", source=self.source)
        self.slider = Slider(start=0, end=10, value=1, title="amount")
        self.document = Document()
        self.document.add_root(plot)
        self.document.add_root(self.slider)
        session.store_document(self.document)
        for value in (2, 3, 4):
            self.slider.value = value
            session.store_objects(self.slider)


@pytest.fixture
def local(session: Session) -> Local:
    """A stored document."""
    return Local(session)


def test_the_history_of_a_document(session: Session, local: Local) -> None:
    """Numbers, people, times and events, oldest first, from where one asks."""
    found = session.history()
    assert [change.seq for change in found] == [1, 2, 3, 4]
    assert {change.actor for change in found} == {"defaultuser"}
    assert all(datetime.now(UTC) - change.at < timedelta(minutes=2) for change in found)
    assert found[-1].events[0]["new"] == 4
    assert [change.seq for change in session.history(after=2)] == [3, 4]
    assert [change.seq for change in session.history(limit=2)] == [3, 4]
    assert [change.seq for change in session.history(local.document, after=1, limit=2)] == [2, 3]
    assert session.history(after=4) == session.history(limit=0) == []


def test_a_long_history_is_read_in_pages(
    session: Session, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many requests it takes."""
    monkeypatch.setattr("bokeh_server.client.history.PAGE", 1)
    assert [change.seq for change in session.history(limit=3)] == [2, 3, 4]
    assert [change.seq for change in session.history(after=0, limit=3)] == [1, 2, 3]


def test_a_revision_as_a_document(session: Session, local: Local) -> None:
    """It is Bokeh's, with arrays, and stored nowhere."""
    then = session.load_revision(2)
    assert then is not local.document
    assert then.select_one({"type": Slider}).value == 2
    data = then.select_one({"type": ColumnDataSource}).data
    np.testing.assert_array_equal(data["y"], [1.0, np.nan, 3.0])
    then.select_one({"type": Slider}).value = 9
    assert session.info(session.used())["seq"] == 4
    assert local.slider.value == 4
    with pytest.raises(UnknownRevision, match="Revisions 0 to 4 can be opened"):
        session.load_revision(5)


def test_restoring_moves_the_local_document(session: Session, other: Session, local: Local) -> None:
    """The models of the script get the old values; what they do next is stored on top of that."""
    local.slider.bar_color = "red"
    local.slider.tags = ["new"]
    session.store_objects(local.slider)
    assert session.restore(2) == 6
    assert (local.slider.value, local.slider.tags) == (2, [])
    assert local.slider.bar_color == Slider().bar_color
    local.slider.value = 7
    assert session.store_objects(local.slider) == [local.slider]
    other.use_doc(docid=session.used())
    loaded = Document()
    other.load_document(loaded)
    slider = loaded.select_one({"type": Slider})
    assert (slider.value, slider.tags, slider.bar_color) == (7, [], Slider().bar_color)
    assert session.restore(5, local.document) == 8
    assert (local.slider.value, local.slider.bar_color) == (4, "red")
    restored = [change.restored for change in session.history(limit=3)]
    assert restored == [2, None, 5]


def test_a_subscriber_hears_of_a_restore(session: Session, other: Session, local: Local) -> None:
    """Its models move and its callbacks run, also where an attribute goes back to its default."""
    from support.browser import wait_until

    local.slider.bar_color = "red"
    session.store_objects(local.slider)
    other.use_doc(docid=session.used())
    follower = Document()
    other.load_document(follower)
    slider = follower.select_one({"type": Slider})
    heard: list[tuple[str, object]] = []
    slider.on_change("value", lambda attr, old, new: heard.append((attr, new)))
    other.subscribe(follower)
    session.restore(1)
    wait_until(lambda: slider.value, 1)
    wait_until(lambda: slider.bar_color, Slider().bar_color)
    assert heard == [("value", 1)]


def test_an_embedded_revision(session: Session, local: Local) -> None:
    """The tag names it; what it did not have is refused at once."""
    assert "revision=2" in autoload_server(local.slider, session, revision=2)
    assert "revision" not in autoload_server(local.slider, session)
    with pytest.raises(UnknownModel):
        autoload_server(local.slider, session, revision=0)


def test_without_a_document_there_is_no_history(session: Session) -> None:
    """One has to be chosen."""
    for ask in (session.history, lambda: session.load_revision(1), lambda: session.restore(1)):
        with pytest.raises(BadRequest, match="use_doc"):
            ask()


@pytest.mark.parametrize("revision", ["x", 1.0, None, True])
def test_only_numbers_can_be_restored(session: Session, revision: object) -> None:
    """What is no number is refused by name, before anything is sent."""
    with pytest.raises(TypeError, match="is not the number of a change"):
        session.restore(revision)  # type: ignore[arg-type]
