"""A page follows what a script does to its document: new roots, successors, titles, the end."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from io import BytesIO

import pytest
from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import Div, LayoutDOM, TextInput
from bokeh.plotting import figure
from PIL import Image
from playwright.sync_api import Page

from support.browser import Api, wait_live, wait_until

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

#: a mark on the page's window, gone after a reload.
MARK = "window.not_reloaded = true"
IS_MARKED = "window.not_reloaded === true"
SHOWN = "[...Bokeh.index].map((view) => view.model.name).filter((name) => name)"


def plot(name: str | None, color: str = "navy") -> figure:
    """A plot of one fat dot."""
    made = figure(name=name, width=300, height=250, toolbar_location=None)
    made.scatter([1], [1], size=120, color=color)
    return made


def document(*roots: LayoutDOM) -> Document:
    """A document of these roots."""
    made = Document()
    for root in roots:
        made.add_root(root)
    return made


def middle_pixel(page: Page) -> tuple[int, ...]:
    """The colour in the middle of the first plot; of the page as it is, while plots are swapped."""
    place = "document.querySelector('.bokeh-server-slot').getBoundingClientRect().toJSON()"
    box = page.evaluate(place)
    image = Image.open(BytesIO(page.screenshot())).convert("RGB")
    middle = (int(box["x"] + box["width"] / 2 + 20), int(box["y"] + box["height"] / 2 - 10))
    pixel = image.getpixel(middle)
    assert isinstance(pixel, tuple)
    return pixel


def open_live(visit: Visit, url: str) -> Page:
    """Open a page, wait until it is drawn, and mark it."""
    page = visit(url)
    wait_live(page)
    page.evaluate(MARK)
    return page


@pytest.mark.parametrize("name", ["signal", None])
def test_the_page_of_a_plot_follows_its_successor(
    visit: Visit, api: Api, title: str, name: str | None
) -> None:
    """A later run of the script replaces everything; the page shows the new plot, no reload."""
    old = plot(name)
    docid = api.make(title, document(plot("other"), old))
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/{old.id}")
    assert middle_pixel(page) == (0, 0, 128)
    for color, pixel in (("green", (0, 128, 0)), ("red", (255, 0, 0))):
        others = (plot("other"), plot(name, color))
        api.replace(docid, document(*others))
        wait_until(lambda: middle_pixel(page), pixel)
        wait_until(lambda: page.locator(".bk-Canvas").count(), 1)
    assert page.evaluate(IS_MARKED)
    again = visit(f"{api.url}/bokeh/doc/{docid}/{old.id}")
    wait_live(again)
    assert middle_pixel(again) == (255, 0, 0)


def test_a_page_that_only_looks_keeps_little_of_what_was_replaced(
    visit: Visit, api: Api, title: str
) -> None:
    """BokehJS would take each model that a script sends for one of its own, not yet sent."""
    docid = api.make(title, document(plot("one")))
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/show?public=true")
    for _ in range(5):
        new = plot("next")
        api.replace(docid, document(new))
        wait_until(
            lambda: page.evaluate("Bokeh.documents[0].roots().map(root => root.id)"), [new.id]
        )
    kept = page.evaluate("[...Bokeh.documents[0]._new_models].map(model => model.type)")
    assert len(kept) < 5 * len(new.references()) / 4, kept


def test_a_plot_within_a_layout_is_shown_alone(visit: Visit, api: Api, title: str) -> None:
    """The page of one plot of a layout shows nothing else; a widget has a page, too."""
    text = TextInput(name="text", value="hello")
    docid = api.make(title, document(row(plot("left"), column(plot("right", "green"), text))))
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/right")
    assert page.locator(".bk-Canvas").count() == 1
    assert middle_pixel(page) == (0, 128, 0)
    page.goto(f"{api.url}/bokeh/doc/{docid}/text")
    wait_live(page)
    assert page.locator("input[type=text]").input_value() == "hello"


def test_a_plot_that_is_gone_says_so_and_comes_back(visit: Visit, api: Api, title: str) -> None:
    """Without a successor the page tells; it shows the plot when there is one again."""
    docid = api.make(title, document(plot("signal")))
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/signal")
    api.replace(docid, document())
    page.wait_for_selector("#notice:has-text('removed from the document')")
    assert page.locator(".bk-Canvas").count() == 0
    api.replace(docid, document(plot("signal", "red")))
    wait_until(lambda: page.locator(".bk-Canvas").count(), 1)
    assert page.locator("#notice").is_hidden()
    assert page.evaluate(IS_MARKED)


def test_the_page_of_a_document_follows_its_roots(visit: Visit, api: Api, title: str) -> None:
    """Roots that come, go and are replaced are shown in the document's order."""
    first, second = plot("first"), plot("second")
    docid = api.make(title, document(first, second))
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/show")
    order = (
        "[...document.querySelectorAll('.bokeh-server-slot')].map((slot) =>"
        " [...Bokeh.index].find((view) => slot.contains(view.el)).model.name)"
    )
    assert page.evaluate(order) == ["first", "second"]
    api.change(docid, {"kind": "RootRemoved", "model": {"id": first.id}})
    wait_until(lambda: page.evaluate(order), ["second"])
    third = Div(name="third", text="words")
    root = {"type": "object", "name": "Div", "id": third.id}
    event = {"kind": "RootAdded", "model": {**root, "attributes": {"name": "third"}}}
    api.change(docid, event)
    wait_until(lambda: page.evaluate(order), ["second", "third"])
    api.replace(docid, document(plot("a"), plot("b"), plot("c")))
    wait_until(lambda: page.evaluate(order), ["a", "b", "c"])
    assert page.evaluate(IS_MARKED)


