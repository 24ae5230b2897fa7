"""The log over HTTP: read both ways and in plain words, opened at any revision, restored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from bokeh.document import Document
from bokeh.models import Slider
from bokeh.plotting import figure
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bokeh_server.blueprint import BokehServer
from bokeh_server.documents import Engine
from bokeh_server.protocol.packing import CONTENT_TYPE, unpack

ANNE = {"Accept": "application/json"}


@pytest.fixture
def engine(app: Flask) -> Engine:
    """The engine of the app."""
    found: Engine = app.extensions["bokeh_server"].engine
    return found


def path(docid: str, what: str = "", **query: object) -> str:
    """An address of a document."""
    arguments = "&".join(f"{name}={value}" for name, value in query.items())
    return f"/bokeh/doc/{docid}/{what}" + (f"?{arguments}" if arguments else "")


def change(client: FlaskClient, docid: str, *events: dict[str, Any]) -> int:
    """Append a patch; its number."""
    answer = client.post(path(docid, "changes"), json={"events": list(events)})
    assert answer.status_code == 200, answer.get_data()
    seq: int = answer.get_json()["seq"]
    return seq


def title(text: str) -> dict[str, Any]:
    """The event that sets the title."""
    return {"kind": "TitleChanged", "title": text}


def titled(client: FlaskClient, docid: str, count: int) -> None:
    """Set titles, each named after its number."""
    for number in range(2, count + 1):
        assert change(client, docid, title(f"title {number}")) == number


def forget(app: Flask, docid: str, up_to: int) -> int:
    """Keep nothing that is older than the revision ``up_to``; the oldest that is kept."""
    state = app.extensions["bokeh_server"]
    state.engine.open(docid).snapshot()
    soon = datetime.now(UTC) + timedelta(seconds=1)
    base: int = state.store.snapshots.retire(docid, up_to, soon)
    state.store.changes.forget(docid, base, 1000)
    return base


def content(client: FlaskClient, docid: str, **query: object) -> dict[str, Any]:
    """A document's JSON, arrays inline."""
    answer = client.get(path(docid, "content", **query), headers={"Accept": "application/json"})
    found: dict[str, Any] = answer.get_json()
    return found


def test_the_log_is_read_both_ways(client: FlaskClient, docid: str) -> None:
    """Oldest first and newest first, between bounds, page by page, with actor and time."""
    titled(client, docid, 9)

    def seqs(**query: object) -> list[int]:
        answer = client.get(path(docid, "changes", **query)).get_json()
        assert (answer["seq"], answer["oldest"], answer["oldest_revision"]) == (9, 1, 0)
        return [each["seq"] for each in answer["changes"]]

    assert seqs() == list(range(1, 10))
    assert seqs(after=6) == [7, 8, 9]
    assert seqs(after=3, before=6) == [4, 5]
    assert seqs(order="newest", limit=3) == [9, 8, 7]
    assert seqs(order="newest", before=7, limit=2) == [6, 5]
    assert seqs(order="newest", before=3) == [2, 1]
    assert seqs(after=9) == seqs(after=8, before=9) == seqs(before=0) == []
    newest = client.get(path(docid, "changes", order="newest", limit=1)).get_json()
    assert newest["more"] is True
    assert newest["changes"][0]["actor"] == "defaultuser"
    assert datetime.fromisoformat(newest["changes"][0]["at"]).tzinfo is not None
    assert newest["changes"][0]["events"] == [title("title 9")]
    assert client.get(path(docid, "changes", order="newest")).get_json()["more"] is False


@pytest.mark.parametrize(
    "query",
    [
        {"after": "-1"}, {"after": "x"}, {"after": ""}, {"before": "1.5"}, {"limit": "1001"},
        {"order": "sideways"}, {"order": ""}, {"after": "9" * 30},
    ],
)  # fmt: skip
def test_bad_bounds_are_refused(client: FlaskClient, docid: str, query: dict[str, str]) -> None:
    """What is no number, or no order, is said to be none, in the log and its words."""
    answer = client.get(path(docid, "changes", **query))
    assert answer.status_code == 400
    assert answer.get_json()["error"] == "bad_request"
    assert client.get(path(docid, "history", **query)).status_code == 400


