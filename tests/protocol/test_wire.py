"""Wire documents: what they keep, drop, remember and send on."""

from __future__ import annotations

import statistics
import time
import tracemalloc
import warnings
from typing import Any

import numpy as np
import orjson
import pytest
from bokeh.models import Slider
from protocol.bokeh_documents import Sender, doc_json, from_json, view
from protocol.wire_documents import added, change, dashboard, document, model, removed

from bokeh_server.errors import InvalidPatch, UnknownModel
from bokeh_server.protocol import (
    Patch,
    WireDocument,
    parse_patch,
    without_view_state,
)

Event = dict[str, Any]


def test_a_dashboard_comes_back_as_it_was() -> None:
    """Plots, layouts, widgets, callbacks and arrays survive, by buffers and inline."""
    original = dashboard()
    wire = WireDocument.from_json(*doc_json(original))
    for form in (wire.content(), wire.content(inline=True)):
        assert view(from_json(*form)) == view(original)
    assert orjson.loads(wire.content(inline=True)[0])["callbacks"]["type"] == "map"
    assert len(wire.plots()) == 3
    assert [wire.models[each].title for each in wire.plots()] == ["plot 0", "plot 1", "plot 2"]
    again = WireDocument.from_state(*wire.state())
    assert again.content() == wire.content()
    assert WireDocument.from_state(*wire.content()).content() == wire.content()


def test_definitions_are_kept_as_they_are() -> None:
    """Definitions of data models name types by id; those are no references to models."""
    defs = [{"type": "model", "name": "Sub", "extends": {"id": "Base"}, "properties": []}]
    wire = document(model("Sub", "s"), defs=defs)
    assert orjson.loads(wire.content()[0])["defs"] == defs
    assert WireDocument.from_state(*wire.state()).content() == wire.content()


def test_new_models_are_sent_in_full_once() -> None:
    """A follower gets a model where it is first referred to, though the sender wrote it later."""
    wire = document(model("Row", "r"))
    div = model("Div", "d", text="t", tags=[{"id": "e"}])
    applied = wire.apply(Patch([change("r", "children", [div, model("Div", "e")])], {}))
    [event] = orjson.loads(applied.events)["events"]
    assert event["new"][0]["attributes"]["tags"] == [{"type": "object", "name": "Div", "id": "e"}]
    assert event["new"][1] == {"id": "e"}
    assert applied.born == {"d", "e"}
    assert applied.structural
    applied = wire.apply(Patch([change("r", "tags", [{"id": "d"}])], {}))
    assert orjson.loads(applied.events)["events"][0]["new"] == [{"id": "d"}]


def test_known_model_in_full_is_a_reference() -> None:
    """As with Bokeh's server, a definition of a known model changes nothing: clients that pulled
    a document send all its models in full once."""
    wire = document(model("Row", "r", children=[model("Div", "d", text="new")]))
    applied = wire.apply(Patch([change("r", "children", [model("Div", "d", text="old")])], {}))
    assert orjson.loads(applied.events)["events"][0]["new"] == [{"id": "d"}]
    assert wire.model_json("d")["attributes"] == {"text": "new"}


def test_unmodified_client_after_a_pull() -> None:
    """A Bokeh client that pulled may extend the document, though it sends known models again."""
    wire = WireDocument.from_json(*doc_json(dashboard()))
    client = from_json(*wire.content())
    sender = Sender(client)
    client.models._new_models = set(client.models)
    client.roots[0].children.append(Slider(start=0, end=1, value=0.1, name="added"))
    client.roots[0].children[0].line([1, 2], [3, 4])
    patch = sender.take()
    assert patch is not None
    wire.apply(Patch(patch[0]["events"], patch[1]))
    assert view(from_json(*wire.content())) == view(client)