def test_an_empty_document_says_so(visit: Visit, api: Api, title: str) -> None:
    """A document without anything in it explains itself, and shows what comes."""
    docid = api.make(title)
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/show")
    page.wait_for_selector("#notice:has-text('Nothing has been drawn')")
    api.replace(docid, document(plot("first")))
    wait_until(lambda: page.locator(".bk-Canvas").count(), 1)
    assert page.locator("#notice").is_hidden()


def test_a_renamed_document_renames_its_pages(visit: Visit, api: Api, title: str) -> None:
    """The title in the bar and of the window follows."""
    docid = api.make(title, document(plot("a")))
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/show")
    assert page.title() == title
    new = f"{title} <b>&amp; more</b>"
    api.call("PATCH", f"/bokeh/doc/{docid}/", json={"title": new})
    wait_until(lambda: page.locator("#title").inner_text(), new)
    assert page.title() == new


def test_a_title_of_the_author_is_the_same_live_and_loaded(
    visit: Visit, api: Api, title: str
) -> None:
    """What a script calls its document heads its pages; the list has what it is stored under."""
    docid = api.make(title, document(plot("a")))
    open_page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/show")
    for own, shown in [("Later <b>", "Later <b>"), ("Bokeh Application", title), ("", title)]:
        api.change(docid, {"kind": "TitleChanged", "title": own})
        wait_until(lambda shown=shown: open_page.locator("#title").inner_text(), shown)
        later = open_live(visit, f"{api.url}/bokeh/doc/{docid}/show")
        assert (later.title(), later.locator("#title").inner_text()) == (shown, shown)
        later.close()
        source = api.http.get(f"{api.url}/bokeh/doc/{docid}/show").text
        api.http.close()
        assert f"<title>{escape(shown)}</title>" in source
        assert api.call("GET", f"/bokeh/doc/{docid}/")["title"] == title


def test_a_deleted_document_says_so(visit: Visit, api: Api, title: str) -> None:
    """The page stays, tells that the document was deleted, and does not connect again."""
    docid = api.make(title, document(plot("a")))
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/show")
    api.call("DELETE", f"/bokeh/doc/{docid}/")
    page.wait_for_selector("html[data-connection=deleted]")
    assert "was deleted" in page.locator("#notice").inner_text()
    sockets: list[object] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.wait_for_timeout(1500)
    assert sockets == []


def test_formulas_load_what_draws_them(visit: Visit, api: Api, title: str) -> None:
    """MathJax is loaded when a model needs it, also when that comes later."""
    shown = plot("a")
    docid = api.make(title, document(shown))
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/show")
    loaded = "performance.getEntriesByType('resource').some((it) => it.name.includes('mathjax'))"
    assert not page.evaluate(loaded)
    formula = plot("b")
    formula.title.text = r"$$\int_0^1 x^2 dx$$"
    api.replace(docid, document(formula))
    wait_until(lambda: page.evaluate(loaded))
    wait_until(lambda: page.evaluate(SHOWN), ["b"])


def test_the_plot_fills_the_page_when_it_should(visit: Visit, api: Api, title: str) -> None:
    """A plot that stretches takes the room there is, and no more."""
    wide = figure(name="wide", sizing_mode="stretch_both")
    wide.line([1, 2], [1, 2])
    docid = api.make(title, document(wide))
    page = open_live(visit, f"{api.url}/bokeh/doc/{docid}/wide")
    box = page.locator(".bk-Canvas").bounding_box()
    assert box is not None
    assert box["width"] > 850
    assert box["height"] > 600
    overflow = "document.documentElement.scrollHeight - document.documentElement.clientHeight"
    assert page.evaluate(overflow) == 0
