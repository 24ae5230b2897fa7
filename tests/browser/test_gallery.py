"""The gallery: live, and each document can be opened, renamed and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bokeh.document import Document
from bokeh.plotting import figure
from playwright.sync_api import Browser, Page, expect

from support.browser import Api, wait_live, wait_until
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


@pytest.fixture(scope="module")
def own_server() -> Iterator[RunningServer]:
    """A server with documents of this module only."""
    with running_server("--url-prefix", "plots") as server:
        yield server


@pytest.fixture
def own_api(own_server: RunningServer) -> Iterator[Api]:
    """Scripts' way to it; documents are deleted afterwards."""
    api = Api(own_server.url)
    yield api
    for doc in api.call("GET", "/bokeh/userinfo/")["docs"]:
        api.call("DELETE", f"/bokeh/doc/{doc['docid']}/")
    api.close()


def titles(page: Page) -> list[str]:
    """The titles on the list, in order."""
    return page.locator(".doc .title").all_inner_texts()


def live(visit: Visit, api: Api, path: str = "/") -> Page:
    """Open the list and wait until it is live."""
    page = visit(api.url + path)
    page.wait_for_selector("html[data-connection=live]")
    return page


def plotted() -> Document:
    """A document with one plot."""
    plot = figure(name="p", width=300, height=200)
    plot.line([1, 2], [1, 2])
    document = Document()
    document.add_root(plot)
    return document


def test_the_list_is_live(visit: Visit, own_api: Api) -> None:
    """Documents appear, move to the top when they change, and go, without a reload."""
    page = live(visit, own_api)
    expect(page.get_by_text("You have no documents yet")).to_be_visible()
    assert f'url="{own_api.url}/"' in page.locator("#example").inner_text()
    first = own_api.make("first", plotted())
    wait_until(lambda: titles(page), ["first"])
    expect(page.get_by_text("You have no documents yet")).to_be_hidden()
    second = own_api.make("second")
    wait_until(lambda: titles(page), ["second", "first"])
    own_api.replace(first, plotted())
    wait_until(lambda: titles(page), ["first", "second"])
    expect(page.locator(".doc").first).to_contain_text("1 plot")
    own_api.call("DELETE", f"/bokeh/doc/{second}/")
    wait_until(lambda: titles(page), ["first"])


def test_viewers_are_counted_and_documents_opened(visit: Visit, own_api: Api) -> None:
    """The number of viewers is live; the title leads to the document, and its bar back."""
    own_api.make("watched", plotted())
    page = live(visit, own_api, "/bokeh/")
    expect(page.locator(".viewers")).to_have_text("0 viewers")
    other = visit(own_api.url + "/bokeh/")
    other.locator(".doc .title").click()
    wait_live(other)
    expect(page.locator(".viewers")).to_have_text("1 viewer")
    other.locator(".back").click()
    other.wait_for_selector(".doc")
    expect(page.locator(".viewers")).to_have_text("0 viewers")


def test_rename_in_place_by_keyboard(visit: Visit, own_api: Api) -> None:
    """A title is changed in the list; Escape keeps the old one; a taken title is told."""
    docid = own_api.make("old title")
    page = live(visit, own_api)
    page.get_by_role("button", name="Rename old title").press("Enter")
    page.get_by_label("New title").fill("<i>new</i> & {{ 7*7 }}")
    page.keyboard.press("Enter")
    wait_until(lambda: titles(page), ["<i>new</i> & {{ 7*7 }}"])
    info = own_api.call("GET", f"/bokeh/doc/{docid}/")
    assert info["title"] == "<i>new</i> & {{ 7*7 }}"
    page.get_by_role("button", name="Rename").press("Enter")
    page.get_by_label("New title").fill("never mind")
    page.keyboard.press("Escape")
    assert titles(page) == ["<i>new</i> & {{ 7*7 }}"]
    own_api.make("taken")
    wait_until(lambda: len(titles(page)), 2)
    page.get_by_role("button", name="Rename <i>").press("Enter")
    page.get_by_label("New title").fill("taken")
    page.keyboard.press("Enter")
    expect(page.locator(".problem:visible")).to_contain_text("has another document of this title")
    page.reload()
    assert sorted(titles(page)) == ["<i>new</i> & {{ 7*7 }}", "taken"]


