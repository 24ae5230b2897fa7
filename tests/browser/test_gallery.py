"""The gallery: live, and each document can be opened, renamed and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bokeh.document import Document
from bokeh.plotting import figure
from playwright.sync_api import Page, expect

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
    expect(page.get_by_text("Nothing is published yet")).to_be_visible()
    assert f'url="{own_api.url}/"' in page.locator("#example").inner_text()
    first = own_api.make("first", plotted())
    wait_until(lambda: titles(page), ["first"])
    expect(page.get_by_text("Nothing is published yet")).to_be_hidden()
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
    expect(page.get_by_text("Nothing is published yet")).to_be_visible()
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
