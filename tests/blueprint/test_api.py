"""The JSON API, on the real engine and real databases."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from bokeh.core.serialization import Buffer
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from flask.testing import FlaskClient

from bokeh_server.protocol import WireDocument
from bokeh_server.protocol.packing import CONTENT_TYPE, pack, unpack


@pytest.fixture
def database(ready_url: str) -> str:
    """Either kind of database: the answers are the same."""
    return ready_url


def events(client: FlaskClient, docid: str, *items: dict[str, Any], **headers: str) -> Any:
    """Append a patch and give the answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/bokeh/doc/{docid}/changes"
    return client.post(path, json={"events": list(items)}, headers=names)


def plot_of(client: FlaskClient, docid: str) -> dict[str, Any]:
    """The plot of the stored document, as JSON."""
    found: dict[str, Any] = client.get(f"/bokeh/bb/{docid}/Figure/").get_json()[0]
    return found


def changed(model: str, attr: str, value: Any) -> dict[str, Any]:
    """The event that sets an attribute."""
    return {"kind": "ModelChanged", "model": {"id": model}, "attr": attr, "new": value}


def test_alive_and_ready(client: FlaskClient) -> None:
    """What load balancers and the client look at."""
    assert client.get("/bokeh/ping").get_data() == b"pong"
    assert client.get("/bokeh/healthz").get_json() == {"status": "ok"}
    assert client.get("/bokeh/readyz").get_json() == {"status": "ok"}


def test_documents_are_made_found_renamed_and_deleted(client: FlaskClient) -> None:
    """The life of a document by its title."""
    assert client.get("/bokeh/doc/?title=line").status_code == 404
    made = client.post("/bokeh/doc/", json={"title": "line"})
    assert made.status_code == 201
    info = made.get_json()
    assert info["title"] == "line"
    assert info["owner"] == "defaultuser"
    assert info["roots"] == []
    assert info["rights"] == ["read", "write", "own"]
    assert client.get("/bokeh/doc/?title=line").get_json() == info
    assert client.post("/bokeh/doc/", json={"title": "line"}).status_code == 409
    path = f"/bokeh/doc/{info['docid']}/"
    assert client.patch(path, json={"title": "curve"}).get_json()["title"] == "curve"
    assert client.get("/bokeh/userinfo/?docs=0").get_json() == {"username": "defaultuser"}
    listed = client.get("/bokeh/userinfo/").get_json()
    assert listed["username"] == "defaultuser"
    assert [doc["title"] for doc in listed["docs"]] == ["curve"]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


@pytest.mark.parametrize(
    "title", [None, 1, "", "  ", "a\nb", "a\0b", "a\u2028b", "x" * 256, ["a"], {}]
)
def test_titles_that_cannot_be(client: FlaskClient, title: object) -> None:
    """Refused when a document is made and when it is renamed."""
    docid = client.post("/bokeh/doc/", json={"title": "fine"}).get_json()["docid"]
    assert client.post("/bokeh/doc/", json={"title": title}).status_code == 400
    assert client.patch(f"/bokeh/doc/{docid}/", json={"title": title}).status_code == 400
    assert client.get(f"/bokeh/doc/{docid}/").get_json()["title"] == "fine"


@pytest.mark.parametrize("title", ["\U0001f469\u200d\U0001f52c lab", "a\u00a0b", "a+b &c=%41#"])
def test_unusual_titles_are_found(client: FlaskClient, title: str) -> None:
    """What may be a title is found by it through a query string."""
    made = client.post("/bokeh/doc/", json={"title": title}).get_json()
    found = client.get("/bokeh/doc/", query_string={"title": title}).get_json()
    assert found["docid"] == made["docid"]
    assert found["title"] == title


@pytest.mark.parametrize("title", ["{{7*7}}", "<script>alert(1)</script>", '"><img src=x>', "é ☃"])
def test_titles_are_text_in_pages(client: FlaskClient, title: str) -> None:
    """No title is ever a part of the page's code."""
    docid = client.post("/bokeh/doc/", json={"title": title}).get_json()["docid"]
    for path in ("/", f"/bokeh/doc/{docid}/show"):
        page = client.get(path).get_data(as_text=True)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "49" not in page.replace(docid, "").partition("<title>")[2].partition("</title>")[0]
    script = client.get(f"/bokeh/autoload.js/a?docid={docid}").get_data(as_text=True)
    assert "<" not in script