def test_delete_asks_first(visit: Visit, own_api: Api) -> None:
    """A document is deleted only when the question is answered with yes."""
    docid = own_api.make("precious")
    page = live(visit, own_api)
    page.get_by_role("button", name="Delete precious").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete precious?")
    page.keyboard.press("Escape")
    assert titles(page) == ["precious"]
    page.get_by_role("button", name="Delete precious").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    wait_until(lambda: titles(page), [])
    expect(page.get_by_text("You have no documents yet")).to_be_visible()
    assert own_api.http.get(f"{own_api.url}/bokeh/doc/{docid}/").status_code == 404


def test_the_list_polls_where_sockets_do_not_get_through(visit: Visit, own_api: Api) -> None:
    """Behind a proxy that knows no WebSockets the list is asked for every few seconds."""
    page = visit("about:blank")
    page.add_init_script(
        "window.WebSocket = class { constructor() { setTimeout(() => this.onclose()) } }"
    )
    page.goto(own_api.url + "/")
    own_api.make("polled")
    wait_until(lambda: titles(page), ["polled"])
    expect(page.locator("html")).to_have_attribute("data-connection", "polling")


def test_an_error_page_leads_back(visit: Visit, own_api: Api, problems: list[str]) -> None:
    """An unknown document is a page that explains and leads to the list."""
    page = visit(own_api.url + "/bokeh/doc/nothing/show")
    expect(page.locator("h1")).to_have_text("There is nothing here")
    page.get_by_role("link", name="All documents").click()
    page.wait_for_url("**/plots/bokeh/")
    assert problems == []


def test_searching_and_sorting_as_one_types(visit: Visit, own_api: Api) -> None:
    """The server looks through all documents; the address says what is asked for."""
    for title in ("Wind b", "wind A", "sea"):
        own_api.make(title)
    page = live(visit, own_api, "/bokeh/")
    page.get_by_label("Search titles").type("WIND")
    wait_until(lambda: titles(page), ["wind A", "Wind b"])
    page.get_by_label("Sort by").select_option("title")
    wait_until(lambda: page.url.partition("?")[2], "q=WIND&sort=title")
    own_api.make("a wind of change")
    own_api.make("not this")
    wait_until(lambda: titles(page), ["a wind of change", "wind A", "Wind b"])
    page.reload()
    assert titles(page) == ["a wind of change", "wind A", "Wind b"]
    page.get_by_label("Search titles").fill("nothing of that name")
    expect(page.get_by_text("No document matches.")).to_be_visible()
    page.get_by_role("link", name="Clear the search").click()
    wait_until(lambda: len(titles(page)), 5)


def test_without_javascript(own_api: Api, browser: Browser) -> None:
    """The server answers a search, and leads on through a long list."""
    for i in range(50):
        own_api.make(f"document {i:02}")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{own_api.url}/bokeh/?sort=title")
    assert titles(page) == [f"document {i:02}" for i in range(48)]
    page.get_by_role("link", name="Show more").click()
    assert titles(page) == ["document 48", "document 49"]
    page.get_by_role("link", name="Show those before").click()
    page.get_by_label("Search titles").fill("document 4 9")
    page.get_by_label("Search titles").press("Enter")
    wait_until(lambda: titles(page), ["document 49"])
    assert page.url.endswith("?q=document+4+9&sort=title")
    context.close()


def test_a_long_list_comes_in_pieces(visit: Visit, own_api: Api) -> None:
    """The page has the first documents, and more when asked; each is told how many there are."""
    for i in range(60):
        own_api.make(f"document {i:02}")
    page = live(visit, own_api, "/bokeh/?sort=title")
    expect(page.locator("#count")).to_have_text("60 documents")
    assert len(titles(page)) == 48
    page.get_by_role("link", name="Show more").click()
    wait_until(lambda: titles(page), [f"document {i:02}" for i in range(60)])
    expect(page.locator(".doc .title").nth(48)).to_be_focused()
    expect(page.get_by_role("link", name="Show more")).to_be_hidden()