def test_what_nothing_refers_to_is_dropped() -> None:
    """Unreachable models go with the patch that cut them off, cycles included."""
    wire = document(model("Row", "r", children=[model("Div", "a", tags=[model("Div", "b")])]))
    wire.apply(Patch([change("b", "tags", [{"id": "a"}])], {}))
    applied = wire.apply(Patch([change("r", "children", [])], {}))
    assert applied.dropped == {"a", "b"}
    assert "a" not in wire.models
    assert wire.collect() == []
    with pytest.raises(InvalidPatch, match="'a'"):
        wire.apply(Patch([change("r", "children", [{"id": "a"}])], {}))


def test_events_on_models_that_are_gone_are_dropped() -> None:
    """An event that crossed the removal of its model is no error, also after a reload."""
    wire = document(model("Row", "r"), model("Div", "d"))
    wire.apply(Patch([removed("d")], {}))
    for each in (wire, WireDocument.from_state(*wire.state())):
        applied = each.apply(Patch([change("d", "text", "late"), removed("d")], {}))
        assert (applied.events, applied.keys) == (b'{"events":[]}', frozenset())


def test_taken_out_and_put_back_in_one_patch() -> None:
    """A model that leaves and returns in one patch is never dropped."""
    wire = document(model("Div", "a"), model("Div", "b"))
    applied = wire.apply(Patch([removed("a"), added({"id": "a"})], {}))
    assert wire.roots == ["b", "a"]
    assert applied.dropped == frozenset()


def test_messages_are_relayed_and_not_stored() -> None:
    """A message is complete in itself, and leaves no trace in events, keys or document."""
    wire = document(model("Button", "b"))
    before = wire.state()
    data = {
        "type": "map",
        "entries": [["m", {"id": "b"}], ["x", {"type": "bytes", "data": {"id": "0"}}]],
    }
    event = {"kind": "MessageSent", "msg_type": "mine", "msg_data": data}
    applied = wire.apply(Patch([event], {"0": b"abc"}))
    [message] = applied.messages
    assert message["msg_data"]["entries"][0] == ["m", {"id": "b"}]
    assert isinstance(message["msg_data"]["entries"][1][1]["data"], str)
    assert (applied.events, applied.keys) == (b'{"events":[]}', frozenset())
    assert wire.state() == before


def test_setting_one_column_keeps_the_others() -> None:
    """Columns that are not sent stay, before and after streaming."""
    data = {"type": "map", "entries": [["x", [1, 2]], ["y", [3, 4]]]}
    wire = document(model("ColumnDataSource", "s", data=data))
    head = {"model": {"id": "s"}, "attr": "data"}
    some = {**head, "kind": "ColumnDataChanged", "cols": ["y"]}
    wire.apply(Patch([{**some, "data": {"type": "map", "entries": [["y", [5, 6]]]}}], {}))
    rows = {"type": "map", "entries": [["x", [7]], ["y", [8]]]}
    wire.apply(Patch([{**head, "kind": "ColumnsStreamed", "data": rows, "rollover": None}], {}))
    wire.apply(Patch([{**some, "data": {"type": "map", "entries": [["y", [9, 9, 9]]]}}], {}))
    kept = wire.model_json("s")["attributes"]["data"]
    assert kept == {"type": "map", "entries": [["x", [1, 2, 7]], ["y", [9, 9, 9]]]}


def test_a_patch_can_be_applied_twice() -> None:
    """Documents never change a patch: it is applied again when another process was first."""
    data = {"type": "map", "entries": [["x", [[1], [2]]]]}
    head = {"model": {"id": "s"}, "attr": "data"}
    rows = {"type": "map", "entries": [["x", [[7]]]]}
    cell = {"type": "map", "entries": [["x", [[0, 5]]]]}
    events = [
        {**head, "kind": "ColumnDataChanged", "data": data, "cols": None},
        {**head, "kind": "ColumnsStreamed", "data": rows, "rollover": None},
        {**head, "kind": "ColumnsPatched", "patches": cell},
    ]
    before = orjson.dumps(events)
    for _ in range(2):
        wire = document(model("ColumnDataSource", "s"))
        wire.apply(Patch(events, {}))
        wire.apply(Patch(events[1:], {}))
        assert wire.model_json("s")["attributes"]["data"]["entries"] == [["x", [5, [2], [7], [7]]]]
        assert orjson.dumps(events) == before