def test_content_travels_packed_and_inline(client: FlaskClient) -> None:
    """What is put is what is got, as bytes with buffers or as JSON alone."""
    docid = client.post("/bokeh/doc/", json={"title": "arrays"}).get_json()["docid"]
    column = np.arange(100.0)
    document = Document()
    document.add_root(ColumnDataSource({"x": column}, name="data"))
    buffers: dict[str, bytes] = {}
    content = orjson.dumps({"doc": _extract(document.to_json().content, buffers)})
    assert list(buffers.values()) == [column.tobytes()]
    path = f"/bokeh/doc/{docid}/content"
    put = client.put(path, data=pack(content, buffers), content_type=CONTENT_TYPE)
    assert put.get_json() == {"seq": 1}

    packed = client.get(path)
    assert packed.mimetype == CONTENT_TYPE
    body, found = unpack(packed.get_data())
    assert orjson.loads(body)["seq"] == 1
    assert list(found.values()) == [column.tobytes()]

    inline = client.get(path, headers={"Accept": "application/json"}).get_json()
    back = Document.from_json(inline["doc"])
    assert back.get_model_by_name("data").data["x"] == pytest.approx(column)


def _extract(value: Any, buffers: dict[str, bytes]) -> Any:
    """``value`` with references to buffers in place of them."""
    if isinstance(value, Buffer):
        buffers[value.id] = value.to_bytes()
        return {"id": value.id}
    if isinstance(value, dict):
        return {key: _extract(each, buffers) for key, each in value.items()}
    is_sequence = isinstance(value, list | tuple)
    return [_extract(each, buffers) for each in value] if is_sequence else value


def test_changes_are_appended_and_read(client: FlaskClient, docid: str) -> None:
    """The log can be read from any place."""
    plot = plot_of(client, docid)["id"]
    for width in (1, 2, 3):
        assert events(client, docid, changed(plot, "width", width)).get_json() == {"seq": width + 1}
    log = client.get(f"/bokeh/doc/{docid}/changes?after=2&limit=1").get_json()
    assert log["seq"] == 4
    (change,) = log["changes"]
    assert change["seq"] == 3
    assert change["actor"] == "defaultuser"
    assert change["events"][0]["new"] == 2
    assert client.get(f"/bokeh/doc/{docid}/changes?after=9").get_json()["changes"] == []


def test_a_change_of_a_model_that_is_gone_says_so(client: FlaskClient, docid: str) -> None:
    """Bokeh drops such a change without a word; whoever sent it must not take it for stored."""
    plot = plot_of(client, docid)["id"]
    other = Document()
    other.add_root(ColumnDataSource())
    content = {"doc": other.to_json(deferred=False)}
    assert client.put(f"/bokeh/doc/{docid}/content", json=content).get_json() == {"seq": 2}
    answer = events(client, docid, changed(plot, "width", 5)).get_json()
    assert answer == {"seq": 2, "gone": [plot]}


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=1001", "after=1e9", "after=٣"])
def test_places_in_the_log_that_cannot_be(client: FlaskClient, docid: str, query: str) -> None:
    """A place or limit that is no number, or too large, is a clear 400."""
    assert client.get(f"/bokeh/doc/{docid}/changes?{query}").status_code == 400


