"""What a model may have: what Bokeh itself would refuse never gets into a document."""

from __future__ import annotations

import sys
from timeit import repeat
from typing import Any

import pytest
from bokeh.core.properties import Int, String
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models import ColumnDataSource, Slider
from bokeh.models.ui import UIElement
from bokeh.plotting import figure
from flask.testing import FlaskClient

from bokeh_server.blueprint.schema import BokehSchema
from bokeh_server.errors import InvalidPatch


class _TestCustom(Model):
    """A model of somebody's own, which happens to be imported here too."""

    size = Int()
    label = String()


@pytest.fixture
def slider(client: FlaskClient, docid: str) -> Slider:
    """A slider in the stored document."""
    made = Slider(start=0, end=10, value=1)
    answer = _change(client, docid, {"kind": "RootAdded", "model": _json_of(made)})
    assert answer.status_code == 200, answer.text
    return made


def _json_of(model: Model) -> dict[str, Any]:
    document = Document()
    document.add_root(model)
    roots: Any = document.to_json(deferred=False)["roots"]
    found: dict[str, Any] = roots[0]
    return found


def _change(client: FlaskClient, docid: str, *events: dict[str, Any]) -> Any:
    return client.post(f"/bokeh/doc/{docid}/changes", json={"events": list(events)})


def _set(model: Model, attr: str, value: Any) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": value}


def _stored(client: FlaskClient, docid: str) -> dict[str, Any]:
    answer = client.get(f"/bokeh/doc/{docid}/content", headers={"Accept": "application/json"})
    found: dict[str, Any] = answer.get_json()
    return found


@pytest.mark.parametrize(
    ("attr", "value"),
    [
        ("nosuchattr", 1),
        ("__proto__", {"polluted": 1}),
        ("id", "other"),
        ("value", "str"),
        ("value", None),
        ("title", 5),
        ("visible", "yes"),
        ("orientation", "sideways"),
    ],
)
def test_what_a_model_cannot_have_is_refused(
    client: FlaskClient, docid: str, slider: Slider, attr: str, value: Any
) -> None:
    """A change, the attributes of a model, or a new model: 4xx, and nothing is stored."""
    before = _stored(client, docid)
    written = _json_of(Slider(start=0, end=10, value=1))
    written["attributes"][attr] = value
    bad = {"type": "object", "name": "Slider", "id": "new", "attributes": {attr: value}}
    entry = {"type": "map", "entries": [["a", bad]]}
    tag = {"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "tags", "new": [entry]}
    answers = [
        _change(client, docid, _set(slider, "value", 2), _set(slider, attr, value)),
        _change(client, docid, {"kind": "RootAdded", "model": written}),
        _change(client, docid, tag),
        client.put(f"/bokeh/bb/{docid}/Slider/{slider.id}/", json={attr: value}),
        client.post(f"/bokeh/bb/{docid}/bulkupsert", json=[bad]),
        client.put(
            f"/bokeh/doc/{docid}/content",
            json={"doc": {**before["doc"], "roots": [*before["doc"]["roots"], written]}},
        ),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500, answer.text
        assert "Slider" in answer.text
    assert _stored(client, docid) == before


@pytest.mark.parametrize("title", ["a\nb", "\x00", "x" * 1001, "\u2028"])
def test_a_title_that_is_none_is_refused(client: FlaskClient, docid: str, title: str) -> None:
    """Control characters and novels are no titles of a page."""
    before = _stored(client, docid)
    assert _change(client, docid, {"kind": "TitleChanged", "title": title}).status_code == 400
    content = {"doc": {**before["doc"], "title": title}}
    assert client.put(f"/bokeh/doc/{docid}/content", json=content).status_code == 400
    assert _stored(client, docid) == before
    assert _change(client, docid, {"kind": "TitleChanged", "title": ""}).status_code == 200


def test_types_that_bokeh_does_not_have_may_have_anything(client: FlaskClient, docid: str) -> None:
    """A custom model's own JavaScript says what it has."""
    for name in ("mine.Widget", _TestCustom.__qualified_model__):
        model = {"type": "object", "name": name, "id": name, "attributes": {"size": "big"}}
        assert _change(client, docid, {"kind": "RootAdded", "model": model}).status_code == 200
        more = {"kind": "ModelChanged", "model": {"id": name}, "attr": "anything", "new": 1}
        assert _change(client, docid, more).status_code == 200


def test_what_bokeh_writes_is_accepted() -> None:
    """Every type of Bokeh's with all its defaults, as Bokeh writes them."""
    schema, document = BokehSchema(), Document()
    plot = figure(x_axis_type="datetime", y_range=["a", "b"], tools="pan,lasso_select,hover")
    plot.scatter("x", "y", color="red", source=ColumnDataSource({"x": [1], "y": ["a"]}))
    document.add_root(plot)
    left: list[Any] = list(document.to_json(deferred=False)["roots"])
    seen = 0
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += each.values()
            if each.get("type") == "object" and "id" in each:
                schema.check_attributes(each["name"], each.get("attributes", {}))
                seen += 1
        elif isinstance(each, list):
            left += each
    assert seen > 30


def test_a_value_of_another_shape_is_left_to_bokeh() -> None:
    """Values that are written as objects and lists are not looked into."""
    schema = BokehSchema()
    schema.check_attributes("Slider", {"value": {"type": "number", "value": "nan"}, "tags": [1]})
    with pytest.raises(InvalidPatch, match="nosuch"):
        schema.check_attributes("Slider", {"nosuch": {"type": "number", "value": "nan"}})


def test_what_can_be_drawn_is_known() -> None:
    """Renderers are parts of plots; what Bokeh does not know is given a chance."""
    schema = BokehSchema()
    assert schema.is_drawable("Figure")
    assert schema.is_drawable("Slider") == issubclass(Slider, UIElement)
    assert not schema.is_drawable("GlyphRenderer")
    assert not schema.is_drawable("Toolbar")
    assert schema.is_drawable("mine.Widget")


def test_a_check_is_cheap() -> None:
    """A slider that moves is not held up."""
    schema = BokehSchema()
    schema.check_attributes("Slider", {"value": 1})
    times = repeat(lambda: schema.check_attributes("Slider", {"value": 5.5}), number=200, repeat=5)
    assert min(times) / 200 < 100e-6


def test_it_says_when_bokeh_was_imported() -> None:
    """Whoever wants to do something with all of Bokeh's modules hears of them, once."""
    schema, heard = BokehSchema(), []
    schema.when_loaded = lambda: heard.append(schema.model_class)
    for name in ("Slider", "Figure", "NoSuchModel"):
        schema.model_class(name)
    assert len(heard) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"type": "set", "entries": [1]},
        {"type": "map", "entries": [["a", 2]]},
        {"type": "slice", "start": 1, "stop": None, "step": None},
        {"type": "object", "name": "X"},
        [1],
    ],
)
def test_a_number_is_no_collection(
    client: FlaskClient, docid: str, slider: Slider, value: object
) -> None:
    """Where Bokeh has a number or text, nothing that its readers fail over is stored."""
    before = _stored(client, docid)
    assert _change(client, docid, _set(slider, "value", value)).status_code == 400
    assert _change(client, docid, _set(slider, "title", value)).status_code == 400
    assert _stored(client, docid) == before


