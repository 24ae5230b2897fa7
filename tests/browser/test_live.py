"""Two people look at one document: what one does, the other sees, and it is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure
from playwright.sync_api import Page

from support.browser import Api, wait_live, wait_until

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


@dataclass
class Scene:
    """A document with a slider and a plot, and the ids of its models."""

    docid: str
    document: Document
    slider: str
    source: str
    x_range: str
    plot: str


@pytest.fixture
def scene(api: Api, title: str) -> Scene:
    """A stored document."""
    source = ColumnDataSource({"x": [0, 1, 2, 3, 4], "y": [0, 1, 4, 9, 16]})
    plot = figure(
        name="squares", width=500, height=400, tools="pan,box_select,reset", active_drag="pan"
    )
    plot.scatter("x", "y", source=source, size=14)
    slider = Slider(start=0, end=10, value=1, step=1, title="amount", width=400)
    document = Document()
    document.add_root(column(slider, plot))
    docid = api.make(title, document)
    return Scene(docid, document, slider.id, source.id, plot.x_range.id, plot.id)


def attribute(page: Page, model: str, attr: str) -> object:
    """An attribute of a model as the page has it."""
    return page.evaluate(
        "([id, attr]) => Bokeh.documents[0].get_model_by_id(id)?.[attr]", [model, attr]
    )


def show(visit: Visit, api: Api, scene: Scene, what: str = "show") -> Page:
    """Open the document's page and wait until it is drawn."""
    page = visit(f"{api.url}/bokeh/doc/{scene.docid}/{what}")
    wait_live(page)
    return page


def drag(page: Page, selector: str, by: tuple[int, int], start: tuple[float, float]) -> None:
    """Drag the mouse within an element, from a point given in fractions of its size."""
    page.bring_to_front()  # one in the background misses gestures
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * start[0], box["y"] + box["height"] * start[1]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0], y + by[1], steps=6)
    page.mouse.up()


def test_a_slider_moves_in_both_pages_and_is_stored(visit: Visit, api: Api, scene: Scene) -> None:
    """A slider moved by keyboard in one page moves in the other and in the database."""
    here, there = show(visit, api, scene), show(visit, api, scene)
    here.locator(".noUi-handle").focus()
    for _ in range(4):
        here.keyboard.press("ArrowRight")
    wait_until(lambda: attribute(there, scene.slider, "value"), 5)
    wait_until(lambda: api.attributes(scene.docid, scene.slider)["value"], 5)
    there.locator(".noUi-handle").focus()
    there.keyboard.press("ArrowLeft")
    wait_until(lambda: attribute(here, scene.slider, "value"), 4)


def test_a_selection_is_shared(visit: Visit, api: Api, scene: Scene) -> None:
    """Points selected in one page are selected in the other, and stored."""
    here, there = show(visit, api, scene), show(visit, api, scene)
    selected = "(id) => Bokeh.documents[0].get_model_by_id(id).selected.indices"
    here.evaluate(
        """([id]) => {
            const plot = Bokeh.documents[0].get_model_by_id(id)
            plot.toolbar.active_drag = plot.toolbar.tools.find((t) => t.type === "BoxSelectTool")
        }""",
        [scene.plot],
    )
    drag(here, ".bk-Canvas", (300, -250), (0.3, 0.85))
    wait_until(lambda: len(here.evaluate(selected, scene.source)) > 0)
    chosen = here.evaluate(selected, scene.source)
    wait_until(lambda: there.evaluate(selected, scene.source), chosen)
    selection = api.attributes(scene.docid, scene.source)["selected"]["id"]
    assert api.attributes(scene.docid, selection)["indices"] == chosen


def test_a_pan_is_shared_and_reset_returns_to_automatic(
    visit: Visit, api: Api, scene: Scene
) -> None:
    """A pan moves both pages and is stored; a page opened later shows it and can reset it."""
    here, there = show(visit, api, scene), show(visit, api, scene)
    before = attribute(here, scene.x_range, "start")
    assert "start" not in api.attributes(scene.docid, scene.x_range)
    drag(here, ".bk-Canvas", (-120, 0), (0.6, 0.5))
    wait_until(lambda: attribute(here, scene.x_range, "start") != before)
    moved = attribute(here, scene.x_range, "start")
    wait_until(lambda: attribute(there, scene.x_range, "start"), moved)
    wait_until(lambda: api.attributes(scene.docid, scene.x_range).get("start"), moved)

    later = show(visit, api, scene)
    assert attribute(later, scene.x_range, "start") == moved
    later.locator(".bk-tool-icon-reset").first.click()
    for page in (later, here, there):
        wait_until(lambda page=page: attribute(page, scene.x_range, "start"), before)
    nan = {"type": "number", "value": "nan"}
    wait_until(lambda: api.attributes(scene.docid, scene.x_range)["start"], nan)

    last = show(visit, api, scene)
    assert attribute(last, scene.x_range, "start") == before


def test_what_a_screen_computes_is_not_stored(visit: Visit, api: Api, scene: Scene) -> None:
    """Opening pages of two sizes changes nothing in the document."""
    seq = api.call("GET", f"/bokeh/doc/{scene.docid}/")["seq"]
    page = show(visit, api, scene)
    page.set_viewport_size({"width": 420, "height": 700})
    show(visit, api, scene)
    page.wait_for_timeout(500)
    assert api.call("GET", f"/bokeh/doc/{scene.docid}/")["seq"] == seq


def test_data_streamed_by_a_script_follows_in_automatic_ranges(
    visit: Visit, api: Api, scene: Scene
) -> None:
    """Streamed points arrive in every page, and the ranges grow with them."""
    page = show(visit, api, scene)
    data = {"type": "map", "entries": [["x", [50]], ["y", [60]]]}
    api.change(
        scene.docid,
        {
            "kind": "ColumnsStreamed",
            "model": {"id": scene.source},
            "attr": "data",
            "data": data,
            "rollover": None,
        },
    )
    wait_until(lambda: float(str(attribute(page, scene.x_range, "end"))) > 50)


def test_public_pages_only_look(visit: Visit, api: Api, scene: Scene) -> None:
    """On a public page everybody may move the slider, and it moves for nobody else."""
    seq = api.call("GET", f"/bokeh/doc/{scene.docid}/")["seq"]
    page = show(visit, api, scene, "show?public=true")
    other = show(visit, api, scene)
    page.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    assert attribute(page, scene.slider, "value") == 2
    page.wait_for_timeout(400)
    assert attribute(other, scene.slider, "value") == 1
    assert api.call("GET", f"/bokeh/doc/{scene.docid}/")["seq"] == seq
    api.set(scene.docid, scene.slider, "value", 7)
    wait_until(lambda: attribute(page, scene.slider, "value"), 7)


def test_pixels_change_with_the_data(visit: Visit, api: Api, scene: Scene) -> None:
    """What is drawn, not only what is known, follows a script."""
    page = show(visit, api, scene, "squares")
    before = page.locator(".bk-Canvas").screenshot()
    data = {"type": "map", "entries": [["x", [0, 1]], ["y", [9, 0]]]}
    event = {"kind": "ColumnDataChanged", "model": {"id": scene.source}, "attr": "data"}
    api.change(scene.docid, {**event, "data": data, "cols": None})
    wait_until(lambda: page.locator(".bk-Canvas").screenshot() != before)
