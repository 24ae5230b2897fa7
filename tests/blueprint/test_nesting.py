"""Documents that are nested as deep as they may be, through every route that reads them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from bokeh_server.protocol.arrays import deflate
from bokeh_server.protocol.packing import CONTENT_TYPE, unpack

#: layouts within each other, up to the 500 levels of JSON that a document may have.
DEEPEST = 166
_ADDED = b'{"events":[{"kind":"RootAdded","model":%b}]}'


def layouts(count: int, leaf: dict[str, Any], name: str = "c") -> dict[str, Any]:
    """Layouts within each other, written out, around a model."""
    model = leaf
    for number in reversed(range(count)):
        attributes = {"children": [model]}
        model = {"type": "object", "name": "Column", "id": f"{name}{number}"}
        model["attributes"] = attributes
    return model


def source(array: object) -> dict[str, Any]:
    """A data source of one column."""
    data = {"type": "map", "entries": [["x", array]]}
    return {"type": "object", "name": "ColumnDataSource", "id": "s", "attributes": {"data": data}}


def array(value: float) -> dict[str, Any]:
    """A column of 8 zeros but for the first, as bytes."""
    data = bytes([int(value)]) + bytes(63)
    rep = {"type": "ndarray", "shape": [8], "dtype": "float64", "order": "little"}
    return {**rep, "array": {"type": "bytes", "data": deflate(data)}}


LEAVES = [
    {"type": "object", "name": "Div", "id": "d", "attributes": {"text": '{"type":"bytes"}'}},
    source([1, 2, 3]),
    source(array(1)),
]


@pytest.fixture
def empty(client: FlaskClient) -> str:
    """A document without content."""
    docid: str = client.post("/bokeh/doc/", json={"title": "deep"}).get_json()["docid"]
    return docid


def depth(value: Any) -> int:
    """How many ``Column`` there are within each other."""
    count, left = 0, [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            count += each.get("name") == "Column" and "attributes" in each
            left += each.values()
        elif isinstance(each, list):
            left += each
    return count


def most(client: FlaskClient, empty: str, leaf: dict[str, Any]) -> int:
    """How many layouts around ``leaf`` are accepted at most; more are refused by a 400."""
    path = f"/bokeh/doc/{empty}/content"
    for count in range(DEEPEST, 150, -1):
        answer = client.put(path, json={"doc": {"roots": [layouts(count, leaf)]}})
        if answer.status_code == 200:
            return count
        assert answer.status_code == 400
        assert "nested" in answer.get_json()["detail"]
    raise AssertionError("nothing is accepted")


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf["name"])
def test_what_is_accepted_is_read_by_every_route(
    client: FlaskClient, empty: str, leaf: dict[str, Any]
) -> None:
    """Up to the limit content, log, models and pages give a document back; beyond it is a 400."""
    count = most(client, empty, leaf)
    path = f"/bokeh/doc/{empty}"
    packed = unpack(client.get(f"{path}/content").get_data())[0]
    inline = client.get(f"{path}/content", headers={"Accept": "application/json"}).get_data()
    log = client.get(f"{path}/changes").get_data()
    for body in (packed, inline, log):
        assert depth(orjson.loads(body)) == count
    told = client.get(f"{path}/history").get_json()["groups"]
    assert [group["what"] for group in told] == ["Column added"]
    (change,) = orjson.loads(log)["changes"]
    assert sorted(change) == ["actor", "at", "events", "seq"]
    assert len(client.get(f"/bokeh/bb/{empty}/Column/").get_json()) == count
    model = client.get(f"/bokeh/bb/{empty}/{leaf['name']}/{leaf['id']}/")
    assert model.get_json() == leaf
    for route in (path + "/", f"{path}/show", f"{path}/c0", f"{path}/{leaf['id']}", "/"):
        assert client.get(route).status_code == 200, route


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf["name"])
def test_a_deep_patch_is_read_from_the_log(
    client: FlaskClient, empty: str, leaf: dict[str, Any]
) -> None:
    """The same models come in one event, and change by another; both are in the log."""
    path = f"/bokeh/doc/{empty}/changes"
    added = {"kind": "RootAdded", "model": layouts(150, leaf)}
    for _ in range(2):  # the same again is answered from the log
        again = client.post(path, json={"events": [added]}, headers={"Idempotency-Key": "deep"})
        assert (again.status_code, again.get_json()["seq"]) == (200, 1)
    read = orjson.loads(client.get(path).get_data())
    assert depth(read["changes"][0]["events"]) == 150
    assert client.get(f"/bokeh/doc/{empty}/history").get_json()["seq"] == 1
    beyond = {"kind": "RootAdded", "model": layouts(300, {**leaf, "id": "other"}, "d")}
    answer = client.post(path, json={"events": [beyond]})
    assert answer.status_code == 400
    assert orjson.loads(client.get(path).get_data()) == read


def test_models_in_bulk_go_as_deep(client: FlaskClient, empty: str) -> None:
    """Models that are sent one by one may form the same chain; a longer one is a 400."""

    def chain(count: int) -> list[dict[str, Any]]:
        heads = [layouts(1, {"id": f"c{number + 1}"}) for number in range(count)]
        return [{**head, "id": f"c{number}"} for number, head in enumerate(heads)] + [
            {"type": "object", "name": "Div", "id": f"c{count}", "attributes": {}}
        ]

    path = f"/bokeh/bb/{empty}"
    for count in (400, 200):
        answer = client.post(f"{path}/bulkupsert", json=chain(count))
        assert answer.status_code == 400
        assert "nested" in answer.get_json()["detail"]
    assert client.post(f"{path}/bulkupsert", json=chain(150)).status_code == 200
    assert len(client.get(f"{path}/Column/").get_json()) == 150
    assert client.get(f"/bokeh/doc/{empty}/").get_json()["roots"] == ["c0"]


@pytest.mark.parametrize("levels", [190, 300, 5000])
@pytest.mark.parametrize("kind", ["list", "dict"])
def test_deep_values(client: FlaskClient, empty: str, levels: int, kind: str) -> None:
    """A value of many levels is stored and read by every route, or is a 400."""
    opened, closed = (b'{"a":', b"}") if kind == "dict" else (b"[", b"]")
    text = opened * levels + b"1" + closed * levels
    div = b'{"type":"object","name":"Div","id":"d","attributes":{"tags":%b}}' % text
    other = div.replace(b'"d"', b'"e"')
    bodies = [
        ("PUT", f"/bokeh/doc/{empty}/content", b'{"doc":{"roots":[%b]}}' % div),
        ("POST", f"/bokeh/doc/{empty}/changes", _ADDED % other),
        ("POST", f"/bokeh/bb/{empty}/bulkupsert", b"[%b]" % div),
        ("PATCH", f"/bokeh/bb/{empty}/Div/d/", b'{"tags":%b}' % text),
    ]
    for method, path, body in bodies:
        answer = client.open(path, method=method, data=body, content_type="application/json")
        assert answer.status_code in ([200] if levels < 200 else [400, 404])
    for path in (f"/bokeh/doc/{empty}/changes", f"/bokeh/bb/{empty}/", f"/bokeh/bb/{empty}/Div/"):
        assert client.get(path).status_code == 200
    inline = client.get(f"/bokeh/doc/{empty}/content", headers={"Accept": "application/json"})
    assert inline.status_code == 200


@pytest.mark.parametrize("count", [60, 90, 150, 300])
def test_deep_messages(client: FlaskClient, empty: str, count: int) -> None:
    """A message that holds many models within each other is relayed or refused, never a 500."""
    data = layouts(count, LEAVES[0])
    message = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": data}
    answer = client.post(f"/bokeh/doc/{empty}/changes", json={"events": [message]})
    assert answer.status_code in (200, 400), answer.get_json()


def test_packed_and_plain_log_agree(client: FlaskClient, empty: str) -> None:
    """Arrays are inline in the log however they came, also when text in it looks like one."""
    path = f"/bokeh/doc/{empty}"
    look = '{"type":"bytes","data":{"id":"0"}}'
    div = {"type": "object", "name": "Div", "id": "d", "attributes": {"text": look}}
    roots = [source(array(7)), div]
    assert client.put(f"{path}/content", json={"doc": {"roots": roots}}).status_code == 200
    event = {"kind": "ModelChanged", "model": {"id": "s"}, "attr": "tags", "new": [look]}
    spaced = b'\n { "events" :\t' + orjson.dumps([event]) + b"} \n"
    sent = client.post(f"{path}/changes", data=spaced, content_type="application/json")
    assert sent.status_code == 200
    first, second = client.get(f"{path}/changes").get_json()["changes"]
    written = orjson.dumps(first["events"])
    assert orjson.dumps(array(7)["array"]) in written
    assert orjson.dumps(look) in written
    assert second["events"] == [event]
    assert client.get(f"{path}/content").mimetype == CONTENT_TYPE
