"""Pages outlive their server: killed and started again, they follow again without a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import CheckboxGroup, ColumnDataSource, MultiSelect, RangeSlider, Slider
from bokeh.plotting import figure
from playwright.sync_api import Page

from support.browser import Api, wait_live, wait_until
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server that a test may kill."""
    with running_server(data_dir=tmp_path / "data") as started:
        yield started


@pytest.fixture
def own_api(server: RunningServer) -> Iterator[Api]:
    """Scripts' way to it."""
    api = Api(server.url)
    yield api
    api.close()


def column(page: Page, source: str) -> list[float]:
    """The column ``y`` of a data source in a page."""
    code = "(id) => Array.from(Bokeh.documents[0].get_model_by_id(id).data.y ?? [])"
    found: list[float] = page.evaluate(code, source)
    return found


def test_pages_follow_again_after_a_crash(
    server: RunningServer, own_api: Api, visit: Visit
) -> None:
    """After SIGKILL and a new start: same document, arrays and all, and changes arrive again."""
    x = np.linspace(0, 1, 500)
    source = ColumnDataSource({"x": x, "y": x**2})
    plot = figure(name="parabola", width=400, height=300)
    plot.line("x", "y", source=source)
    slider = Slider(start=0, end=10, value=1, step=1)
    document = Document()
    document.add_root(plot)
    document.add_root(slider)
    docid = own_api.make("survivor", document)
    pages = [visit(f"{server.url}/bokeh/doc/{docid}/{what}") for what in ("show", "parabola")]
    for page in pages:
        wait_live(page)
        page.evaluate("window.not_reloaded = true")
    server.kill()
    for page in pages:
        page.wait_for_selector("html[data-connection=reconnecting], html[data-connection=lost]")
        assert page.locator(".bk-Canvas").count() == 1
    whole = pages[0]
    whole.locator(".noUi-handle").focus()
    whole.keyboard.press("ArrowRight")
    server.start()
    for page in pages:
        page.wait_for_selector("html[data-connection=live]")
        assert column(page, source.id) == pytest.approx(list(x**2))
        assert page.evaluate("window.not_reloaded && Bokeh.documents.length") == 1
        wait_until(lambda page=page: page.locator(".bk-Canvas").count(), 1)
    # what was moved while nobody listened arrives, too
    wait_until(lambda: own_api.attributes(docid, slider.id)["value"], 2)
    own_api.set(docid, slider.id, "value", 5)
    value = "(id) => Bokeh.documents[0].get_model_by_id(id).value"
    wait_until(lambda: whole.evaluate(value, slider.id), 5)
    whole.locator(".noUi-handle").focus()
    whole.keyboard.press("ArrowRight")
    wait_until(lambda: own_api.attributes(docid, slider.id)["value"], 6)


def test_a_page_catches_up_with_what_it_missed(
    server: RunningServer, own_api: Api, visit: Visit
) -> None:
    """What a script replaced while the page was cut off is there when it is back."""
    old = figure(name="signal", width=300, height=200)
    old.line([1, 2], [1, 2])
    document = Document()
    document.add_root(old)
    docid = own_api.make("missed", document)
    page = visit(f"{server.url}/bokeh/doc/{docid}/signal")
    wait_live(page)
    page.context.set_offline(True)
    page.evaluate("bokeh_server_session._connection.socket.close()")
    page.wait_for_selector("html[data-connection=reconnecting], html[data-connection=lost]")
    new = figure(name="signal", width=300, height=200)
    new.line([1, 2], [3, 4])
    later = Document()
    later.add_root(new)
    own_api.replace(docid, later)
    page.context.set_offline(False)
    page.wait_for_selector("html[data-connection=live]")
    shown = "(id) => [...Bokeh.index].some((view) => view.model.id === id)"
    wait_until(lambda: page.evaluate(shown, new.id))
    assert page.locator(".bk-Canvas").count() == 1