def test_memory_is_bounded() -> None:
    """What is remembered of models that are gone does not grow for ever."""
    wire = document(model("Row", "r"))
    for start in range(0, 12_000, 2_000):
        some = [model("Div", f"d{start + n}", name=f"n{start + n}") for n in range(2_000)]
        wire.apply(Patch([change("r", "children", some)], {}))
    memory = orjson.loads(wire.state()[0])["kept"]["memory"]
    assert (len(memory["dropped"]), len(memory["retired"])) == (10_000, 1_000)
    assert "d9999" in memory["dropped"]


def test_catching_up_by_newest_values() -> None:
    """A viewer that missed changes gets the newest values only, new models in full."""
    data = {"type": "map", "entries": [["x", [1]]]}
    wire = document(model("Row", "r"), model("ColumnDataSource", "s", data=data))
    assert wire.changed_since(0) is None
    viewers = [WireDocument.from_state(*wire.state())]
    head = {"model": {"id": "s"}, "attr": "data"}
    rows = {**head, "kind": "ColumnsStreamed", "data": data, "rollover": None}
    steps = [
        [change("r", "width", 1), rows],
        [change("r", "width", 2), {"kind": "TitleChanged", "title": "new"}],
        [change("r", "children", [model("Div", "d", text="a")])],
        [change("d", "text", "b"), rows],
    ]
    for seq, events in enumerate(steps, 1):
        wire.apply(Patch(events, {}), seq=seq)
        viewers.append(WireDocument.from_state(*wire.state()))
    for seq, viewer in enumerate(viewers):
        missed = wire.changed_since(seq)
        assert missed is not None
        viewer.apply(parse_patch(*missed))
        assert viewer.content() == wire.content()
    assert wire.changed_since(4) == (b'{"events":[]}', {})
    wire.apply(Patch([removed("r")], {}), seq=5)
    assert wire.changed_since(4) is None
    assert wire.changed_since(5) is not None
    assert wire.changed_since(-1) is None


def test_catching_up_is_refused_when_an_id_came_back() -> None:
    """A viewer may still hold the old model of that id, and would keep its old values."""
    wire = document(model("Row", "r", children=[model("Div", "d", text="old", width=5)]))
    wire.apply(Patch([change("r", "children", [])], {}), seq=1)
    wire.apply(Patch([change("r", "children", [model("Div", "d", text="new")])], {}), seq=2)
    assert wire.changed_since(0) is None
    assert wire.changed_since(2) is not None


def test_view_state_is_left_out() -> None:
    """What a browser computes for its screen is dropped; what a person or a script set is kept."""
    wire = document(model("Figure", "f", x_range=model("DataRange1d", "auto"),
                          y_range=model("Range1d", "fixed"),
                          toolbar=model("ToolProxy", "proxy")))  # fmt: skip
    ready = {"type": "event", "name": "document_ready"}
    message = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": ready}
    computed = [change("f", "inner_width", 300), change("f", "outer_height", 3), message]
    computed.append(change("proxy", "visible", False))
    bounds = [change("auto", "start", 1.0), change("auto", "end", 2.0)]
    made = [change("fixed", "start", 1.0), change("f", "visible", False)]
    patch = Patch([*computed, *bounds, *made], {})

    def left(**sender: bool) -> list[Event]:
        return wire.without_view_state(patch, **sender).events

    assert left(browser=False, ranges=False) == patch.events
    assert left(browser=True, ranges=True) == [*bounds, *made]
    assert left(browser=True, ranges=False) == made
    unknown = without_view_state(patch.events, browser=True, ranges=False)
    assert unknown == [computed[-1], *bounds, *made]


