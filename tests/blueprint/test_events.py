"""Who did what to which document: what is noted, and who may read it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server.blueprint import BokehServer
from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage import EventStore
from support.documents import set_value
from support.persons import SOON_SECONDS, Person


@pytest.fixture
def people(tmp_path: Path, ready_url: str) -> Iterator[Flask]:
    """A server with accounts, on either database."""
    app = Flask("host")
    server = BokehServer(app, data_dir=tmp_path, database=ready_url, multi_user=True)
    yield app
    server.close()


def test_what_owners_do_is_noted_in_order(people: Flask) -> None:
    """Making, replacing, renaming, publishing, sharing, sites, restoring: each with its detail."""
    ada, _ = Person(people, "ada"), Person(people, "grace")
    docid = ada.document()
    ada.ask("PATCH", f"doc/{docid}/", {"title": "another"})
    ada.ask("POST", f"{docid}/publish")
    ada.ask("POST", f"{docid}/unpublish")
    ada.ask("PUT", f"doc/{docid}/grants/grace", {"role": "editor"})
    ada.ask("DELETE", f"doc/{docid}/grants/grace")
    ada.ask("PUT", f"doc/{docid}/sites", {"sites": ["https://example.org"]})
    ada.ask("POST", f"doc/{docid}/restore", {"revision": 1})
    ada.ask("DELETE", f"doc/{docid}/")
    events = ada.events(f"events?docid={docid}")
    told = [
        (each["action"], each["title"], each["detail"])
        for each in events[::-1]
        if each["action"] != "change"
    ]
    assert told == [
        ("create", "a plot", None),
        ("replace", "a plot", "change 1"),
        ("rename", "a plot", "another"),
        ("publish", "another", None),
        ("unpublish", "another", None),
        ("share", "another", "grace: editor"),
        ("unshare", "another", "grace"),
        ("sites", "another", "https://example.org"),
        ("restore", "another", "revision 1 as change 3"),
        ("delete", "another", None),
    ]
    assert {each["via"].split()[0] for each in events if each["action"] != "change"} == {"token"}
    assert {each["owner"] for each in events} == {"ada"}


def test_links_and_keys(people: Flask) -> None:
    """Made, followed, revoked: whose, what for and by which; no secret is kept."""
    ada, grace = Person(people, "ada"), Person(people, "grace")
    docid = ada.document()
    link = ada.ask("POST", f"doc/{docid}/links", {"title": "talk", "revision": 1}).get_json()
    key = ada.ask("POST", f"doc/{docid}/links", {"kind": "key", "role": "editor"}).get_json()
    secret = link["url"].partition("#")[2]
    nobody, browser = people.test_client(), {"Sec-Fetch-Site": "same-origin"}
    for client, headers in (
        (nobody, browser),
        (nobody, browser),
        (grace.client, grace.headers | browser),
    ):
        answer = client.post(f"/bokeh/link/{link['id']}", json={"secret": secret}, headers=headers)
        assert answer.status_code == 200
    wrong = nobody.post(f"/bokeh/link/{link['id']}", json={"secret": "bkl_x"}, headers=browser)
    assert wrong.status_code == 404
    held = {"Authorization": f"Bearer {key['key']}"}
    change = {"events": set_value(4).events}
    assert nobody.post(f"/bokeh/doc/{docid}/changes", json=change, headers=held).status_code == 200
    assert ada.ask("DELETE", f"doc/{docid}/links/{link['id']}").status_code == 204
    assert ada.ask("DELETE", f"doc/{docid}/links/{link['id']}").status_code == 404
    deadline = time.monotonic() + SOON_SECONDS
    by_link, by_key = f"link {link['id']}", f"key {key['id']}"
    expected = [
        ("ada", "change", None),
        ("ada", "link", f"{by_key} for an editor"),
        ("ada", "link", f"{by_link} for a viewer of revision 1: talk"),
        ("ada", "unlink", link["id"]),
        (by_key, "change", None),
        ("grace", "follow", f"{by_link} talk"),
        (by_link, "follow", f"{by_link} talk"),
    ]
    kinds = {"link", "unlink", "follow", "change"}
    while (
        found := sorted(
            (each["actor"], each["action"], each["detail"])
            for each in ada.events(f"doc/{docid}/events")
            if each["action"] in kinds
        )
    ) != sorted(expected, key=str):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    text = str(ada.events())
    assert secret not in text
    assert key["key"].rpartition("_")[2] not in text


def test_how_long_events_are_kept(tmp_path: Path, ready_url: str) -> None:
    """The setting is what the housekeeper goes by."""
    app = Flask("host")
    server = BokehServer(
        app, data_dir=tmp_path, database=ready_url, multi_user=True, keep_events_days=1.5
    )
    try:
        engine = app.extensions["bokeh_server"].engine
        assert engine.limits.keep_events == timedelta(days=1.5)
    finally:
        server.close()


def test_changes_are_one_event_in_a_while(people: Flask) -> None:
    """A hundred changes of an editor are one row; that of somebody else is another."""
    ada, grace = Person(people, "ada"), Person(people, "grace")
    docid = ada.document()
    ada.ask("PUT", f"doc/{docid}/grants/grace", {"role": "editor"})
    for value in range(20):
        body = {"events": set_value(value + 2).events}
        assert grace.ask("POST", f"doc/{docid}/changes", body).status_code == 200
    deadline = time.monotonic() + SOON_SECONDS
    while len(found := [a for a in ada.actions() if a[1] == "change"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert sorted(found) == [("ada", "change"), ("grace", "change")]


def test_a_change_that_is_refused_is_no_event(people: Flask) -> None:
    """What changes nothing, as a page sends by itself, and what is refused, are not noted."""
    ada, grace = Person(people, "ada"), Person(people, "grace")
    docid = ada.document()
    ada.ask("PUT", f"doc/{docid}/grants/grace", {"role": "editor"})
    refused = {"events": [{"kind": "ModelChanged", "model": {"id": "no"}, "attr": "x", "new": 1}]}
    nothing: dict[str, Any] = {"events": []}
    grace.ask("POST", f"doc/{docid}/changes", refused)
    assert grace.ask("POST", f"doc/{docid}/changes", nothing).status_code == 200
    grace.ask("GET", f"doc/{docid}/content")
    ada.await_action("open")  # the one thread has written what came before
    assert ("grace", "change") not in ada.actions()


def test_looks_are_noted_once_and_strangers_are_one(people: Flask) -> None:
    """Viewers by name, everybody who is not known as one without an address, the owner never."""
    ada, grace = Person(people, "ada"), Person(people, "grace")
    docid = ada.document()
    ada.ask("POST", f"{docid}/publish")
    nobody = people.test_client()
    for _ in range(3):
        ada.ask("GET", f"doc/{docid}/content")
        nobody.get(f"/bokeh/doc/{docid}/content")
        grace.ask("GET", f"doc/{docid}/content")
    deadline = time.monotonic() + SOON_SECONDS
    while len(found := [e for e in ada.events() if e["action"] == "open"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert sorted((each["actor"], each["address"]) for each in found) == [("", ""), ("grace", "")]


def test_editors_and_strangers_read_nothing(people: Flask) -> None:
    """An editor's list holds their own account alone, whatever they ask for."""
    ada, grace = Person(people, "ada"), Person(people, "grace")
    docid = ada.document()
    ada.ask("PUT", f"doc/{docid}/grants/grace", {"role": "editor"})
    assert grace.ask("GET", f"doc/{docid}/events").status_code == 403
    assert grace.events(f"events?docid={docid}") == []
    assert grace.events("events?actor=ada") == []
    assert grace.ask("GET", "events?all=1").status_code == 403
    assert grace.actions() == [("grace", "login"), ("grace", "register")]


