"""Scripts and links: making them, keys in the place of logins, and logging in by a browser."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from bokeh.document import Document
from bokeh.models import Slider

from bokeh_server import Session
from bokeh_server.errors import Forbidden, NotAuthenticated, UnknownDocument
from support.browser import wait_until
from support.server import RunningServer, running_server

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def people() -> Iterator[RunningServer]:
    """A server with accounts."""
    with running_server("-m") as running:
        yield running


@pytest.fixture
def ada(people: RunningServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Session]:
    """The session of somebody new."""
    with Session(root_url=f"{people.url}/", configdir=tmp_path / "ada") as session:
        session.register(re.sub(r"\W", "-", request.node.name)[-40:].strip("-_"), PASSWORD)
        yield session


def test_a_key_in_the_place_of_a_login(ada: Session, people: RunningServer, tmp_path: Path) -> None:
    """It reads and writes its document, and nothing else, until it is revoked."""
    docid, document, slider = ada.use_doc("line"), Document(), Slider(start=0, end=9, value=1)
    document.add_root(slider)
    ada.store_document(document)
    key = ada.make_key(title="robot")
    with Session(root_url=f"{people.url}/", key=key, configdir=tmp_path / "k") as robot:
        assert robot.use_doc() == robot.use_doc("line") == docid
        copy = Document()
        robot.load_document(copy)
        theirs = copy.select_one({"type": Slider})
        assert isinstance(theirs, Slider)
        with ada.subscribe(document), robot.subscribe(copy):
            theirs.value = 7
            robot.store_objects(theirs)
            wait_until(lambda: slider.value, 7)
        with pytest.raises(UnknownDocument):
            robot.use_doc("another")
        for forbidden in (robot.publish, lambda: robot.links, lambda: robot.make_doc("x")):
            with pytest.raises(Forbidden):
                forbidden()
        assert [each["title"] for each in ada.links] == ["robot"]
        ada.revoke_link(key)
        assert ada.links == []
        with pytest.raises(NotAuthenticated):
            robot.info(docid)


def test_a_script_logged_in_by_a_browser(
    ada: Session, people: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody agrees to the code that both show; the token is kept for later scripts."""
    home = tmp_path / "new"
    with Session(root_url=f"{people.url}/", configdir=home) as session, requests.Session() as page:
        thread = threading.Thread(target=session.browser_login, args=(60,))
        thread.start()
        said: list[str] = []

        def address() -> str | None:
            said.append(capsys.readouterr().out)
            found = re.search(r"http\S+script\?code=(\S+)", "".join(said))
            return found[1] if found else None

        wait_until(lambda: address() is not None)
        code = address()
        url, ours = f"{people.url}/bokeh/login", {"Sec-Fetch-Site": "same-origin"}
        form = {"username": str(ada.username), "password": PASSWORD}
        page.post(url, data=form, headers=ours, timeout=30).raise_for_status()
        shown = page.get(f"{url}/script", params={"code": code}, timeout=30).text
        assert f"<code>{code}</code>" in shown
        answer = {"code": code, "answer": "agree"}
        page.post(f"{url}/script", data=answer, headers=ours, timeout=30).raise_for_status()
        thread.join(30)
        assert session.userinfo["username"] == ada.username
    with Session(root_url=f"{people.url}/", configdir=home) as later:
        assert later.userinfo["username"] == ada.username


def test_nobody_agrees(people: RunningServer, tmp_path: Path) -> None:
    """The script says so in time, and is nobody."""
    with Session(root_url=f"{people.url}/", configdir=tmp_path) as session:
        with pytest.raises(NotAuthenticated, match="nobody agreed in time"):
            session.browser_login(0.1)
        assert session.userapikey is None


def test_a_browser_logged_in_by_a_script(
    ada: Session, people: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a question, once, and the code is in no address that the server's log has."""
    ada.browser_login()
    code = capsys.readouterr().out.strip().partition("#")[2]
    url, ours = f"{people.url}/bokeh/login/browser", {"Sec-Fetch-Site": "same-origin"}
    with requests.Session() as page:
        asked = page.post(url, json={"code": code}, headers=ours, timeout=30).json()
        assert asked == {"username": ada.username, "present": None}
        assert not page.cookies
        body = {"code": code, "confirm": True}
        assert page.post(url, json=body, timeout=30).status_code == 403  # from nobody's page
        assert page.post(url, json=body, headers=ours, timeout=30).status_code == 200
        info = page.get(f"{people.url}/bokeh/userinfo/", timeout=30).json()
        assert info["username"] == ada.username
        assert page.post(url, json=body, headers=ours, timeout=30).status_code == 404
    assert code not in people.log