def test_models_one_by_one() -> None:
    """Models are listed by type, shown alone or with what they refer to, and found by name."""
    wire = document(model("Row", "r", name="row", children=[model("Div", "d", text="t")]))
    assert wire.typed("Div") == ["d"]
    assert set(wire.typed()) >= {"r", "d"}
    assert wire.model_json("r")["attributes"]["children"] == [{"id": "d"}]
    assert wire.model_json("r", deep=True)["attributes"]["children"][0]["name"] == "Div"
    assert (wire.find("row"), wire.find("d"), wire.find("nobody")) == ("r", "d", None)
    assert wire.references("r") == {"r", "d"}
    assert wire.referrers("d") == {"r"}
    assert wire.type_of("d") == "Div"
    with pytest.raises(UnknownModel, match="nobody"):
        wire.model_json("nobody")


def test_typed_arrays_from_browsers() -> None:
    """Arrays as BokehJS sends them are kept as they came, and can be streamed to."""
    array = {"type": "bytes", "data": {"id": "0"}}
    typed = {"type": "typed_array", "array": array, "order": "little", "dtype": "int32"}
    wire = document(model("ColumnDataSource", "s"))
    head = {"model": {"id": "s"}, "attr": "data"}
    data = {"type": "map", "entries": [["x", typed]]}
    buffers = {"0": np.arange(3, dtype=np.int32).tobytes()}
    wire.apply(Patch([change("s", "data", data)], buffers))
    content, kept = wire.content()
    assert orjson.loads(content)["roots"][0]["attributes"]["data"] == data
    assert kept == buffers
    rows = {"type": "map", "entries": [["x", [4]]]}
    wire.apply(Patch([{**head, "kind": "ColumnsStreamed", "data": rows, "rollover": 2}], {}))
    source = from_json(*wire.content()).roots[0]
    assert source.data["x"].tolist() == [2, 4]


def test_big_endian_arrays() -> None:
    """Arrays of the other byte order keep their values when they are changed."""
    array = {"type": "bytes", "data": {"id": "0"}}
    big = {"type": "ndarray", "array": array, "order": "big", "dtype": "int32", "shape": [3]}
    data = {"type": "map", "entries": [["x", big]]}
    buffers = {"0": np.array([1, 2, 3], dtype=">i4").tobytes()}
    wire = WireDocument.from_json({"roots": [model("ColumnDataSource", "s", data=data)]}, buffers)
    patch = {"type": "map", "entries": [["x", [[0, 9]]]]}
    head = {"model": {"id": "s"}, "attr": "data"}
    wire.apply(Patch([{**head, "kind": "ColumnsPatched", "patches": patch}], {}))
    assert from_json(*wire.content()).roots[0].data["x"].tolist() == [9, 2, 3]