def test_accounts(people: Flask) -> None:
    """Registering, logging in, refused logins, tokens, passwords: for oneself to read."""
    ada = Person(people, "ada")
    client = people.test_client()
    for password, name in (("wrong", "ada"), ("wrong again", "ada"), ("correct horse", "ada")):
        client.post("/bokeh/login", json={"username": name, "password": password})
    client.post("/bokeh/login", json={"username": "nobody", "password": "wrong"})
    refused = ada.await_action("refused")
    assert (refused["actor"], refused["owner"], refused["address"]) == ("", "ada", "127.0.0.1")
    new = {"current": "correct horse", "password": "battery staple"}
    assert ada.ask("POST", "account/password", new).status_code == 200
    identity = ada.ask("GET", "account/tokens").get_json()["tokens"][0]["id"]
    ada.ask("DELETE", f"account/tokens/{identity}")
    # with another token, for that may have been the one
    ada.headers["Authorization"] = "Bearer " + str(
        client.post(
            "/bokeh/login", json={"username": "ada", "password": "battery staple"}
        ).get_json()["token"]
    )
    counts = [action for _, action in ada.actions()]
    assert counts.count("refused") == 1
    assert counts.count("login") == 3
    assert {"register", "password", "revoke"} <= set(counts)
    # Whoever takes the name does not see the tries that were made before.
    late = Person(people, "nobody")
    assert late.actions() == [("nobody", "login"), ("nobody", "register")]