def test_odd_numbers_are_numbers(client: FlaskClient, docid: str, slider: Slider) -> None:
    """Infinity has a form of its own."""
    infinity = {"type": "number", "value": "+inf"}
    assert _change(client, docid, _set(slider, "value", infinity)).status_code == 200


@pytest.mark.parametrize(
    "doc",
    [
        {},
        {"Roots": []},
        {"roots": [], "callbacks": 5},
        {"roots": [], "callbacks": {"document_ready": [5]}},
        {"roots": [], "callbacks": {"type": "map", "entries": [["document_ready", [5]]]}},
        {"roots": [], "defs": [5]},
        {"roots": [{"type": "object", "name": "Div", "id": ""}]},
        {
            "roots": [
                {
                    "type": "object",
                    "name": "Div",
                    "id": "d",
                    "attributes": {"tags": [{"type": "map", "entries": [[[1], 2]]}]},
                }
            ]
        },
    ],
)
def test_what_is_no_document_replaces_none(
    client: FlaskClient, docid: str, slider: Slider, doc: dict[str, Any]
) -> None:
    """What readers could not open is refused, and wipes nothing."""
    before = _stored(client, docid)
    assert client.put(f"/bokeh/doc/{docid}/content", json={"doc": doc}).status_code == 400
    replaced = {"kind": "DocumentReplaced", "doc": doc}
    assert _change(client, docid, replaced).status_code == 400
    assert _change(client, docid, {**replaced, "doc": {"roots": []}}).status_code == 400
    assert _stored(client, docid) == before
    assert slider.id


def test_the_id_of_a_model_is_text(client: FlaskClient, docid: str) -> None:
    """Any other is bad input, wherever it is looked at first."""
    event = {"kind": "ModelChanged", "model": {"id": ["a"]}, "attr": "value", "new": 1}
    assert _change(client, docid, event).status_code == 400


@pytest.mark.parametrize("value", [True, 5, "x", None])
def test_columns_without_pandas(
    client: FlaskClient,
    docid: str,
    plotted: Document,
    value: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is no columns is refused where pandas, which Bokeh asks about it, is not installed."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    source = plotted.select_one({"type": ColumnDataSource})
    assert isinstance(source, ColumnDataSource)
    answer = _change(client, docid, _set(source, "data", value))
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_patch")
