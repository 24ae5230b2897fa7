"""Scripts of several people on one server: registering, logging in, sharing."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure

from bokeh_server import Session
from bokeh_server.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotAuthenticated,
    NotFound,
    UnknownDocument,
)
from support.browser import wait_until
from support.server import RunningServer, running_server

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def people() -> Iterator[RunningServer]:
    """A server with accounts."""
    with running_server("-m") as running:
        yield running


def session_of(server: RunningServer, home: Path) -> Session:
    """A session of somebody with a home directory of their own."""
    return Session(root_url=f"{server.url}/", configdir=home)


def plotted() -> tuple[Document, ColumnDataSource, Slider]:
    """A plot and a slider."""
    source = ColumnDataSource({"x": [1, 2], "y": [3, 4]})
    plot = figure(name="line")
    plot.line("x", "y", source=source)
    slider = Slider(start=0, end=10, value=1)
    document = Document()
    document.add_root(plot)
    document.add_root(slider)
    return document, source, slider


def test_a_login_is_remembered(people: RunningServer, tmp_path: Path) -> None:
    """The token is kept for later scripts, readable by its owner alone; the password nowhere."""
    with session_of(people, tmp_path) as session:
        with pytest.raises(NotAuthenticated):
            session.use_doc("line")
        session.register("Grace", PASSWORD)
        assert session.userinfo["username"] == "grace"
    file = tmp_path / "config.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()
    with session_of(people, tmp_path) as later:
        assert later.userinfo["username"] == later.username == "grace"
        later.logout()
        with pytest.raises(NotAuthenticated):
            _ = later.userinfo
    assert json.loads(file.read_text())[f"{people.url}/"]["userapikey"] is None
    with session_of(people, tmp_path) as again:
        with pytest.raises(NotAuthenticated, match="name or the password"):
            again.login("grace", "wrong horse")
        again.login("grace", PASSWORD)
        assert again.userinfo["username"] == "grace"


def test_logging_out_forgets_the_key_whatever_the_server_says(
    people: RunningServer, tmp_path: Path
) -> None:
    """A token that was revoked already, and a server that refuses, leave no key behind."""
    with session_of(people, tmp_path) as session:
        session.register("lovelace", PASSWORD)
        token_id = str(session.userapikey).removeprefix("bks_").partition("_")[0]
        session.http.request("DELETE", session.http.url("account", "tokens", token_id))
        session.logout()
        assert session.userapikey is None
        session.login("lovelace", PASSWORD)
        session.userapikey = "bks_none_such"  # the server has no token of this id
        with pytest.raises(NotFound):
            session.logout()
        assert session.userapikey is None
    (kept,) = tmp_path.rglob("config.json")
    assert json.loads(kept.read_text())[f"{people.url}/"]["userapikey"] is None


def test_what_cannot_be_registered(people: RunningServer, tmp_path: Path) -> None:
    """A name that is taken, one that cannot be one, a password that is too short."""
    with session_of(people, tmp_path) as session:
        session.register("hopper", PASSWORD)
        with pytest.raises(Conflict):
            session.register("Hopper", PASSWORD)
        with pytest.raises(BadRequest):
            session.register("no name", PASSWORD)
        with pytest.raises(BadRequest):
            session.register("short", "short")
        assert session.userinfo["username"] == "hopper"


def test_sharing(people: RunningServer, tmp_path: Path) -> None:
    """An editor's changes reach the owner and a viewer's do not; nobody else sees anything."""
    sessions = [session_of(people, tmp_path / name) for name in ("ada", "bob", "eve")]
    for session, name in zip(sessions, ("ada", "bob", "eve"), strict=True):
        session.register(name, PASSWORD)
    ada, bob, eve = sessions
    docid = ada.use_doc("experiment")
    document, _, slider = plotted()
    ada.store_document(document)
    with pytest.raises(UnknownDocument):
        bob.use_doc(docid=docid)
    ada.share("bob", "editor")
    ada.share("eve")
    with pytest.raises(NotFound):
        ada.share("nobody")
    assert ada.shares == {"bob": "editor", "eve": "viewer"}
    bob.use_doc(docid=docid)
    theirs = Document()
    bob.load_document(theirs)
    copy = theirs.select_one({"type": Slider})
    assert isinstance(copy, Slider)
    with ada.subscribe(document):
        copy.value = 7
        bob.store_objects(copy)
        wait_until(lambda: slider.value == 7)
    assert [each["docid"] for each in bob.userinfo["shared"]] == [docid]
    eve.use_doc(docid=docid)
    with pytest.raises(Forbidden):
        eve.push({"type": "object", "name": "Slider", "id": slider.id, "attributes": {"value": 9}})
    with pytest.raises(Forbidden):
        bob.share("eve", "editor")
    ada.unshare("bob")
    copy.value = 8
    with pytest.raises((NotFound, Forbidden)):
        bob.store_objects(copy)
    for session in sessions:
        session.close()


def test_fast_writers_lose_their_right_too(people: RunningServer, tmp_path: Path) -> None:
    """Stores that go over a socket of their own are refused once the right was taken back."""
    with session_of(people, tmp_path / "o") as owner, session_of(people, tmp_path / "e") as editor:
        owner.register("owner", PASSWORD)
        editor.register("editor", PASSWORD)
        docid = owner.use_doc("stream")
        document, _, _ = plotted()
        owner.store_document(document)
        owner.share("editor", "editor")
        editor.use_doc(docid=docid)
        theirs = Document()
        editor.load_document(theirs)
        source = theirs.select_one({"type": ColumnDataSource})
        assert isinstance(source, ColumnDataSource)

        def store(number: int) -> None:
            source.stream({"x": [number], "y": [number]})
            editor.store_objects(source)

        for number in range(30):
            store(number)
        owner.unshare("editor")

        def refused() -> bool:
            try:
                store(99)
            except (Forbidden, NotFound):
                return True
            return False

        wait_until(refused)


def test_published_documents_are_for_everybody(people: RunningServer, tmp_path: Path) -> None:
    """Whoever is not logged in may look at them, and change nothing, until they are taken back."""
    with session_of(people, tmp_path / "a") as owner, session_of(people, tmp_path / "b") as anybody:
        owner.register("publisher", PASSWORD)
        docid = owner.use_doc("news")
        document, _, slider = plotted()
        owner.store_document(document)
        owner.publish()
        anybody.use_doc(docid=docid)
        anybody.load_document(Document())
        body = {"type": "object", "name": "Slider", "id": slider.id, "attributes": {"value": 9}}
        with pytest.raises(Forbidden):
            anybody.push(body)
        owner.unpublish()
        with pytest.raises(UnknownDocument):
            anybody.info(docid)


def test_sites_that_may_embed(people: RunningServer, tmp_path: Path) -> None:
    """They are chosen and read back; what is no site is refused."""
    with session_of(people, tmp_path) as session:
        session.register("embedder", PASSWORD)
        session.use_doc("line")
        assert session.sites is None
        session.allow_sites(["https://Example.org", "http://localhost:8000"])
        assert session.sites == ["https://example.org", "http://localhost:8000"]
        with pytest.raises(BadRequest, match="with no path"):
            session.allow_sites("https://example.org/page")
        session.allow_sites([])
        assert session.sites == []
        session.allow_sites(None)
        assert session.sites is None
