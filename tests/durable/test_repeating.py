"""A change that is sent again with its ``Idempotency-Key`` is answered as it was the first time."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from bokeh_server.documents import Engine
from bokeh_server.storage import Store
from support.databases import KINDS
from support.documents import doc_json, run_together, set_value, stream
from support.server import RunningServer, running_server
from support.writers import Client, client, make_document

KEY = "1f0c"
MESSAGE = {"kind": "MessageSent", "msg_type": "note", "msg_data": 1}


@pytest.fixture(scope="module", params=KINDS)
def shared_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database of either kind, for all tests."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('repeating') / 'bokeh.sqlite'}"
        return
    with request.getfixturevalue("postgresql_server").database() as url:
        yield url


@pytest.fixture(scope="module")
def server(shared_url: str) -> Iterator[RunningServer]:
    """A server on it."""
    with running_server("--database", shared_url) as running:
        yield running


def new_document(http: Client) -> str:
    """Make a document of a title of its own."""
    return make_document(http, f"line {uuid.uuid4()}")


def partly_gone() -> list[dict[str, Any]]:
    """Events of which some are for a model that was dropped."""
    return [*stream(5).events, {**set_value(3).events[0], "model": {"id": "t"}}]


def drop_one(http: Client, docid: str) -> None:
    """Add a slider to a document, and remove it."""
    model = {"type": "object", "name": "Slider", "id": "t", "attributes": {"start": 0, "end": 9}}
    add, remove = (
        {"kind": "RootAdded", "model": model},
        {"kind": "RootRemoved", "model": {"id": "t"}},
    )
    for event in (add, remove):
        status, answer = http.change(docid, [event])
        assert status == 200, answer


def rows(http: Client, docid: str) -> Any:
    """The rows of the data source."""
    status, answer = http.ask("GET", f"/bokeh/bb/{docid}/ColumnDataSource/d/")
    assert status == 200, answer
    return dict(answer["attributes"]["data"]["entries"])["x"]


def test_the_first_answer_again(server: RunningServer, shared_url: str) -> None:
    """It is the same after other changes, a restart, a kill, and at another server, word for word.

    What the sender was told is gone is told again, though the model is back by then.
    """
    with client(server.url) as http:
        docid = new_document(http)
        drop_one(http, docid)
        first = http.change(docid, partly_gone(), KEY)
        assert first == (200, {"seq": 4, "gone": ["t"]})
        back = {"type": "object", "name": "Slider", "id": "t", "attributes": {"start": 0, "end": 9}}
        assert http.change(docid, [{"kind": "RootAdded", "model": back}])[0] == 200
        assert http.change(docid, partly_gone(), KEY) == first
        server.restart()
        assert http_again(server, docid) == first
        server.kill()
        server.start()
        assert http_again(server, docid) == first
        with running_server("--database", shared_url) as other:
            assert http_again(other, docid) == first
        with client(server.url) as after:
            assert rows(after, docid) == [1, 2, 5]


def http_again(server: RunningServer, docid: str) -> tuple[int, Any]:
    """Send the change again."""
    with client(server.url) as http:
        return http.change(docid, partly_gone(), KEY)


def test_many_at_once(server: RunningServer, shared_url: str) -> None:
    """Twelve at once, at two servers of one database, are one change with one answer."""
    with client(server.url) as http, running_server("--database", shared_url) as other:
        docid = new_document(http)
        drop_one(http, docid)
        answers: list[tuple[int, Any]] = []
        gate = threading.Barrier(12)

        def send(to: RunningServer) -> None:
            with client(to.url) as mine:
                gate.wait(20)
                answers.append(mine.change(docid, partly_gone(), KEY))

        run_together([lambda to=to: send(to) for to in (server, other) * 6])  # type: ignore[misc]
        assert answers == [(200, {"seq": 4, "gone": ["t"]})] * 12
        assert rows(http, docid) == [1, 2, 5]


def test_a_key_of_another_change(server: RunningServer) -> None:
    """A key that was used for something else is 422, and nothing is stored."""
    with client(server.url) as http:
        docid = new_document(http)
        assert http.change(docid, set_value(1).events, KEY) == (200, {"seq": 2})
    for _ in range(2):
        with client(server.url) as http:
            status, answer = http.change(docid, set_value(2).events, KEY)
            assert (status, answer["error"]) == (422, "key_reused")
            assert http.change(docid, set_value(1).events, KEY) == (200, {"seq": 2})
        server.restart()


def test_a_restore_has_a_key_like_any_change(server: RunningServer) -> None:
    """Sent again it is one change; a key of another restore or edit, before or after, is 422."""
    with client(server.url) as http:
        docid = new_document(http)
        for value in (5, 6, 7):
            assert http.change(docid, set_value(value).events)[0] == 200
        assert http.change(docid, set_value(8).events, "edit") == (200, {"seq": 5})
        check_restore(http, docid)
        assert restore(http, docid, 3, "x" * 300)[0] == 400
    server.restart()
    with client(server.url) as http:
        check_restore(http, docid)
        assert http.ask("GET", f"/bokeh/doc/{docid}/")[1]["seq"] == 6


def check_restore(http: Client, docid: str) -> None:
    """Restore with a key, and try it for something else."""
    assert restore(http, docid, 2, KEY) == (200, {"seq": 6})
    others = restore(http, docid, 3, KEY), restore(http, docid, 3, "edit")
    for status, answer in (*others, http.change(docid, set_value(1).events, KEY)):
        assert (status, answer["error"]) == (422, "key_reused")


def test_a_new_title_has_a_key_like_any_change(server: RunningServer) -> None:
    """Sent again it is one change; another title under its key is 422."""
    with client(server.url) as http:
        docid = new_document(http)
        check_rename(http, docid)
        check_rename(http, docid)
    server.restart()
    with client(server.url) as http:
        check_rename(http, docid)


def check_rename(http: Client, docid: str) -> None:
    """Rename with a key, and try it for another title."""
    path, headers = f"/bokeh/doc/{docid}/", {"Idempotency-Key": KEY}
    status, info = http.ask("PATCH", path, {"title": "curve"}, headers)
    assert (status, info["seq"], info["title"]) == (200, 2, "curve")
    status, answer = http.ask("PATCH", path, {"title": "other"}, headers)
    assert (status, answer["error"]) == (422, "key_reused")


def restore(http: Client, docid: str, revision: int, key: str) -> tuple[int, Any]:
    """Go back to a revision."""
    path, headers = f"/bokeh/doc/{docid}/restore", {"Idempotency-Key": key}
    return http.ask("POST", path, {"revision": revision}, headers)


def test_a_key_is_known_as_long_as_its_change(database_url: str) -> None:
    """A change that only a snapshot holds is still known; one that the log dropped is new."""
    with closing(Store.open(database_url)) as store:
        engine = Engine(store)
        docid = engine.create("ada", "line").docid
        engine.open(docid).replace(doc_json(), {}, actor="ada")
        assert engine.open(docid).apply(stream(5), actor="ada", key=KEY) == 2
        engine.close()
        engine = Engine(store)
        assert engine.open(docid).apply(stream(5), actor="ada", key=KEY) == 2
        engine.close()
        assert store.changes.forget(docid, 2) == 2
        engine = Engine(store)
        assert engine.open(docid).apply(stream(5), actor="ada", key=KEY) == 3
        engine.close()


def test_what_changed_nothing_changes_nothing_when_sent_again(server: RunningServer) -> None:
    """A content, a restore and a change without effect undo nothing that others did since."""
    with client(server.url) as http:
        docid = new_document(http)
        content = http.ask("GET", f"/bokeh/doc/{docid}/content")[1]["doc"]
        drop_one(http, docid)
        head = http.ask("GET", f"/bokeh/doc/{docid}/")[1]["seq"]
        sent: list[tuple[str, str, object, str]] = [
            ("PUT", f"/bokeh/doc/{docid}/content", {"doc": content}, "a"),
            ("POST", f"/bokeh/doc/{docid}/restore", {"revision": head}, "b"),
            ("POST", f"/bokeh/doc/{docid}/changes", {"events": set_gone()}, "c"),
            ("POST", f"/bokeh/doc/{docid}/changes", {"events": [MESSAGE, *set_gone()]}, "d"),
        ]
        first = [send(http, each) for each in sent]
        assert [status for status, _ in first] == [200] * 4
        back = {"type": "object", "name": "Slider", "id": "t", "attributes": {"start": 0, "end": 9}}
        others = [{"kind": "RootAdded", "model": back}, *set_value(77).events]
        assert http.change(docid, others)[0] == 200
        assert [send(http, each) for each in sent] == first
    server.restart()
    with client(server.url) as http:
        assert [send(http, each) for each in sent] == first
        for model_id, value in (("s", 77), ("t", None)):
            found = http.ask("GET", f"/bokeh/bb/{docid}/Slider/{model_id}/")[1]
            assert found["attributes"].get("value") == value


def set_gone() -> list[dict[str, Any]]:
    """A change to a model that is gone."""
    return [{**set_value(3).events[0], "model": {"id": "t"}}]


def send(http: Client, request: tuple[str, str, object, str]) -> tuple[int, Any]:
    """Send a request with its key."""
    method, path, body, key = request
    return http.ask(method, path, body, {"Idempotency-Key": key})