def test_the_log_packed(client: FlaskClient, docid: str) -> None:
    """Each change is a packed body in a buffer of its number, arrays and all."""
    titled(client, docid, 3)
    answer = client.get(path(docid, "changes"), headers={"Accept": CONTENT_TYPE})
    assert answer.content_type == CONTENT_TYPE
    head, buffers = unpack(answer.get_data())
    value = orjson.loads(head)
    assert [each["seq"] for each in value["changes"]] == [1, 2, 3]
    assert (value["seq"], value["more"]) == (3, False)
    assert list(buffers) == ["1", "2", "3"]
    assert orjson.loads(unpack(buffers["3"])[0]) == {"events": [title("title 3")]}


def test_a_reader_is_told_what_is_no_longer_kept(
    app: Flask, client: FlaskClient, docid: str
) -> None:
    """Going on from a change whose successor is gone is 410; nothing is skipped silently."""
    titled(client, docid, 10)
    oldest = forget(app, docid, 10)
    assert oldest == 10
    change(client, docid, title("title 11"))
    answer = client.get(path(docid, "changes", after=4))
    assert answer.status_code == 410
    assert answer.get_json()["error"] == "no_longer_kept"
    assert (
        "Changes from 11 on can be read, and revisions 10 to 11 opened"
        in answer.get_json()["detail"]
    )
    assert client.get(path(docid, "changes", after=4, order="newest")).status_code == 410
    assert client.get(path(docid, "changes", after=9)).status_code == 410
    assert client.get(path(docid, "history", after=4)).status_code == 410
    assert client.get(path(docid, "history", after=10)).status_code == 200
    assert client.get(path(docid, "changes", after=4, before=5)).status_code == 200
    for fine in ({}, {"after": 10}, {"order": "newest"}):
        value = client.get(path(docid, "changes", **fine)).get_json()
        assert [each["seq"] for each in value["changes"]] == [11]
        assert (value["oldest"], value["oldest_revision"]) == (11, 10)


def test_any_revision_can_be_read(client: FlaskClient, docid: str) -> None:
    """As a whole in both forms, and model by model."""
    first = content(client, docid)
    source = client.get(f"/bokeh/bb/{docid}/ColumnDataSource/").get_json()[0]["id"]
    data = {"type": "map", "entries": [["x", [9]], ["y", [9]]]}
    change(
        client,
        docid,
        {"kind": "ModelChanged", "model": {"id": source}, "attr": "data", "new": data},
    )
    assert content(client, docid, revision=1) == first
    assert content(client, docid, revision=2) == content(client, docid)
    assert content(client, docid, revision=0)["doc"]["roots"] == []
    packed = unpack(client.get(path(docid, "content", revision=1)).get_data())
    assert orjson.loads(packed[0])["seq"] == 1
    one = f"/bokeh/bb/{docid}/ColumnDataSource/{source}/"
    assert client.get(one).get_json()["attributes"]["data"] == data
    then = client.get(f"{one}?revision=1").get_json()["attributes"]["data"]
    assert [pair[0] for pair in then["entries"]] == ["x", "y"]
    assert then != data
    assert (
        client.get(f"/bokeh/bb/{docid}/?revision=0").get_json()
        == client.get(f"/bokeh/bb/{docid}/Figure/?revision=0").get_json()
        + client.get(f"/bokeh/bb/{docid}/?revision=0").get_json()
    )
    assert client.get(f"{one}?revision=0").status_code == 404


PLACES = ("/bokeh/doc/{}/show", "/bokeh/doc/{}/line", "/bokeh/doc/{}/content", "/bokeh/bb/{}/")