def test_a_large_log_comes_in_pieces(
    client: FlaskClient, docid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is bounded by bytes too; with ``after`` the next one goes on, to the last."""
    plot = plot_of(client, docid)["id"]
    for text in ("a" * 600, "b" * 600, "c", "d"):
        events(client, docid, changed(plot, "tags", [text]))
    monkeypatch.setattr("bokeh_server.blueprint.documents.api_changes._MOST_BYTES", 1000)
    seqs, after, more = [], 0, True
    while more:
        answer = client.get(f"/bokeh/doc/{docid}/changes?after={after}").get_json()
        seqs.append([change["seq"] for change in answer["changes"]])
        after, more = seqs[-1][-1], answer["more"]
        assert answer["seq"] == 5
    assert seqs == [[1], [2], [3, 4, 5]]


def test_a_repeated_change_is_applied_once(client: FlaskClient, docid: str) -> None:
    """A script that did not hear the answer sends the same key again and gets the same answer."""
    plot = plot_of(client, docid)["id"]
    event = changed(plot, "width", 77)
    first = events(client, docid, event, Idempotency_Key="once")
    events(client, docid, changed(plot, "width", 78))
    second = events(client, docid, event, Idempotency_Key="once")
    assert first.get_json() == second.get_json()
    assert plot_of(client, docid)["attributes"]["width"] == 78
    assert events(client, docid, event, Idempotency_Key="x" * 256).status_code == 400
    assert events(client, docid, event, Bokeh_Origin="\u00e9").status_code == 400


def test_a_change_with_one_bad_event_is_not_applied(client: FlaskClient, docid: str) -> None:
    """All of a patch or nothing."""
    plot = plot_of(client, docid)["id"]
    answer = events(client, docid, changed(plot, "width", 5), changed("nothing", "width", 5))
    assert answer.status_code == 400
    assert answer.get_json()["error"] == "invalid_patch"
    assert plot_of(client, docid)["attributes"]["width"] == 300
    assert client.get(f"/bokeh/doc/{docid}/").get_json()["seq"] == 1


def test_models_one_by_one(client: FlaskClient, docid: str) -> None:
    """Read, set, and not found under another type."""
    plot = plot_of(client, docid)
    path = f"/bokeh/bb/{docid}/Figure/{plot['id']}/"
    assert client.get(path).get_json() == plot
    assert len(client.get(f"/bokeh/bb/{docid}/").get_json()) > 10
    assert client.get(f"/bokeh/bb/{docid}/NoSuchType/").get_json() == []
    assert client.get(f"/bokeh/bb/{docid}/Slider/{plot['id']}/").status_code == 404
    for method in ("PUT", "PATCH"):
        width = {"width": len(method) * 100}
        assert client.open(path, method=method, json=width).status_code == 200
        assert client.get(path).get_json()["attributes"]["width"] == width["width"]
    assert client.put(path, json=[1]).status_code == 400
    assert client.put(path, json={"x_range": {"id": "nothing"}}).status_code == 400


def test_models_are_stored_in_bulk(client: FlaskClient, docid: str) -> None:
    """Known ones are changed, new ones are added where they are referred to, or as roots."""
    plot = plot_of(client, docid)
    title = {"type": "object", "name": "Title", "id": "new-title", "attributes": {"text": "hello"}}
    div = {"type": "object", "name": "Div", "id": "new-div", "attributes": {"text": "words"}}
    known = {**plot, "attributes": {"title": {"id": "new-title"}}}
    answer = client.post(f"/bokeh/bb/{docid}/bulkupsert", json=[title, known, div])
    assert answer.status_code == 200, answer.get_json()
    assert client.get(f"/bokeh/bb/{docid}/Title/new-title/").get_json() == title
    other = client.post(f"/bokeh/bb/{docid}/bulkupsert", json=[{**title, "name": "Div"}])
    assert (other.status_code, other.get_json()["error"]) == (409, "conflict")
    assert client.get(f"/bokeh/doc/{docid}/").get_json()["roots"] == [plot["id"], "new-div"]


def test_roots_are_removed_and_what_is_referred_to_is_not(client: FlaskClient, docid: str) -> None:
    """A model that others refer to is kept; what a removed root alone held is collected."""
    plot = plot_of(client, docid)
    axis = plot["attributes"]["x_range"]["id"]
    used = client.delete(f"/bokeh/bb/{docid}/DataRange1d/{axis}/")
    assert used.status_code == 409
    assert client.delete(f"/bokeh/bb/{docid}/Figure/{plot['id']}/").status_code == 200
    assert client.get(f"/bokeh/doc/{docid}/").get_json()["roots"] == []
    assert isinstance(client.post(f"/bokeh/bb/{docid}/gc").get_json()["removed"], int)
    assert client.get(f"/bokeh/bb/{docid}/Figure/").get_json() == []


def test_models_are_written_without_reading_them(
    client: FlaskClient, docid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To set, add and remove, no model is put into JSON, which takes as long as it is large."""
    plot = plot_of(client, docid)
    path = f"/bokeh/bb/{docid}/Figure/{plot['id']}/"
    calls: list[str] = []

    def costly(self: WireDocument, model_id: str, *, deep: bool = False) -> dict[str, Any]:
        calls.append(model_id)
        return {}

    monkeypatch.setattr(WireDocument, "model_json", costly)
    assert client.get(path.replace("Figure", "Slider")).status_code == 404
    for known, status in ((path, 200), (path.replace("Figure", "Slider"), 404)):
        assert client.patch(known, json={"width": 5}).status_code == status
    assert client.patch(f"/bokeh/bb/{docid}/Figure/none/", json={"width": 5}).status_code == 404
    assert client.post(f"/bokeh/bb/{docid}/bulkupsert", json=[plot]).status_code == 200
    assert client.delete(f"/bokeh/bb/{docid}/Figure/none/").status_code == 404
    assert client.delete(path).status_code == 200
    assert calls == []


def test_a_repeated_removal_is_answered_alike(client: FlaskClient, docid: str) -> None:
    """Who did not hear that a root was removed asks again with the key, and hears the same."""
    path = f"/bokeh/bb/{docid}/Figure/{plot_of(client, docid)['id']}/"
    answers = [client.delete(path, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert [answer.get_json() for answer in answers] == [{"seq": 2}] * 2
    assert client.delete(path).status_code == 404


def test_publish_and_unpublish(client: FlaskClient, docid: str) -> None:
    """The flag is told, stored and taken back."""
    for word, published in (("publish", True), ("unpublish", False)):
        assert client.post(f"/bokeh/{docid}/{word}").get_json() == {"published": published}
        assert client.get(f"/bokeh/doc/{docid}/").get_json()["published"] is published
    assert client.post("/bokeh/nothing/publish").status_code == 404


def test_pages_address_plots_by_id_and_name(client: FlaskClient, docid: str) -> None:
    """Both lead to the same plot; an unknown one is a 404 that names it."""
    plot = plot_of(client, docid)["id"]
    for key in (plot, "line"):
        page = client.get(f"/bokeh/doc/{docid}/{key}").get_data(as_text=True)
        assert f'"id":"{plot}","name":"line","plot":0,"root":0' in page
    missing = client.get(f"/bokeh/doc/{docid}/nothing")
    assert missing.status_code == 404
    assert missing.get_json()["error"] == "unknown_model"


def test_a_ticket_is_renewed(client: FlaskClient, docid: str) -> None:
    """A page that was open for long gets another; never two alike."""
    tickets = {client.get(f"/bokeh/doc/{docid}/ticket").get_json()["ticket"] for _ in range(2)}
    assert len(tickets) == 2
    assert client.get("/bokeh/doc/nothing/ticket").status_code == 404
    foreign = client.get(f"/bokeh/doc/{docid}/ticket", headers={"Host": "plots.example.org"})
    assert foreign.status_code == 403
    assert "--allow-websocket-origin" in foreign.get_json()["detail"]


@pytest.mark.parametrize("element", ["1a", "a b", "a'b", 'a"b', "a<b", "a" * 129, "é"])
def test_element_ids_that_are_not_used(client: FlaskClient, docid: str, element: str) -> None:
    """Only plain names get into the script."""
    assert client.get(f"/bokeh/autoload.js/{element}?docid={docid}").status_code == 400


def test_autoload_of_what_is_not_there_tells_the_page(client: FlaskClient) -> None:
    """A script with another status than 200 would not run, and the page would stay empty."""
    answer = client.get("/bokeh/autoload.js/a?docid=</script>")
    assert answer.status_code == 200
    text = answer.get_data(as_text=True)
    assert "Could not open this document" in text
    assert "</script>" not in text
