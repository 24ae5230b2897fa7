"""The history in the page: open what a document was, and bring it back for everybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, CustomJS, Slider
from bokeh.plotting import figure
from playwright.sync_api import APIResponse, Page, Route, expect

from support.browser import Api, wait_live, wait_until

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


@dataclass
class Scene:
    """A document with a slider that moves a line without any server."""

    docid: str
    slider: str
    source: str


@pytest.fixture
def scene(api: Api, title: str) -> Scene:
    """A stored document at revision 4, whose slider was 1, 2, 3 and 4."""
    return make_scene(api, title)


def make_scene(api: Api, title: str, code: str | None = None) -> Scene:
    """A document with a slider and a plot; the slider's JavaScript may change the plot."""
    source = ColumnDataSource({"x": [0, 1, 2], "y": [0, 1, 4]})
    plot = figure(name="squares", width=400, height=300, title="Squares")
    plot.line("x", "y", source=source, name="curve")
    slider = Slider(start=0, end=10, value=1, step=1, title="amount", width=300)
    if code is not None:
        slider.js_on_change("value", CustomJS(args={"source": source}, code=code))
    document = Document()
    document.add_root(column(slider, plot))
    document.title = "Experiment"
    docid = api.make(title, document)
    for value in (2, 3, 4):
        api.set(docid, slider.id, "value", value)
    return Scene(docid, slider.id, source.id)


def value_of(page: Page, scene: Scene) -> object:
    """The slider as a page has it."""
    return page.evaluate("(id) => Bokeh.documents.at(-1).get_model_by_id(id)?.value", scene.slider)


def open_revision(visit: Visit, api: Api, scene: Scene, revision: int, what: str = "show") -> Page:
    """The page of a revision, drawn."""
    page = visit(f"{api.url}/bokeh/doc/{scene.docid}/{what}?revision={revision}")
    wait_still(page)
    return page


def wait_still(page: Page) -> None:
    """Wait until a revision is drawn."""
    page.wait_for_selector("html[data-connection=still][data-stage=shown]")


def test_a_revision_stays_while_a_writer_goes_on(visit: Visit, api: Api, title: str) -> None:
    """The page shows what was, works by itself, and nothing it does reaches the document."""
    scene = make_scene(api, title, "source.data = {x: [0, 1, 2], y: [0, cb_obj.value, 9]}")
    page = open_revision(visit, api, scene, 2)
    assert value_of(page, scene) == 2
    for value in range(5, 10):
        api.set(scene.docid, scene.slider, "value", value)
    page.wait_for_timeout(500)
    assert value_of(page, scene) == 2
    page.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    assert value_of(page, scene) == 3
    data = "(id) => [...Bokeh.documents.at(-1).get_model_by_id(id).data.y]"
    assert page.evaluate(data, scene.source) == [0, 3, 9]
    page.wait_for_timeout(300)
    assert api.call("GET", f"/bokeh/doc/{scene.docid}/")["seq"] == 9
    assert api.call("GET", f"/bokeh/doc/{scene.docid}/")["viewers"] == 0
    expect(page.locator(".banner")).to_contain_text("Revision 2 of 4")
    expect(page).to_have_title("Experiment · revision 2")


def test_walking_through_revisions(visit: Visit, api: Api, scene: Scene) -> None:
    """Previous, next and live lead where they say, for one plot too."""
    page = open_revision(visit, api, scene, 3, "squares")
    page.get_by_role("link", name="Previous revision").click()
    wait_until(lambda: "revision=2" in page.url)
    wait_still(page)
    assert value_of(page, scene) == 2
    page.get_by_role("link", name="Next revision").click()
    wait_until(lambda: "revision=3" in page.url)
    wait_still(page)
    page.get_by_role("link", name="Live", exact=True).click()
    wait_live(page)
    assert value_of(page, scene) == 4


def test_restoring_moves_another_live_page(visit: Visit, api: Api, scene: Scene) -> None:
    """By keyboard alone: the history opens, a change is found, restored and taken back."""
    other = visit(f"{api.url}/bokeh/doc/{scene.docid}/show")
    wait_live(other)
    page = visit(f"{api.url}/bokeh/doc/{scene.docid}/show")
    wait_live(page)
    page.get_by_role("button", name="History").focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary", name="History")
    expect(panel.get_by_role("link")).to_have_text(
        ["Value of slider “amount” set to 4", "Column added and title set to “Experiment”"]
    )
    first = panel.get_by_role("button", name="Restore revision 1: Column added")
    first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Restore revision 1?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_until(lambda: value_of(other, scene), 1)
    wait_until(lambda: value_of(page, scene), 1)
    expect(panel.get_by_role("status")).to_contain_text("Revision 1 is restored.")
    expect(panel.get_by_role("link").first).to_have_text("Revision 1 restored")
    panel.get_by_role("button", name="Undo").click()
    wait_until(lambda: value_of(other, scene), 4)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.get_by_role("button", name="History")).to_be_focused()


def test_restoring_from_the_page_of_a_revision(visit: Visit, api: Api, scene: Scene) -> None:
    """It leads to the live page, which shows what was restored; cancelling leads nowhere."""
    page = open_revision(visit, api, scene, 2)
    page.get_by_role("button", name="Restore").click()
    page.keyboard.press("Escape")
    assert api.call("GET", f"/bokeh/doc/{scene.docid}/")["seq"] == 4
    page.get_by_role("button", name="Restore").click()
    page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    wait_live(page)
    assert "revision" not in page.url
    assert value_of(page, scene) == 2
    assert api.attributes(scene.docid, scene.slider)["value"] == 2


def test_the_history_follows_what_happens(visit: Visit, api: Api, scene: Scene) -> None:
    """New changes appear by themselves, and a group that grows does so in its place."""
    page = visit(f"{api.url}/bokeh/doc/{scene.docid}/show")
    wait_live(page)
    page.get_by_role("button", name="History").click()
    links = page.get_by_role("complementary").get_by_role("link")
    expect(links).to_have_count(2)
    api.set(scene.docid, scene.slider, "value", 8)
    expect(links.first).to_have_text("Value of slider “amount” set to 8")
    api.change(scene.docid, {"kind": "TitleChanged", "title": "Second"})
    expect(links.first).to_have_text("Title set to “Second”")
    links.nth(1).click()
    wait_still(page)
    expect(page.get_by_role("complementary", name="History")).to_be_visible()
    expect(links.nth(1)).to_have_attribute("aria-current", "true")
    assert value_of(page, scene) == 8


def test_an_answer_that_was_overtaken_is_not_shown(visit: Visit, api: Api, scene: Scene) -> None:
    """Two polls overlap and the older answer comes last: no group is lost, and none shown twice."""
    page = visit(f"{api.url}/bokeh/doc/{scene.docid}/show")
    wait_live(page)
    page.get_by_role("button", name="History").click()
    links = page.get_by_role("complementary").get_by_role("link")
    expect(links).to_have_count(2)
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route("**/history?after=*", hold)
    wait_until(lambda: page.wait_for_timeout(50) or bool(held))
    api.change(scene.docid, {"kind": "TitleChanged", "title": "Second"})
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(links).to_have_count(3)
    route, response = held[0]
    route.fulfill(response=response)
    for _ in range(10):
        page.wait_for_timeout(400)
        assert links.first.text_content() == "Title set to “Second”"
        assert links.count() == 3