def test_a_picture_is_drawn_where_it_is_looked_at(visit: Visit, own_api: Api) -> None:
    """Somebody opens a document, and the gallery shows its picture, blue where the plot is."""
    document = plotted()
    document.roots[0].background_fill_color = "#0000ff"
    docid = own_api.make("drawn", document)
    page = live(visit, own_api, "/bokeh/")
    expect(page.locator(".picture img")).to_have_count(0)
    look_at = visit(f"{own_api.url}/bokeh/doc/{docid}/show")
    wait_live(look_at)
    path = f"{own_api.url}/bokeh/doc/{docid}/thumbnail"
    wait_until(lambda: own_api.http.get(path).status_code, 200)
    own_api.http.close()
    look_at.close()
    image = page.locator(".picture img")
    wait_until(lambda: image.evaluate_all("(all) => all.map((each) => each.naturalWidth)"), [480])
    red, green, blue, _ = image.evaluate(MIDDLE)
    assert red < 60 and green < 60 and blue > 200, (red, green, blue)  # noqa: PT018


#: the colour beside the middle of an image.
MIDDLE = """(image) => {
  const canvas = document.createElement("canvas")
  Object.assign(canvas, {width: 480, height: 300})
  const ctx = canvas.getContext("2d")
  ctx.drawImage(image, 0, 0)
  return [...ctx.getImageData(300, 200, 1, 1).data]
}"""


def test_people_see_what_they_may(browser: Browser, people_server: RunningServer) -> None:
    """What is shared or published appears with its picture and role, and goes when it is not."""
    ada, bob = Api(people_server.url), Api(people_server.url)
    ada.enter("gallery-ada")
    bob.enter("gallery-bob")
    docid = ada.make("from ada", plotted())
    contexts = [browser.new_context(), browser.new_context()]
    for api, context in zip((ada, bob), contexts, strict=True):
        api.log_in(context)
    page = contexts[1].new_page()
    page.goto(f"{people_server.url}/bokeh/?q=gallery-ada")
    page.wait_for_selector("html[data-connection=live]")
    shared, published = (page.locator(f"[data-section={name}] .doc") for name in SECTIONS)
    for role, badge in (("viewer", "Viewer"), ("editor", "Editor")):
        ada.call("PUT", f"/bokeh/doc/{docid}/grants/gallery-bob", json={"role": role})
        expect(shared.locator(".badge.role")).to_have_text(badge)
    look_at = contexts[0].new_page()
    look_at.goto(f"{people_server.url}/bokeh/doc/{docid}/show")
    expect(shared.locator(".picture img")).to_have_count(1, timeout=20_000)
    expect(shared.locator(".viewers")).to_have_text("1 viewer")
    ada.call("DELETE", f"/bokeh/doc/{docid}/grants/gallery-bob")
    expect(shared).to_have_count(0)
    ada.call("POST", f"/bokeh/{docid}/publish")
    expect(published.locator(".owner")).to_have_text("by gallery-ada")
    expect(published.get_by_role("button")).to_have_count(0)
    ada.call("POST", f"/bokeh/{docid}/unpublish")
    expect(published).to_have_count(0)
    for each in (*contexts, ada, bob):
        each.close()


SECTIONS = ("shared", "published")


@pytest.mark.parametrize("query", ["?public=true", "?revision=1"])
def test_pages_that_only_look_draw_nothing(visit: Visit, own_api: Api, query: str) -> None:
    """No picture is drawn of a revision, nor on a page on which everybody only looks."""
    docid = own_api.make("only looked at", plotted())
    page = visit(f"{own_api.url}/bokeh/doc/{docid}/show{query}")
    page.wait_for_selector("html[data-stage=shown]")
    draws = "JSON.parse(document.getElementById('bokeh-server-config').textContent).draws"
    assert page.evaluate(draws) is False
