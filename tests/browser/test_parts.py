"""The page of a model that is only a part of what can be drawn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import Slider
from bokeh.plotting import figure
from playwright.sync_api import Page

from support.browser import Api, take_out, wait_live, wait_until

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


def test_a_name_inside_a_plot_leads_to_its_plot(visit: Visit, api: Api, title: str) -> None:
    """A line, an axis, a tool: each address shows the plot that has it, and only that."""
    plot = figure(width=300, height=200, tools="pan")
    plot.line([1, 2], [1, 2], name="ex_line")
    plot.xaxis.name, plot.toolbar.tools[0].name = "ex_axis", "ex_tool"
    document = Document()
    document.add_root(column(Slider(start=0, end=1, value=0), plot))
    docid = api.make(title, document)
    for name in ("ex_line", "ex_axis", "ex_tool"):
        page = visit(f"{api.url}/bokeh/doc/{docid}/{name}")
        wait_live(page)
        wait_until(lambda page=page: page.locator(".bk-Canvas").count(), 1)
        assert page.locator(".bk-Slider").count() == 0
        assert page.locator("#notice").is_hidden()
        page.close()


def test_a_failure_is_not_live_and_not_loading(
    visit: Visit, api: Api, title: str, problems: list[str]
) -> None:
    """What cannot be drawn says why, in the bar too, and no longer promises to load."""
    document = Document()
    document.add_root(figure(width=300, height=200))
    docid = api.make(title, document)
    strange = {"type": "object", "name": "strange.Widget", "id": "s1", "attributes": {}}
    api.change(docid, {"kind": "RootAdded", "model": strange})
    page = visit(f"{api.url}/bokeh/doc/{docid}/show")
    page.wait_for_selector("#notice:has-text('could not be')")
    wait_until(lambda: page.locator(".loading:visible").count(), 0)
    assert page.locator("#connection").inner_text() != "live"
    take_out(problems, "strange.Widget")
