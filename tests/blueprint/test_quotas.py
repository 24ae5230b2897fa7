"""Limits of users: what is refused, what works all the same, and who sets them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import Slider
from flask import Flask

from bokeh_server import Session
from bokeh_server.blueprint import BokehServer
from bokeh_server.client import _pipes
from bokeh_server.errors import QuotaReached
from bokeh_server.storage import ADMIN
from support.documents import doc_json, set_value
from support.persons import Person
from support.server import running_server


@pytest.fixture
def app(tmp_path: Path, ready_url: str) -> Iterator[Flask]:
    """A server on which everybody may have three documents of 60 KB together."""
    made = Flask("host")
    server = BokehServer(
        made,
        data_dir=tmp_path,
        database=ready_url,
        multi_user=True,
        user_documents=3,
        user_bytes=60_000,
    )
    yield made
    server.close()


def fill(person: Person, docid: str) -> Any:
    """Change a document until that is refused; the answer that refuses."""
    for number in range(1000):
        body = {"events": [{"kind": "TitleChanged", "title": f"{number}" + "x" * 200}]}
        answer = person.ask("POST", f"doc/{docid}/changes", body)
        if answer.status_code != 200:
            return answer
    raise AssertionError("nothing was ever refused")


def test_documents(app: Flask) -> None:
    """The fourth is refused, of many at once as well; after one is deleted there is room."""
    ada = Person(app, "ada")
    statuses: list[int] = []

    def create(number: int) -> None:
        answer = ada.client.post(
            "/bokeh/doc/", json={"title": f"plot {number}"}, headers=ada.headers
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 3 + [403] * 5
    refused = ada.ask("POST", "doc/", {"title": "more"})
    assert refused.get_json()["error"] == "quota_reached"
    assert "3 documents and may have 3. Delete one" in refused.get_json()["detail"]
    docid = ada.ask("GET", "userinfo/").get_json()["docs"][0]["docid"]
    assert ada.ask("DELETE", f"doc/{docid}/").status_code == 204
    assert ada.ask("POST", "doc/", {"title": "more"}).status_code == 201


def test_bytes(app: Flask) -> None:
    """What an editor writes counts for the owner; the limit is kept to one change."""
    ada, grace = Person(app, "ada"), Person(app, "grace")
    docid = ada.document()
    ada.ask("PUT", f"doc/{docid}/grants/grace", {"role": "editor"})
    refused = fill(grace, docid)
    assert (refused.status_code, refused.get_json()["error"]) == (403, "quota_reached")
    assert "KB of 58.6 KB. Delete some" in refused.get_json()["detail"]
    usage = ada.ask("GET", "userinfo/").get_json()["usage"]
    assert usage.keys() == {"documents", "bytes", "most_documents", "most_bytes"}
    assert 59_000 < usage["bytes"] <= 60_000
    assert (usage["most_documents"], usage["most_bytes"]) == (3, 60_000)
    assert grace.ask("GET", "userinfo/").get_json()["usage"]["bytes"] == 0
    # what is refused left the document as it was, and what frees space or costs none works
    value = ada.ask("GET", f"bb/{docid}/Slider/s/").get_json()["attributes"]["value"]
    assert value == 1
    assert ada.ask("PATCH", f"doc/{docid}/", {"title": "renamed"}).status_code == 200
    assert ada.ask("POST", f"doc/{docid}/changes", {"events": []}).status_code == 200
    assert ada.ask("DELETE", f"doc/{docid}/grants/grace").status_code == 204
    assert ada.ask("DELETE", f"doc/{docid}/").status_code == 204
    again = ada.document("after")
    body = {"events": set_value(5).events}
    assert ada.ask("POST", f"doc/{again}/changes", body).status_code == 200


def test_an_admin_sets_limits_and_sees_no_documents(app: Flask) -> None:
    """Users with usage, limits at once, disabling; documents of others are not there."""
    ada, root = Person(app, "ada"), Person(app, "root")
    docid = ada.document()
    fill(ada, docid)
    assert root.ask("GET", "users").status_code == 403
    with app.app_context():
        app.extensions["bokeh_server"].accounts.rank("root", ADMIN)
    listed = {each["username"]: each for each in root.ask("GET", "users").get_json()["users"]}
    assert listed["ada"]["documents"] == 1
    assert listed["root"]["admin"]
    assert root.ask("GET", f"doc/{docid}/").status_code == 404
    assert root.ask("GET", f"doc/{docid}/events").status_code == 404
    assert root.ask("PATCH", "users/ada", {"most_bytes": 10**6}).status_code == 200
    body = {"events": set_value(5).events}
    assert ada.ask("POST", f"doc/{docid}/changes", body).status_code == 200
    for bad in ({}, {"rank": "admin"}, {"most_bytes": -1}, {"most_bytes": True}, {"disabled": 1}):
        assert root.ask("PATCH", "users/ada", bad).status_code == 400
    assert root.ask("PATCH", "users/root", {"disabled": True}).status_code == 403
    assert root.ask("PATCH", "users/nobody", {"disabled": True}).status_code == 404
    assert root.ask("PATCH", "users/ada", {"disabled": True}).status_code == 200
    assert ada.ask("GET", "userinfo/").status_code == 401
    assert root.ask("PATCH", "users/ada", {"disabled": False}).status_code == 200
    assert ("root", "limit") in root.actions("events?all=1")
    assert ("root", "disable") in ada.actions()
    with app.app_context():
        app.extensions["bokeh_server"].accounts.rank("root", None)
    assert root.ask("GET", "users").status_code == 403


def test_a_repeated_request_is_answered_as_before(app: Flask) -> None:
    """What was stored before the limit was reached is not refused when it is sent again."""
    ada = Person(app, "ada")
    docid = ada.document()
    ada.headers["Idempotency-Key"] = "once"
    body = {"doc": doc_json()}
    first = ada.ask("PUT", f"doc/{docid}/content", body).get_json()
    del ada.headers["Idempotency-Key"]
    fill(ada, docid)
    ada.headers["Idempotency-Key"] = "once"
    assert ada.ask("PUT", f"doc/{docid}/content", body).get_json() == first


def test_a_real_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under gevent, where storage runs in other threads: by socket and by HTTP."""
    arguments = ("-m", "--user-bytes", "20KB", "--user-documents", "1")
    with running_server(*arguments, data_dir=tmp_path) as server:
        session = Session(root_url=server.url, load_from_config=False, configdir=tmp_path)
        session.register("ada", "correct horse")
        session.use_doc("a plot")
        document, slider = Document(), Slider(start=0, end=10, value=0, title="t")
        document.add_root(slider)
        session.store_document(document)

        requests: list[str] = []
        send = session.http.send

        def note(method: str, url: str, *rest: Any) -> Any:
            requests.append(method)
            return send(method, url, *rest)

        def store() -> int:
            for number in range(300):
                slider.title = f"{len(requests)} {number}" + "x" * 500
                try:
                    session.store_objects(slider)
                except QuotaReached as error:
                    assert re.search(r"of ada take .* of 20\.0 KB", f"{error}")  # noqa: PT017
                    return number
            raise AssertionError("nothing was ever refused")

        monkeypatch.setattr(session.http, "send", note)
        monkeypatch.setattr(_pipes, "OFTEN_SECONDS", 60.0)  # however slow the machine is
        assert store() > 10
        assert len(requests) < _pipes.OFTEN  # all others went by socket, the refused one, too
        requests.clear()
        monkeypatch.setattr(_pipes, "OFTEN", 1000)
        session._pipes.close()
        assert store() == 0
        assert len(requests) == 1
        with pytest.raises(QuotaReached, match="you have 1 documents and may have 1"):
            session.use_doc("another")
        assert [each["action"] for each in session.events(action="create")] == ["create"]
        session.publish()
        assert session.events()[0]["action"] == "publish"