def test_who_takes_a_name_later_sees_nothing(people: Flask) -> None:
    """The events of somebody who was deleted are for admins alone."""
    ada = Person(people, "ada")
    docid = ada.document()
    with people.app_context():
        state = people.extensions["bokeh_server"]
        ada.await_action("change")
        state.accounts.delete("ada")
        assert [each.action for each in state.store.events.find(docid=docid)][-1] == "create"
    again = Person(people, "ada")
    assert again.actions() == [("ada", "login"), ("ada", "register")]
    assert again.events(f"events?docid={docid}") == []


def test_pages_of_events(people: Flask) -> None:
    """Older and newer ones, limits and filters; what is not a number or action is refused."""
    ada = Person(people, "ada")
    for number in range(5):
        ada.ask("POST", "doc/", {"title": f"plot {number}"})
    first = ada.ask("GET", "events?action=create&limit=2").get_json()
    assert ([each["title"] for each in first["events"]], first["more"]) == (
        ["plot 4", "plot 3"],
        True,
    )
    second = ada.events(f"events?action=create&limit=2&before={first['events'][-1]['id']}")
    assert [each["title"] for each in second] == ["plot 2", "plot 1"]
    back = ada.events(f"events?action=create&limit=2&after={second[0]['id']}")
    assert back == first["events"]
    for query in ("limit=x", "before=-1", "action=nothing", "limit=100000"):
        assert ada.ask("GET", f"events?{query}").status_code == 400
    assert ada.events("events?actor=Ada&action=register")[0]["actor"] == "ada"
    assert ada.events("events?actor=%00") == []


def test_a_request_succeeds_that_cannot_be_noted(
    people: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is committed stays so where its event is not; the log has it."""
    ada = Person(people, "ada")
    docid = ada.document()

    def broken(*_: object) -> None:
        raise StorageUnavailable("note what was done", "it is gone")

    monkeypatch.setattr(EventStore, "add", broken)
    assert ada.ask("PATCH", f"doc/{docid}/", {"title": "b"}).status_code == 200
    assert "rename" in caplog.text


def test_nobody_fills_the_table(people: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many events of one person the next are not noted, and what is done is done."""
    ada = Person(people, "ada")
    docid = ada.document()
    monkeypatch.setattr("bokeh_server.documents.noting.MOST_EVENTS", 10)
    for _ in range(8):
        assert ada.ask("POST", f"{docid}/publish").status_code == 200
        assert ada.ask("POST", f"{docid}/unpublish").status_code == 200
    assert len(ada.events("events?action=publish")) < 8
    assert ada.ask("GET", f"doc/{docid}/").get_json()["published"] is False


def test_nothing_is_noted_of_a_single_user(client: FlaskClient, docid: str) -> None:
    """A server without accounts has no such page."""
    assert client.get("/bokeh/events").status_code == 404
    assert client.get(f"/bokeh/doc/{docid}/events").status_code == 404
