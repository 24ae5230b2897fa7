"""What works in a frame: all that works on a page of a server for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bokeh.document import Document
from bokeh.models import (
    Button,
    ColumnDataSource,
    CustomJS,
    DataTable,
    Slider,
    TableColumn,
)
from bokeh.plotting import figure
from playwright.sync_api import BrowserContext, Frame, Page, expect

from support.browser import Api, frame_of, open_page, wait_live, wait_until
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

VALUE = "(id) => Bokeh.documents[0].get_model_by_id(id).value"
START = "(id) => Bokeh.documents[0].get_model_by_id(id).start"


@dataclass
class Scene:
    """A document with a plot, a slider, a table and a button, and the ids of its models."""

    docid: str
    document: Document
    slider: str
    source: str
    x_range: str


def make_scene(api: Api, title: str) -> Scene:
    """Store a document."""
    source = ColumnDataSource({"x": [0, 1, 2, 3], "y": [0, 1, 4, 9]}, name="data")
    plot = figure(name="squares", width=400, height=300, tools="pan,save,reset", active_drag="pan")
    plot.scatter("x", "y", source=source, size=14)
    slider = Slider(start=0, end=10, value=1, step=1, title="amount", width=300)
    slider.js_on_change("value", CustomJS(args={"plot": plot}, code="plot.title.text = 'moved'"))
    columns = [TableColumn(field=name, title=name) for name in ("x", "y")]
    module = Button(name="module", label="module")
    module.js_on_click(CustomJS(code="export default () => { window.ran = 'a module' }"))
    document = Document()
    for root in (plot, slider, DataTable(source=source, columns=columns, height=150), module):
        document.add_root(root)
    docid = api.make(title, document)
    return Scene(docid, document, slider.id, source.id, plot.x_range.id)


@pytest.fixture(autouse=True)
def entered(logged_in: BrowserContext) -> None:
    """The browser is logged in."""


@pytest.fixture
def scene(people_api: Api, title: str) -> Scene:
    """A stored document."""
    return make_scene(people_api, title)


@dataclass
class Shown:
    """A page that is live, and what is in its frame."""

    page: Page
    frame: Frame


@pytest.fixture
def show(visit: Visit, people_api: Api, scene: Scene) -> Callable[[str], Shown]:
    """Open a page of the document and wait until it is drawn."""

    def open_shown(what: str = "show") -> Shown:
        page = visit(f"{people_api.url}/bokeh/doc/{scene.docid}/{what}")
        wait_live(page)
        return Shown(page, frame_of(page))

    return open_shown


Show = Callable[[str], Shown]


def drag(shown: Shown, by: tuple[int, int]) -> None:
    """Drag the mouse from the middle of the first plot."""
    shown.page.bring_to_front()
    box = shown.frame.locator(".bk-Canvas").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x + by[0], y + by[1], steps=6)
    shown.page.mouse.up()


def move_slider(shown: Shown) -> None:
    """One step to the right."""
    shown.frame.locator(".noUi-handle").focus()
    shown.page.keyboard.press("ArrowRight")


def test_a_frame_is_two_way(show: Show, people_api: Api, scene: Scene) -> None:
    """A slider and a pan move in both pages and are stored under the viewer's name."""
    here, there = show("show"), show("show")
    move_slider(here)
    wait_until(lambda: there.frame.evaluate(VALUE, scene.slider), 2)
    wait_until(lambda: people_api.attributes(scene.docid, scene.slider)["value"], 2)
    before = here.frame.evaluate(START, scene.x_range)
    drag(here, (60, 0))
    wait_until(lambda: here.frame.evaluate(START, scene.x_range) < before)
    moved = here.frame.evaluate(START, scene.x_range)
    wait_until(lambda: there.frame.evaluate(START, scene.x_range), moved)
    changes = people_api.call("GET", f"/bokeh/doc/{scene.docid}/changes")["changes"]
    owner = people_api.call("GET", f"/bokeh/doc/{scene.docid}/")["owner"]
    assert {change["actor"] for change in changes} == {owner}


