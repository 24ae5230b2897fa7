"""Frames at a host of their own: everything works there, and no cookie gets there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bokeh.document import Document
from bokeh.models import CustomJS, Slider
from bokeh.plotting import figure
from playwright.sync_api import BrowserContext, Page, Request

from support.browser import Api, frame_of, wait_live, wait_until
from support.server import RunningServer, running_server
from support.site import Site

pytestmark = pytest.mark.browser

VALUE = "Bokeh.documents[0].get_model_by_name('amount').value"


@pytest.fixture(scope="module", params=["127.0.0.1", "*.frames.localhost"])
def people_server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server whose frames are at another name, or each document's at one of its own."""
    options = ("--multi-user", "--url-prefix", "plots", "--usercontent-host", request.param)
    with running_server(*options) as server:
        yield server


@pytest.fixture(scope="module")
def people_api(people_server: RunningServer) -> Iterator[Api]:
    """Scripts' way to it."""
    found = Api(people_server.url)
    found.enter()
    yield found
    found.close()


@pytest.fixture
def docid(people_api: Api, title: str) -> str:
    """A plot and a slider with a callback."""
    document = Document()
    plot = figure(name="one", width=300, height=200)
    plot.line([1, 2], [1, 2])
    slider = Slider(name="amount", start=0, end=10, value=1, step=1)
    slider.js_on_change("value", CustomJS(code="window.ran = true"))
    document.add_root(plot)
    document.add_root(slider)
    return people_api.make(title, document)


def move(page: Page) -> None:
    """Move the slider one step up."""
    frame_of(page).locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")


def test_no_cookie_gets_there(logged_in: BrowserContext, people_api: Api, docid: str) -> None:
    """The page has a login and its frame none, and is live, both ways, now and as it once was."""
    page = logged_in.new_page()
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    page.goto(f"{people_api.url}/bokeh/doc/{docid}/show")
    wait_live(page)
    move(page)
    slider = next(m["id"] for m in people_api.call("GET", f"/bokeh/bb/{docid}/Slider/"))
    wait_until(lambda: people_api.attributes(docid, slider)["value"], 2)
    people_api.set(docid, slider, "value", 7)
    wait_until(lambda: frame_of(page).evaluate(VALUE), 7)
    assert frame_of(page).evaluate("window.ran") is True
    frame_host = frame_of(page).evaluate("location.host")
    assert frame_host not in people_api.url
    told = [each for each in requests if f"//{frame_host}/" in each.url]
    assert len(told) > 10
    assert not any("cookie" in each.all_headers() for each in told)
    assert any("cookie" in each.all_headers() for each in requests)
    page.goto(f"{people_api.url}/bokeh/doc/{docid}/show?revision=1")
    page.wait_for_selector("html[data-connection=still]")
    wait_until(lambda: frame_of(page).evaluate(VALUE), 1)


def test_a_page_that_lost_its_connection(
    logged_in: BrowserContext, people_server: RunningServer, people_api: Api, docid: str
) -> None:
    """Its frame gets another ticket from it, and connects again."""
    page = logged_in.new_page()
    page.goto(f"{people_api.url}/bokeh/doc/{docid}/show")
    wait_live(page)
    people_server.restart()
    slider = next(m["id"] for m in people_api.call("GET", f"/bokeh/bb/{docid}/Slider/"))
    people_api.set(docid, slider, "value", 3)
    wait_until(lambda: frame_of(page).evaluate(VALUE), 3)


def test_a_plot_in_a_page_of_another_site(
    context: BrowserContext, people_api: Api, docid: str
) -> None:
    """The site holds the server's page, and that a frame of the other host."""
    people_api.call("POST", f"/bokeh/{docid}/publish")
    site = Site()
    try:
        people_api.call("PUT", f"/bokeh/doc/{docid}/sites", json={"sites": [site.url]})
        src = f"{people_api.url}/bokeh/autoload.js/a?docid={docid}&modelid=one"
        page = context.new_page()
        page.goto(site.add("/plot", f'<script src="{src}" id="a" async></script>'))
        page.wait_for_selector("iframe")
        shell = page.query_selector("iframe")
        assert shell is not None
        inside = shell.content_frame()
        assert inside is not None
        frame_of(inside).wait_for_selector(".bk-Canvas")
        wait_until(lambda: page.evaluate("document.querySelector('iframe').offsetHeight"), 200)
    finally:
        site.close()