def test_edits_made_while_nobody_listened_are_stored(
    server: RunningServer, own_api: Api, visit: Visit
) -> None:
    """Widgets whose values are lists are used while the page is cut off; columns are not sent."""
    span = RangeSlider(start=0, end=10, value=(2, 8), step=1)
    boxes, select = CheckboxGroup(labels=["a", "b"]), MultiSelect(options=["x", "y", "z"])
    plot = figure(width=300, height=200)
    source = plot.scatter([1, 2], [1, 2]).data_source
    document = Document()
    for root in (span, boxes, select, plot):
        document.add_root(root)
    docid = own_api.make("widgets", document)
    page = visit(f"{server.url}/bokeh/doc/{docid}/show")
    wait_live(page)
    page.context.set_offline(True)
    page.evaluate("bokeh_server_session._connection.socket.close()")
    page.wait_for_selector("html[data-connection=reconnecting], html[data-connection=lost]")
    page.locator(".noUi-handle-lower").press("ArrowRight")
    page.locator("input[type=checkbox]").nth(1).check()
    page.locator("#stage select").select_option(["x", "z"])
    page.evaluate(
        """([id, selected]) => {
          const model = (id) => Bokeh.documents[0].get_model_by_id(id)
          model(id).data = {x: [7], y: [7]}
          model(selected).indices = [1]
        }""",
        [source.id, source.selected.id],
    )
    event = {"kind": "ColumnsStreamed", "model": {"id": source.id}, "attr": "data"}
    own_api.change(docid, {**event, "data": {"x": [3.0], "y": [3.0]}, "rollover": None})
    page.context.set_offline(False)
    page.wait_for_selector("html[data-connection=live]")
    wait_until(lambda: own_api.attributes(docid, span.id)["value"], [3, 8])
    wait_until(lambda: own_api.attributes(docid, boxes.id)["active"], [1])
    wait_until(lambda: own_api.attributes(docid, select.id)["value"], ["x", "z"])
    wait_until(lambda: own_api.attributes(docid, source.selected.id).get("indices"), [1])
    wait_until(lambda: column(page, source.id), [1, 2, 3])


KEPT = """async () => {
  const link = document.querySelector('link[href$="/outbox.js"]')
  const {is_plain} = await import(link.href)
  const deep = Array.from({length: 90000}).reduce((inner) => [inner], 1)
  const circle = []
  circle.push(circle)
  class Model { value = 1 }
  const long = "x".repeat(1000000)
  return [
    [null, true, "text", NaN, [1, 2], [], {}, new Map([["a", [1, null]]]), {a: {b: "c"}},
     deep, long],
    [new Model(), [new Model()], {a: new Model()}, new Float64Array(2), circle, () => 1,
     Array.from({length: 100000}, () => 1), new Map([[new Model(), 1]]),
     [long, long, ...Array(90000)]],
  ].map((values) => values.map((value) => is_plain(value)))
}"""


def test_only_plain_and_short_values_wait_for_a_connection(
    server: RunningServer, own_api: Api, visit: Visit
) -> None:
    """Lists and maps of plain values do, at any depth; models, arrays of data and much do not."""
    docid = own_api.make("plain", Document())
    page = visit(f"{server.url}/bokeh/doc/{docid}/show")
    kept, dropped = page.evaluate(KEPT)
    assert set(kept) == {True}
    assert set(dropped) == {False}


def test_a_document_deleted_meanwhile_is_not_waited_for(
    server: RunningServer, own_api: Api, visit: Visit
) -> None:
    """A page that was cut off while its document was deleted says so."""
    docid = own_api.make("gone", Document())
    page = visit(f"{server.url}/bokeh/doc/{docid}/show")
    wait_live(page)
    page.context.set_offline(True)
    page.evaluate("bokeh_server_session._connection.socket.close()")
    page.wait_for_selector("html[data-connection=reconnecting], html[data-connection=lost]")
    own_api.call("DELETE", f"/bokeh/doc/{docid}/")
    page.context.set_offline(False)
    page.wait_for_selector("html[data-connection=deleted]")