def test_what_is_held_in_a_frame_does_not_jump(show: Show, people_api: Api, scene: Scene) -> None:
    """What somebody else sets meanwhile waits until the mouse is let go."""
    shown = show("show")
    shown.page.bring_to_front()
    box = shown.frame.locator(".noUi-handle").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x + 90, y, steps=5)
    wait_until(lambda: people_api.attributes(scene.docid, scene.slider)["value"] > 1)
    held = shown.frame.evaluate(VALUE, scene.slider)
    people_api.set(scene.docid, scene.slider, "value", 9)
    shown.page.wait_for_timeout(600)
    assert shown.frame.evaluate(VALUE, scene.slider) == held
    shown.page.mouse.up()
    wait_until(lambda: shown.frame.evaluate(VALUE, scene.slider), 9)


def test_callbacks_tables_and_saving(show: Show, scene: Scene, tmp_path: Path) -> None:
    """CustomJS of both kinds runs, a table has its rows, the save tool downloads the plot."""
    shown = show("show")
    move_slider(shown)
    wait_until(
        lambda: shown.frame.evaluate("Bokeh.documents[0].get_model_by_name('squares').title.text"),
        "moved",
    )
    shown.frame.get_by_role("button", name="module").click()
    wait_until(lambda: shown.frame.evaluate("window.ran"), "a module")
    assert shown.frame.locator(".slick-row").count() == 4
    shown.page.bring_to_front()
    with shown.page.expect_download() as download:
        shown.frame.locator(".bk-tool-icon-save").first.click()
    assert download.value.suggested_filename == "bokeh_plot.png"
    download.value.save_as(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_title_and_state_are_told_by_the_shell(
    show: Show, people_api: Api, scene: Scene, title: str
) -> None:
    """The bar follows the document: its title, its connection, and its end."""
    shown = show("show")
    expect(shown.page.locator("#title")).to_have_text(title)
    people_api.change(scene.docid, {"kind": "TitleChanged", "title": "<i>renamed</i>"})
    expect(shown.page.locator("#title")).to_have_text("<i>renamed</i>")
    assert shown.page.title() == "<i>renamed</i>"
    expect(shown.page.locator("#connection")).to_have_text("live")
    people_api.call("DELETE", f"/bokeh/doc/{scene.docid}/")
    expect(shown.page.locator("#connection")).to_have_text("deleted")
    expect(shown.page.locator("#notice")).to_have_text("This document was deleted.")


def test_an_empty_document_and_a_plot_that_goes(
    visit: Visit, people_api: Api, title: str, show: Show, scene: Scene
) -> None:
    """The shell says so, and the frame draws what comes."""
    page = visit(f"{people_api.url}/bokeh/doc/{people_api.make(f'empty {title}')}/show")
    wait_live(page)
    expect(page.locator("#notice")).to_contain_text("Nothing has been drawn")
    shown = show("squares")
    people_api.replace(scene.docid, Document())
    expect(shown.page.locator("#notice")).to_contain_text("This plot was removed")
    make_again = Document()
    plot = figure(name="squares", width=400, height=300)
    plot.line([1, 2], [1, 2])
    make_again.add_root(plot)
    people_api.replace(scene.docid, make_again)
    expect(shown.page.locator("#notice")).to_be_hidden()
    wait_until(lambda: shown.frame.locator(".bk-Canvas").count(), 1)


def test_a_public_page_keeps_its_state(show: Show, people_api: Api, scene: Scene) -> None:
    """What is moved there stays there; what others change arrives; there is no history."""
    shown = show("show?public=true")
    move_slider(shown)
    wait_until(lambda: shown.frame.evaluate(VALUE, scene.slider), 2)
    shown.page.wait_for_timeout(400)
    assert people_api.attributes(scene.docid, scene.slider)["value"] == 1
    people_api.set(scene.docid, scene.slider, "value", 7)
    wait_until(lambda: shown.frame.evaluate(VALUE, scene.slider), 7)
    assert shown.page.locator("#history-button").count() == 0


@pytest.mark.alone
def test_history_and_revisions(show: Show, visit: Visit, people_api: Api, scene: Scene) -> None:
    """A revision is drawn by the frame, with the shell's banner; restoring is the shell's."""
    people_api.set(scene.docid, scene.slider, "value", 5)
    live = show("show")
    live.page.get_by_role("button", name="History").click()
    expect(live.page.locator(".change").first).to_be_visible()
    page = visit(f"{people_api.url}/bokeh/doc/{scene.docid}/show?revision=1")
    page.wait_for_selector("html[data-connection=still][data-stage=shown]")
    frame = frame_of(page)
    assert frame.evaluate(VALUE, scene.slider) == 1
    expect(page.locator(".banner")).to_contain_text("Revision 1 of 2")
    frame.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    wait_until(lambda: frame.evaluate(VALUE, scene.slider), 2)
    page.get_by_role("button", name="Restore", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    wait_live(page)
    wait_until(lambda: people_api.attributes(scene.docid, scene.slider)["value"], 1)
    wait_until(lambda: live.frame.evaluate(VALUE, scene.slider), 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A shared server that a test may kill."""
    env = {"BOKEH_SERVER_MULTI_USER": "true"}
    with running_server(data_dir=tmp_path / "data", env=env) as started:
        yield started


def test_a_frame_follows_again_after_a_crash(
    server: RunningServer, context: BrowserContext, problems: list[str], title: str
) -> None:
    """With a fresh ticket, without a reload; an edit that was made meanwhile is stored."""
    api = Api(server.url)
    api.enter()
    api.log_in(context)
    scene = make_scene(api, title)
    page = open_page(context, f"{server.url}/bokeh/doc/{scene.docid}/show", problems)
    wait_live(page)
    shown = Shown(page, frame_of(page))
    first = shown.frame.evaluate("bokeh_server_session.ticket")
    server.kill()
    page.wait_for_selector("html[data-connection=reconnecting], html[data-connection=lost]")
    move_slider(shown)
    server.start()
    page.wait_for_selector("html[data-connection=live]")
    assert shown.frame.evaluate("bokeh_server_session.ticket") != first
    wait_until(lambda: api.attributes(scene.docid, scene.slider)["value"], 2)
    api.set(scene.docid, scene.slider, "value", 8)
    wait_until(lambda: shown.frame.evaluate(VALUE, scene.slider), 8)
    api.close()


def test_a_page_that_loads_slowly_asks_for_a_ticket(
    context: BrowserContext, people_api: Api, scene: Scene
) -> None:
    """The ticket that came with the page is not given out when it may be over."""
    page = context.new_page()
    late = "performance.now = () => 31000"
    page.add_init_script(f"if (location.pathname.endsWith('/show')) {{ {late} }}")
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if "/ticket" in each.url else None)
    page.goto(f"{people_api.url}/bokeh/doc/{scene.docid}/show")
    wait_live(page)
    assert len(asked) == 1
    assert asked[0].endswith("/ticket?kind=frame")


@pytest.mark.parametrize("what", ["show", "squares"])
@pytest.mark.parametrize("size", [(400, 500), (1400, 500)])
def test_a_frame_fills_the_page(
    browser_page: Page, people_api: Api, scene: Scene, what: str, size: tuple[int, int]
) -> None:
    """From the bar to every edge, with one scrollbar at most, which is the frame's."""
    page = browser_page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{people_api.url}/bokeh/doc/{scene.docid}/{what}")
    wait_live(page)
    box = page.locator("#frame").bounding_box()
    bar = page.locator(".bar").bounding_box()
    assert box is not None
    assert bar is not None
    assert (box["x"], box["width"]) == (0, size[0])
    assert box["y"] == bar["height"]
    assert box["y"] + box["height"] == size[1]
    scrolls = "document.documentElement.scrollHeight > innerHeight"
    assert not page.evaluate(scrolls)
    assert not frame_of(page).evaluate(scrolls)
    stage = "((it) => it.scrollHeight > it.clientHeight)(document.getElementById('stage'))"
    wait_until(lambda: frame_of(page).evaluate(stage), what == "show")


@pytest.fixture
def browser_page(context: BrowserContext) -> Page:
    """A page whose complaints do not matter."""
    return context.new_page()
