"""Models that the server never heard of, and rows that BokehJS takes for something else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from bokeh.core.properties import Float, Instance
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.model import DataModel
from bokeh.models import ColumnDataSource, CustomJS, Div
from playwright.sync_api import BrowserContext, Page, Route

from support.browser import Api, wait_live, wait_until
from support.data_models import data_models

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

#: somebody's extension of BokehJS, as a script that is loaded after it.
EXTENSION = """
;(() => {
  const {Div} = Bokeh.require("models/widgets/div")
  class Loud extends Div {}
  Loud.__name__ = "Loud"
  Loud.__module__ = "lab"
  Loud.define(({Float}) => ({volume: [Float, 1]}))
  Bokeh.require("base").register_models([Loud])
})()
"""


class Gauge(DataModel):
    """A data model that only this script and the document know."""

    level = Float(default=1.0)
    label = Instance(Div)


with_data_models = data_models(Gauge)


def value_of(page: Page, name: str, attr: str) -> Callable[[], object]:
    """An attribute of a model in a page, by the model's name."""
    code = "([name, attr]) => Bokeh.documents[0].get_model_by_name(name)?.[attr] ?? null"
    return lambda: page.evaluate(code, [name, attr])


def set_in(page: Page, name: str, attr: str, value: object) -> None:
    """Set an attribute, as a person's widget does."""
    code = "([name, attr, to]) => { Bokeh.documents[0].get_model_by_name(name)[attr] = to }"
    page.evaluate(code, [name, attr, value])


def show(visit: Visit, api: Api, docid: str) -> Page:
    """Open the document's page and wait until it is drawn."""
    page = visit(f"{api.url}/bokeh/doc/{docid}/show")
    wait_live(page)
    return page


def test_data_models(visit: Visit, api: Api, title: str) -> None:
    """A class that comes with the document: two pages and scripts change what it holds."""
    label = Div(text="level", name="label")
    gauge = Gauge(level=2.0, label=label, name="gauge")
    label.tags = [gauge]
    document = Document()
    document.add_root(label)
    docid = api.make(title, document)
    first, second = show(visit, api, docid), show(visit, api, docid)
    assert value_of(first, "gauge", "level")() == 2
    set_in(first, "gauge", "level", 3.5)
    wait_until(value_of(second, "gauge", "level"), 3.5)
    api.set(docid, gauge.id, "level", 4.5)
    wait_until(value_of(first, "gauge", "level"), 4.5)
    assert api.attributes(docid, gauge.id)["level"] == 4.5


def test_extensions(context: BrowserContext, visit: Visit, api: Api, title: str) -> None:
    """A class of somebody's own JavaScript is stored, drawn, changed and followed."""

    def with_extension(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text() + EXTENSION)

    context.route("**/bokeh-widgets.min.js", with_extension)
    docid = api.make(title)
    loud = {"type": "object", "name": "lab.Loud", "id": "l1",
            "attributes": {"name": "loud", "text": "hear, hear", "volume": 11}}  # fmt: skip
    api.change(docid, {"kind": "RootAdded", "model": loud})
    first, second = show(visit, api, docid), show(visit, api, docid)
    first.wait_for_selector("text=hear, hear")
    set_in(first, "loud", "volume", 3)
    wait_until(value_of(second, "loud", "volume"), 3)
    wait_until(lambda: api.attributes(docid, "l1")["volume"], 3)
    api.set(docid, "l1", "text", "and hear")
    second.wait_for_selector("text=and hear")


def test_rows_that_bokehjs_would_cut_off(visit: Visit, api: Api, title: str) -> None:
    """Halves in a column of whole numbers: those who look, and who sent them, get the halves."""
    source = ColumnDataSource({"x": np.array([1, 2, 3])}, name="source")
    document = Document()
    document.add_root(column(Div(tags=[source]), Div(text="rows")))
    docid = api.make(title, document)
    first, second = show(visit, api, docid), show(visit, api, docid)
    first.evaluate("() => Bokeh.documents[0].get_model_by_name('source').stream({x: [0.5]}, 3)")
    code = "() => [...Bokeh.documents[0].get_model_by_name('source').data.x]"
    wait_until(lambda: second.evaluate(code), [2, 3, 0.5])
    wait_until(lambda: first.evaluate(code), [2, 3, 0.5])
    first.evaluate("() => Bokeh.documents[0].get_model_by_name('source').stream({x: [1.5, 7]}, 2)")
    wait_until(lambda: second.evaluate(code), [1.5, 7])
    wait_until(lambda: first.evaluate(code), [1.5, 7])


def test_models_of_callbacks_alone(visit: Visit, api: Api, title: str) -> None:
    """A page follows when a model that only a callback of the document had joins what is shown."""
    hidden = Div(text="hidden", name="hidden")
    document = Document()
    document.add_root(column(Div(text="shown"), name="all"))
    document.js_on_event("document_ready", CustomJS(args={"div": hidden}, code="div.text"))
    docid = api.make(title, document)
    page = show(visit, api, docid)
    layout = document.roots[0]
    children = [{"id": layout.children[0].id}, {"id": hidden.id}]
    api.set(docid, layout.id, "children", children)
    page.wait_for_selector("text=hidden")
    api.set(docid, hidden.id, "text", "found")
    page.wait_for_selector("text=found")
