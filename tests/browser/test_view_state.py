"""What BokehJS sends by itself when pages open, move and resize: none of it is document state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.layouts import column, gridplot, row
from bokeh.models import (
    AutocompleteInput,
    Button,
    CheckboxGroup,
    ColorPicker,
    ColumnDataSource,
    DataRange1d,
    DataTable,
    DatePicker,
    Div,
    FactorRange,
    GridBox,
    MultiChoice,
    RangeSlider,
    RangeTool,
    ScrollBox,
    Select,
    Slider,
    Spinner,
    TableColumn,
    TabPanel,
    Tabs,
    TextAreaInput,
    Toggle,
)
from bokeh.plotting import figure
from playwright.sync_api import Page

from support.browser import Api, wait_live, wait_until

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

#: before anything else: keeps every patch that BokehJS would have sent, and every one that is.
RECORD = """() => {
  window.made = []
  window.sent = []
  const send = WebSocket.prototype.send
  WebSocket.prototype.send = function(data) {
    if (typeof data === "string" && data.startsWith('{"events"')) {
      window.sent.push(...JSON.parse(data).events)
    }
    return send.call(this, data)
  }
}"""


def everything() -> Document:
    """Many kinds of plots, layouts and widgets."""
    source = ColumnDataSource({"x": list(range(200)), "y": [i % 7 for i in range(200)]})
    auto = figure(name="auto", height=200, sizing_mode="stretch_width", tools="pan,hover,reset")
    auto.line("x", "y", source=source, legend_label="line")
    auto.legend.click_policy = "hide"
    bars = figure(x_range=FactorRange("a", "b"), width=200, height=150)
    bars.vbar(x=["a", "b"], top=[1, 2], width=0.5)
    log = figure(y_axis_type="log", x_axis_type="datetime", width=200, height=150)
    log.scatter([1, 2, 3], [1, 10, 100])
    image = figure(width=200, height=150, match_aspect=True)
    image.image([np.array([[1.0, 2.0], [3.0, 4.0]])], x=0, y=0, dw=1, dh=1)
    follow = figure(width=200, height=150, x_range=DataRange1d(follow="end", follow_interval=5))
    follow.line("x", "y", source=source)
    overview = figure(width=300, height=100)
    overview.line("x", "y", source=source)
    overview.add_tools(RangeTool(x_range=follow.x_range))
    twin = figure(width=200, height=150)
    twin.line("x", "y", source=source)
    twin.extra_y_ranges = {"other": DataRange1d()}
    twin.line("x", "y", source=source, y_range_name="other")
    table = DataTable(
        source=source, columns=[TableColumn(field="x"), TableColumn(field="y")], height=150
    )
    widgets = [
        Slider(start=0, end=10, value=1), RangeSlider(start=0, end=10, value=(1, 5)),
        Select(options=["a", "b"], value="a"), MultiChoice(options=["a", "b"], value=["a"]),
        CheckboxGroup(labels=["a"]), Button(label="b"), Toggle(label="t"), Spinner(value=1),
        DatePicker(value="2026-01-01"), ColorPicker(color="red"), TextAreaInput(value="t"),
        AutocompleteInput(completions=["aa", "bb"]), Div(text="<b>x</b>"),
    ]  # fmt: skip
    tabs = Tabs(tabs=[TabPanel(child=bars, title="bars"), TabPanel(child=log, title="log")])
    document = Document()
    document.add_root(auto)
    document.add_root(row(image, follow, sizing_mode="scale_width"))
    document.add_root(gridplot([[overview, twin]], sizing_mode="stretch_both"))
    document.add_root(GridBox(children=[(Div(text="g"), 0, 0)]))
    document.add_root(ScrollBox(child=column(*widgets), height=200))
    document.add_root(tabs)
    document.add_root(table)
    return document


def open_recorded(visit: Visit, url: str) -> Page:
    """Open a page and keep what it sends."""
    page = visit("about:blank")
    page.add_init_script(f"({RECORD})()")
    page.goto(url)
    wait_live(page)
    page.evaluate("""() => {
      const session = bokeh_server_session
      const put = session._outbox.put.bind(session._outbox)
      session._outbox.put = (event) => { window.made.push(event.attr ?? event.kind); put(event) }
    }""")
    page.wait_for_timeout(700)
    return page


def sent(page: Page) -> list[tuple[str, str]]:
    """Type and attribute of what was sent."""
    found: list[tuple[str, str]] = page.evaluate("""() => window.sent.map((event) => [
      event.kind === "MessageSent" ? "message" : bokeh_server_session.document
        .get_model_by_id(event.model.id)?.type ?? "?", event.attr ?? event.kind])""")
    return [(kind, attr) for kind, attr in found]


def log_length(api: Api, docid: str) -> int:
    """How many changes there are."""
    number: int = api.call("GET", f"/bokeh/doc/{docid}/")["seq"]
    return number


def move_about(page: Page) -> None:
    """Do what is nobody's business but one's own."""
    for size in ((700, 500), (1300, 900), (1000, 800)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.wait_for_timeout(250)
    page.locator(".bk-Canvas").first.hover()
    page.mouse.move(300, 120)
    page.locator(".slick-viewport").first.hover()
    page.mouse.wheel(0, 400)
    page.locator(".bk-ScrollBox").first.hover()
    page.mouse.wheel(0, 200)
    page.wait_for_timeout(500)


def test_nothing_that_is_computed_is_stored(api: Api, title: str, visit: Visit) -> None:
    """Opening, resizing, hovering and scrolling change no stored document, and no message is sent.

    Not even to a server that would drop it: neither sizes of layouts nor automatic ranges.
    """
    docid = api.make(title, everything())
    before = log_length(api, docid)
    pages = [open_recorded(visit, f"{api.url}/bokeh/doc/{docid}/show") for _ in range(2)]
    move_about(pages[0])
    assert [sent(page) for page in pages] == [[], []]
    assert log_length(api, docid) == before


def test_what_an_editor_does_is_stored(api: Api, title: str, visit: Visit) -> None:
    """A click in the legend, another tab and a pan are changes, and reach the others."""
    docid = api.make(title, everything())
    one, other = (open_recorded(visit, f"{api.url}/bokeh/doc/{docid}/show") for _ in range(2))
    one.locator(".bk-Tabs .bk-tab").nth(1).click()
    wait_until(lambda: ("Tabs", "active") in sent(one))
    active = "Bokeh.documents[0].roots().find((each) => each.type === 'Tabs').active"
    wait_until(lambda: other.evaluate(active), 1)
    one.evaluate(
        """() => Bokeh.documents[0].get_model_by_name("auto").renderers[0].visible = false"""
    )
    visible = 'Bokeh.documents[0].get_model_by_name("auto").renderers[0].visible'
    wait_until(lambda: other.evaluate(visible), False)
    assert {kind for kind, _ in sent(one)} <= {"Tabs", "GlyphRenderer"}
    assert sent(other) == []


def test_private_views_change_nothing_and_follow(api: Api, title: str, visit: Visit) -> None:
    """On ?public=true all that a viewer does stays there; the owner's later changes arrive."""
    document = everything()
    docid = api.make(title, document)
    before = log_length(api, docid)
    page = open_recorded(visit, f"{api.url}/bokeh/doc/{docid}/show?public=true")
    page.locator(".bk-Tabs .bk-tab").nth(1).click()
    page.evaluate("""() => {
      const doc = Bokeh.documents[0]
      const slider = [...doc._all_models.values()].find((each) => each.type === "Slider")
      slider.value = 7
      doc.get_model_by_name("auto").x_range.setv({start: 1, end: 2})
    }""")
    move_about(page)
    assert sent(page) == []
    assert log_length(api, docid) == before
    (slider,) = document.select({"type": Slider})
    api.set(docid, slider.id, "value", 3)
    value = "(id) => Bokeh.documents[0].get_model_by_id(id).value"
    wait_until(lambda: page.evaluate(value, slider.id), 3)