@pytest.mark.parametrize("place", PLACES)
def test_revisions_that_cannot_be_opened(
    app: Flask, client: FlaskClient, docid: str, place: str
) -> None:
    """404 for what is not there yet, 410 for what is gone, 400 for what is no number; each says
    which ones there are, to programs and to people."""
    titled(client, docid, 5)
    forget(app, docid, 5)
    change(client, docid, title("title 6"))
    address = place.format(docid)
    for revision, status in (("7", 404), (str(2**62), 404), ("4", 410), ("0", 410)):
        answer = client.get(f"{address}?revision={revision}", headers=ANNE)
        assert answer.status_code == status
        assert "Revisions 5 to 6 can be opened" in answer.get_json()["detail"]
        page = client.get(f"{address}?revision={revision}", headers={"Accept": "text/html"})
        assert page.status_code == status
        assert "Revisions 5 to 6 can be opened" in page.get_data(as_text=True)
    for bad in ("", "x", "-1", "1.0", "9" * 40, "%00", "null", "1e3", "٣"):
        answer = client.get(f"{address}?revision={bad}", headers=ANNE)
        assert answer.status_code == 400, bad
        assert "revision" in answer.get_json()["detail"]
    assert client.get(f"{address}?revision=5").status_code == 200


def test_unknown_documents_have_no_history(client: FlaskClient) -> None:
    """The same 404 as everywhere."""
    for what in ("history", "changes", "content?revision=1", "show?revision=1"):
        assert client.get(path("nothing", what), headers=ANNE).status_code == 404
    assert client.post(path("nothing", "restore"), json={"revision": 1}).status_code == 404


def test_restoring(client: FlaskClient, docid: str) -> None:
    """A new change, which says what it is, is stored once per key, and undone by another."""
    first = content(client, docid)["doc"]
    titled(client, docid, 3)
    key = {"Idempotency-Key": "once"}
    for _ in range(2):
        answer = client.post(path(docid, "restore"), json={"revision": 1}, headers=key)
        assert (answer.status_code, answer.get_json()) == (200, {"seq": 4})
    assert content(client, docid)["doc"] == first
    newest = client.get(path(docid, "changes", order="newest", limit=1)).get_json()["changes"][0]
    assert (newest["seq"], newest["restored"]) == (4, 1)
    assert client.post(path(docid, "restore"), json={"revision": 3}).get_json() == {"seq": 5}
    assert content(client, docid)["doc"]["title"] == "title 3"
    assert content(client, docid)["doc"] == content(client, docid, revision=3)["doc"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"revision": 99}', 404), ('{"revision": 9223372036854775807}', 404),
        ('{"revision": -1}', 400), ('{"revision": "1"}', 400), ('{"revision": true}', 400),
        ('{"revision": 1.0}', 400), ('{"revision": null}', 400), ("{}", 400), ("[]", 400),
        ("1", 400), ("", 400), ('{"revision": 1180591620717411303424}', 400),
    ],
)  # fmt: skip
def test_what_cannot_be_restored(client: FlaskClient, docid: str, body: str, status: int) -> None:
    """A clear refusal, and nothing changes."""
    answer = client.post(path(docid, "restore"), data=body, content_type="application/json")
    assert answer.status_code == status, answer.get_data()
    assert "Could not" in answer.get_json()["detail"]
    assert client.get(path(docid)).get_json()["seq"] == 1


def test_a_page_of_another_site_restores_nothing(client: FlaskClient, docid: str) -> None:
    """As with every change."""
    foreign = {"Origin": "http://evil.example"}
    answer = client.post(path(docid, "restore"), json={"revision": 0}, headers=foreign)
    assert answer.status_code == 403


# --- pages -------------------------------------------------------------------------------------


def config_of(page: TestResponse) -> dict[str, Any]:
    """What a page tells its script."""
    found = re.search(r'id="bokeh-server-config">(.*?)</script>', page.get_data(as_text=True), re.S)
    assert found
    value: dict[str, Any] = orjson.loads(found[1])
    return value


def test_the_page_of_a_revision(app: Flask, client: FlaskClient, docid: str) -> None:
    """Which revision, of how many, who and when; the way to its neighbours and to the live page."""
    titled(client, docid, 4)
    page = client.get(path(docid, "show", revision=3))
    text = page.get_data(as_text=True)
    assert "<title>title 3 · revision 3</title>" in text
    assert "<strong>Revision 3</strong> of 4" in text
    assert "by <bdi>defaultuser</bdi>" in text
    assert 'rel="prev" href="?revision=2"' in text
    assert 'rel="next" href="?revision=4"' in text
    assert '<a class="button" href="?">Live</a>' in text
    assert config_of(page)["revision"] == 3
    head = client.get(path(docid, "show", revision=4)).get_data(as_text=True)
    assert 'rel="next"' not in head
    assert 'id="restore"' not in head
    empty = client.get(path(docid, "show", revision=0)).get_data(as_text=True)
    assert "before the first change" in empty
    assert 'rel="prev"' not in empty
    forget(app, docid, 4)
    oldest = client.get(path(docid, "show", revision=4)).get_data(as_text=True)
    assert 'rel="prev"' not in oldest