def streamed(count: int, binary: bool) -> tuple[WireDocument, list[Patch]]:
    """A column of so many rows; a patch that appends one and drops one, and one that sets one."""
    column: Any = [0.5] * count
    if binary:
        array = {"type": "bytes", "data": {"id": "0"}}
        column = {"type": "ndarray", "array": array, "order": "little", "dtype": "float64",
                  "shape": [count]}  # fmt: skip
    data = {"type": "map", "entries": [["x", column]]}
    source = model("ColumnDataSource", "s", data=data)
    wire = WireDocument.from_json({"roots": [source]}, {"0": bytes(8 * count)})
    head = {"model": {"id": "s"}, "attr": "data"}
    rows = {"type": "map", "entries": [["x", [1.5]]]}
    stream = Patch([{**head, "kind": "ColumnsStreamed", "data": rows, "rollover": count}], {})
    cell = {"type": "map", "entries": [["x", [[count // 2, 2.5]]]]}
    patch = Patch([{**head, "kind": "ColumnsPatched", "patches": cell}], {})
    wire.apply(stream)
    return wire, [stream, patch]


@pytest.mark.parametrize("binary", [False, True])
def test_a_change_allocates_little_however_long_the_columns(binary: bool) -> None:
    """Streaming and patching one row of a million copies nothing of the others."""
    wire, patches = streamed(1_000_000, binary)
    tracemalloc.start()
    for each in patches * 20:
        wire.apply(each)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.alone
@pytest.mark.parametrize("binary", [False, True])
def test_cost_of_a_change_does_not_grow_with_the_data(binary: bool) -> None:
    """One row of a million costs about as much as one of a thousand, in JSON or in bytes."""
    times: dict[int, list[float]] = {1_000: [], 1_000_000: []}
    documents = {count: streamed(count, binary) for count in times}
    for _ in range(100):
        for count, (wire, patches) in documents.items():
            for each in patches:
                start = time.perf_counter()
                wire.apply(each)
                times[count].append(time.perf_counter() - start)
    small, large = (statistics.median(taken) for taken in times.values())
    assert large < 4 * small


def test_no_bokeh_is_needed() -> None:
    """Types that nobody here has ever heard of are kept like any other."""
    wire = document(model("my_package.widgets.Gauge", "g", needle={"type": "value", "value": 3}))
    wire.apply(Patch([change("g", "friend", model("Other", "o", deep={"a": [{"id": "g"}]}))], {}))
    assert wire.model_json("o")["attributes"]["deep"] == {"a": [{"id": "g"}]}


def test_other_properties_of_figures_survive_streaming() -> None:
    """A figure that a script moves by stream and patch ends where Bokeh's own document ends."""
    original = dashboard()
    sender = Sender(original)
    wire = WireDocument.from_json(*doc_json(original))
    source = original.roots[0].children[0].renderers[0].data_source
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source.stream({"x": [5], "y": [1.0]}, rollover=4)
        source.patch({"y": [(0, 7.0)]})
        original.roots[0].children[0].x_range.start = float("inf")
    for content, buffers in sender.sent:
        wire.apply(parse_patch(orjson.dumps(content), buffers))
    assert view(from_json(*wire.content())) == view(original)


@pytest.mark.parametrize(
    ("event", "same"),
    [
        ('{"kind":"ModelChanged","model":{"id":"d"},"attr":"a","new":[1, {"id": "d"}]}', True),
        ('{"kind":"ModelChanged","model":{"id":"d"},"attr":"a","new":{"type":"map"}}', True),
        ('{"kind":"ModelChanged","model":{"id":"d"},"attr":"a","new":1,"more":2}', False),
        ('{"kind":"ModelChanged","model":{"id":"d","x":1},"attr":"a","new":1}', False),
        ('{"kind":"ModelChanged","model":{"id":"d"},"attr":"a","new":{"type":"slice"}}', False),
        ('{"kind":"ModelChanged","model":{"id":"d"},"attr":"a","new":{"id":"d","x":1}}', False),
        ('{"kind":"MessageSent","msg_type":"m","msg_data":1}', False),
        ('{"kind":"ModelChanged","model":{"id":"gone"},"attr":"a","new":1}', False),
    ],
)
def test_bytes_of_the_sender_are_used_only_as_they_should_be(event: str, same: bool) -> None:
    """What came in the very form that is written goes on as it came; all else is rewritten, as
    Bokeh's readers fail at more or fewer keys than they expect."""
    wire = document(model("Div", "d"), model("Div", "gone"))
    wire.apply(Patch([removed("gone")], {}))
    content = b'{"events":[ %b ]}' % event.encode()
    applied = wire.apply(parse_patch(content, {}))
    assert (applied.events == content) is same
    again = wire.apply(parse_patch(applied.events, applied.buffers))
    assert orjson.loads(again.events) == orjson.loads(applied.events)
    extra = b'{"events":[],"references":[]}'
    assert wire.apply(parse_patch(extra, {})).events == b'{"events":[]}'