#: what BokehJS 3.9 sends of its own accord, by any server it is served from.
BY_ITSELF: dict[str, Any] = {
    "inner_width": 1, "inner_height": 1, "outer_width": 1, "outer_height": 1,
}  # fmt: skip


def test_what_bokehjs_makes_by_itself_is_known(api: Api, title: str, visit: Visit) -> None:
    """Every event that BokehJS makes while a page opens and moves is one of those left out."""
    docid = api.make(title, everything())
    page = visit("about:blank")
    page.goto(f"{api.url}/bokeh/doc/{docid}/show")
    wait_live(page)
    page.evaluate("""() => {
      window.made = []
      bokeh_server_session.document.on_change((event) => {
        for (const each of event.events ?? [event]) {
          if (each.sync) {
            const source = each.model?.type ?? each.msg_data?.event_name
            window.made.push([source, each.attr ?? each.kind])
          }
        }
      }, true)
    }""")
    move_about(page)
    made = {(kind, attr) for kind, attr in page.evaluate("window.made")}
    computed = {attr for kind, attr in made if attr != "MessageSent"}
    assert computed <= BY_ITSELF.keys() | {"start", "end"}, made
    ranges = {kind for kind, attr in made if attr in ("start", "end")}
    assert ranges <= {"DataRange1d", "FactorRange"}, made