def test_a_live_page_has_no_banner(client: FlaskClient, docid: str) -> None:
    """It has a way into the history, which a public page has not."""
    page = client.get(path(docid, "show"))
    assert config_of(page)["revision"] is None
    assert 'class="banner"' not in page.get_data(as_text=True)
    assert 'id="history-button"' in page.get_data(as_text=True)
    public = client.get(path(docid, "show", public="true", revision=1)).get_data(as_text=True)
    assert 'id="history-button"' not in public
    assert 'id="restore"' not in public
    assert 'href="?public=true"' in public


def test_names_in_the_banner_are_text(engine: Engine, client: FlaskClient, docid: str) -> None:
    """Who made a change may be called anything."""
    from bokeh_server.protocol import Patch

    engine.open(docid).apply(
        Patch([title("</title><script>")], {}), actor="<script>alert(1)</script>"
    )
    text = client.get(path(docid, "show", revision=2)).get_data(as_text=True)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_plot_is_found_in_a_revision_in_which_it_was_another(
    client: FlaskClient, docid: str
) -> None:
    """The page of a plot goes back to what stood in its place; where nothing did, it says so."""
    old = client.get(f"/bokeh/bb/{docid}/Figure/").get_json()[0]["id"]
    document = Document()
    for name in ("line", "second"):
        plot = figure(name=name)
        plot.line([1], [1])
        document.add_root(plot)
    client.put(path(docid, "content"), json={"doc": document.to_json(deferred=False)})
    new, second = (root.id for root in document.roots)
    assert new != old
    page = client.get(path(docid, new, revision=1))
    assert config_of(page)["target"]["id"] == old
    assert config_of(client.get(path(docid, old, revision=1)))["target"]["id"] == old
    missing = client.get(path(docid, second, revision=1), headers=ANNE)
    assert missing.status_code == 404
    assert missing.get_json()["error"] == "unknown_model"
    assert client.get(path(docid, "nothing", revision=1), headers=ANNE).status_code == 404


# --- embedded ----------------------------------------------------------------------------------


def embedded(client: FlaskClient, docid: str, **query: object) -> dict[str, Any]:
    """What ``autoload.js`` tells the page it stands in."""
    arguments = "&".join(f"{name}={value}" for name, value in {"docid": docid, **query}.items())
    text = client.get(f"/bokeh/autoload.js/e1?{arguments}").get_data(as_text=True)
    found = re.search(r"const config = (\{.*\})\n", text)
    assert found, text
    value: dict[str, Any] = orjson.loads(found[1])
    return value


