"""Models given one by one become the events of one patch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokeh_server.blueprint.documents.upserts import attribute_events, upsert_events
from bokeh_server.errors import BadRequest


def model(key: str, **attributes: Any) -> dict[str, Any]:
    """A model as it is sent."""
    return {"type": "object", "name": "Thing", "id": key, "attributes": attributes}


def test_known_models_get_the_attributes_given() -> None:
    """Nothing is said of the attributes that are not given."""
    assert upsert_events([model("a", width=3, name="x")], {"a"}) == [
        {"kind": "ModelChanged", "model": {"id": "a"}, "attr": "width", "new": 3},
        {"kind": "ModelChanged", "model": {"id": "a"}, "attr": "name", "new": "x"},
    ]
    assert attribute_events("a", {}) == []


def test_a_new_model_is_written_where_it_is_first_referred_to() -> None:
    """Later references are by id; what nothing refers to becomes a root."""
    events = upsert_events(
        [model("new", size=1), model("old", child={"id": "new"}, also=[{"id": "new"}]), model("r")],
        {"old"},
    )
    assert events[0]["new"] == model("new", size=1)
    assert events[1]["new"] == [{"id": "new"}]
    assert events[2:] == [{"kind": "RootAdded", "model": model("r")}]


def test_new_models_may_refer_to_each_other_in_a_circle() -> None:
    """Each is written once."""
    events = upsert_events([model("a", next={"id": "b"}), model("b", next={"id": "a"})], set())
    assert events == [{"kind": "RootAdded", "model": model("a", next=model("b", next={"id": "a"}))}]


@pytest.mark.parametrize(
    "models",
    [
        {},
        "text",
        None,
        [1],
        [{}],
        [{"id": 1, "name": "Thing"}],
        [{"id": "a"}],
        [{"id": "a", "name": "Thing", "attributes": []}],
        [model("a"), model("a")],
    ],
)
def test_what_is_no_list_of_models_is_refused(models: object) -> None:
    """The message says what is wrong with it."""
    with pytest.raises(BadRequest, match="Could not store these models"):
        upsert_events(models, set())


def test_a_deep_value_goes_through() -> None:
    """No depth is an error here: the document says what is too deep for it."""
    value: Any = 1
    for _ in range(5000):
        value = [value]
    (event,) = upsert_events([model("a", deep=value)], set())
    found = event["model"]["attributes"]["deep"]
    for _ in range(5000):
        (found,) = found
    assert found == 1


IDS = st.sampled_from("abcdef")


@given(st.dictionaries(IDS, st.lists(IDS, max_size=4), max_size=6), st.sets(IDS))
def test_every_new_model_is_written_out_exactly_once(
    graph: dict[str, list[str]], known: set[str]
) -> None:
    """Whatever refers to what: no new model is missing, none comes twice."""
    models = [model(key, refs=[{"id": each} for each in refs]) for key, refs in graph.items()]
    written: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, list):
            for each in value:
                collect(each)
        elif isinstance(value, dict):
            if value.get("type") == "object":
                written.append(value["id"])
            collect(list(value.values()))

    collect(upsert_events(models, known))
    assert sorted(written) == sorted(set(graph) - known)