def test_an_embedded_plot_can_be_pinned(client: FlaskClient, docid: str) -> None:
    """Its page may read that document with its ticket, from any site, and no other."""
    config = embedded(client, docid, modelid="line", revision=1)
    assert config["revision"] == 1
    assert config["target"]["name"] == "line"
    headers = {"Origin": "http://blog.example", "Bokeh-Ticket": config["ticket"]}
    answer = client.get(path(docid, "content", revision=1), headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    other = client.post("/bokeh/doc/", json={"title": "other"}).get_json()["docid"]
    assert client.get(path(other, "content", revision=0), headers=headers).status_code == 401
    headers["Bokeh-Ticket"] = "forged"
    assert client.get(path(docid, "content", revision=1), headers=headers).status_code == 401
    assert "not there" not in embedded(client, docid, revision=1)
    assert "Revisions 0 to 1" in embedded(client, docid, revision=9)["error"]
    assert embedded(client, docid, revision="x")["status"] == 400


def test_other_sites_read_nothing_without_a_ticket(client: FlaskClient, docid: str) -> None:
    """The preflight tells nothing; without the ticket no page may see the answer."""
    address = path(docid, "content", revision=1)
    asked = client.options(address, headers={"Origin": "http://blog.example"})
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Headers"] == "Bokeh-Ticket"
    assert asked.headers["Access-Control-Allow-Methods"] == "GET"
    answer = client.get(address, headers={"Origin": "http://blog.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers
    own = re.search(r'"ticket":"([^"]+)"', client.get(path(docid, "show")).get_data(as_text=True))
    assert own
    answer = client.get(address, headers={"Bokeh-Ticket": own[1]})
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


# --- in plain words ----------------------------------------------------------------------------


@pytest.fixture
def bench(client: FlaskClient) -> tuple[str, Slider, Any]:
    """A document with a slider and a plot."""
    plot = figure(name="squares")
    line = plot.line([1, 2], [1, 4], name="curve")
    slider = Slider(start=0, end=10, value=1, title="amount")
    document = Document()
    document.add_root(plot)
    document.add_root(slider)
    docid = client.post("/bokeh/doc/", json={"title": "bench"}).get_json()["docid"]
    client.put(path(docid, "content"), json={"doc": document.to_json(deferred=False)})
    return docid, slider, line


def told(client: FlaskClient, docid: str, **query: object) -> list[tuple[str, int, int]]:
    """The history: what, first and last, newest first."""
    answer = client.get(path(docid, "history", **query)).get_json()
    return [(each["what"], each["first"], each["last"]) for each in answer["groups"]]


def test_the_history_in_plain_words(
    client: FlaskClient, bench: tuple[str, Slider, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person did is said as a person would, and the same again and again only once."""
    monkeypatch.setattr("bokeh_server.documents.describing.STRETCH_SECONDS", 10**9)
    docid, slider, line = bench
    source = line.data_source

    def set_(model: Any, attr: str, value: object) -> dict[str, Any]:
        return {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": value}

    for value in (2, 3, 4):
        change(client, docid, set_(slider, "value", value))
    rows = {"type": "map", "entries": [["x", [3, 4, 5]], ["y", [9, 16, 25]]]}
    stream = {"kind": "ColumnsStreamed", "model": {"id": source.id}, "attr": "data",
              "data": rows, "rollover": None}  # fmt: skip
    change(client, docid, stream)
    change(client, docid, stream)
    change(client, docid, set_(source, "data", rows))
    patch = {"type": "map", "entries": [["x", [[0, 7], [1, 8]]]]}
    change(client, docid, {"kind": "ColumnsPatched", "model": {"id": source.id}, "attr": "data",
                           "patches": patch})  # fmt: skip
    change(client, docid, set_(source.selected, "indices", [0, 1]))
    change(client, docid, set_(source.selected, "indices", []))
    change(client, docid, title("new title"))
    change(client, docid, {"kind": "RootRemoved", "model": {"id": slider.id}})
    assert client.post(path(docid, "restore"), json={"revision": 1}).status_code == 200
    assert told(client, docid) == [
        ("Revision 1 restored", 13, 13),
        ("Slider “amount” removed", 12, 12),
        ("Title set to “new title”", 11, 11),
        ("Selection cleared", 9, 10),
        ("2 values changed in line “curve”", 8, 8),
        ("New data in line “curve” (3 points)", 7, 7),
        ("6 points streamed to line “curve”", 5, 6),
        ("Value of slider “amount” set to 4", 2, 4),
        ("Plot “squares” added and slider “amount” added", 1, 1),
    ]
    assert told(client, docid, before=8)[0] == ("New data in line “curve” (3 points)", 7, 7)
    assert [each[1] for each in told(client, docid, after=11)] == [13, 12]


def test_a_few_groups_of_a_history(client: FlaskClient, docid: str) -> None:
    """``limit`` gives the newest groups, and says that there are more."""
    titled(client, docid, 3)
    whole = client.get(path(docid, "history")).get_json()["groups"]
    some = client.get(path(docid, "history", limit=1, order="newest")).get_json()
    assert (some["groups"], some["more"]) == (whole[:1], True)


def test_the_history_is_asked_again_cheaply(client: FlaskClient, docid: str) -> None:
    """An open page asks every few seconds; nothing new costs nothing."""
    answer = client.get(path(docid, "history"))
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert client.get(path(docid, "history"), headers=tag).status_code == 304
    change(client, docid, title("new"))
    assert client.get(path(docid, "history"), headers=tag).status_code == 200


def test_a_long_history_is_told_in_pages(
    client: FlaskClient, docid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No change is told twice and none is left out, whatever the pages."""
    monkeypatch.setattr("bokeh_server.blueprint.telling.MOST_GROUPS", 3)
    monkeypatch.setattr("bokeh_server.blueprint.telling.STRETCHES", (4, 1))
    plot = client.get(f"/bokeh/bb/{docid}/Figure/").get_json()[0]["id"]
    for number in range(2, 31):
        attr = ("width", "height")[number // 5 % 2]
        event = {"kind": "ModelChanged", "model": {"id": plot}, "attr": attr, "new": number + 100}
        change(client, docid, event)
    found: list[tuple[str, int, int]] = []
    bounds: dict[str, object] = {}
    while True:
        answer = client.get(path(docid, "history", **bounds)).get_json()
        found += [(each["what"], each["first"], each["last"]) for each in answer["groups"]]
        if not answer["more"]:
            break
        bounds = {"before": found[-1][1]}
    numbers = [number for _, first, last in found for number in range(last, first - 1, -1)]
    assert numbers == list(range(30, 0, -1))


# --- settings ----------------------------------------------------------------------------------


@pytest.fixture
def short(tmp_path: Path) -> Iterator[Flask]:
    """An app that keeps little."""
    made = Flask("short")
    server = BokehServer(made, data_dir=tmp_path / "short", keep_changes=5, keep_days="0.5")
    yield made
    server.close()


def test_retention_is_a_setting(short: Flask) -> None:
    """The engine keeps what the settings say."""
    limits = short.extensions["bokeh_server"].engine.limits
    assert (limits.keep_changes, limits.keep_time) == (5, timedelta(hours=12))


def test_the_log_says_what_was_sent_and_nothing_of_keys(client: FlaskClient, docid: str) -> None:
    """What judges a key that is used again is ours alone; data of the same name stays."""
    alike = {"request": "x", "events": []}
    root = {"type": "object", "name": "Div", "id": "d", "attributes": {"tags": [alike]}}
    headers = {"Idempotency-Key": "once"}
    events = [{"kind": "RootAdded", "model": root}]
    answer = client.post(path(docid, "changes"), json={"events": events}, headers=headers)
    assert answer.status_code == 200
    last = client.get(path(docid, "changes")).get_json()["changes"][-1]
    assert last.keys() == {"seq", "actor", "at", "events"}
    assert last["events"][0]["model"]["attributes"]["tags"] == [alike]


def test_what_a_slider_has_when_it_is_let_go_is_told_once(client: FlaskClient, docid: str) -> None:
    """Browsers send the value twice then; the history says it once."""
    slider = Slider(start=0, end=9, value=1, name="amount")
    document = Document()
    document.add_root(slider)
    (root,) = document.to_json(deferred=False)["roots"]
    change(client, docid, {"kind": "RootAdded", "model": root})
    head = {"kind": "ModelChanged", "model": {"id": slider.id}, "new": 4}
    change(client, docid, {**head, "attr": "value"}, {**head, "attr": "value_throttled"})
    newest = client.get(path(docid, "history")).get_json()["groups"][0]
    assert newest["what"] == "Value of slider “amount” set to 4"


@pytest.mark.parametrize("value", [5, "text", None, {"entries": 5}, [1, [2, 3]], {"a": 1}])
def test_data_of_any_shape_can_be_told(client: FlaskClient, docid: str, value: object) -> None:
    """A model that is not Bokeh's may have data that is no columns; its history is told."""
    model = {"type": "object", "name": "my.Gauge", "id": "gauge", "attributes": {}}
    change(client, docid, {"kind": "RootAdded", "model": model})
    event = {"kind": "ModelChanged", "model": {"id": "gauge"}, "attr": "data", "new": value}
    change(client, docid, event)
    answer = client.get(path(docid, "history"))
    assert answer.status_code == 200
    assert "data" in answer.get_json()["groups"][0]["what"]
