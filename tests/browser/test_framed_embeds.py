"""Plots of a shared server in pages of other origins: in frames, whoever wrote them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bokeh.document import Document
from bokeh.models import CustomJS, Slider
from bokeh.plotting import figure
from playwright.sync_api import Frame, Page, expect

from support.browser import Api, frame_of, wait_until
from support.site import Site

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

HEIGHTS = "[...document.querySelectorAll('iframe')].map((it) => it.offsetHeight)"
VALUE = "(name) => Bokeh.documents[0].get_model_by_name(name).value"


@pytest.fixture
def site() -> Iterator[Site]:
    """A site of another origin."""
    made = Site()
    yield made
    made.close()


@pytest.fixture
def docid(people_api: Api, title: str) -> str:
    """A published document with a plot and a slider whose callback looks around."""
    plot = figure(name="one", width=300, height=200)
    plot.line([1, 2], [1, 2])
    slider = Slider(name="amount", start=0, end=10, value=1, step=1)
    code = "try { window.found = top.document.title } catch { window.found = 'refused' }"
    slider.js_on_change("value", CustomJS(code=code))
    document = Document()
    document.add_root(plot)
    document.add_root(slider)
    docid = people_api.make(title, document)
    people_api.call("POST", f"/bokeh/{docid}/publish")
    return docid


def tag(api: Api, element: str, docid: str, model: str, more: str = "") -> str:
    """The script tag of one plot."""
    src = f"{api.url}/bokeh/autoload.js/{element}?docid={docid}&modelid={model}{more}"
    return f'<p>before</p><script src="{src}" id="{element}" async></script>'


def plots_in(page: Page) -> list[Frame]:
    """The frames in the shells in the page."""
    page.wait_for_selector("iframe")
    handles = page.query_selector_all("iframe")
    shells = [handle.content_frame() for handle in handles]
    return [frame_of(shell) for shell in shells if shell is not None]


def test_a_plot_runs_in_a_frame_and_not_in_the_site(
    visit: Visit, people_api: Api, site: Site, docid: str
) -> None:
    """It is live and as high as it needs; its JavaScript does not get at the page it stands in."""
    body = tag(people_api, "a", docid, "one") + tag(people_api, "b", docid, "amount")
    page = visit(site.add("/two", body))
    wait_until(lambda: sorted(page.evaluate(HEIGHTS)), [42, 200])
    assert page.evaluate("window.Bokeh === undefined")
    one, amount = sorted(plots_in(page), key=lambda each: each.locator(".noUi-handle").count())
    assert one.locator(".bk-Canvas").count() == 1
    amount.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    wait_until(lambda: amount.evaluate("window.found"), "refused")
    assert amount.evaluate("window.origin") == "null"
    slider = next(m["id"] for m in people_api.call("GET", f"/bokeh/bb/{docid}/Slider/"))
    page.wait_for_timeout(300)
    assert people_api.attributes(docid, slider)["value"] == 1
    people_api.set(docid, slider, "value", 7)
    wait_until(lambda: amount.evaluate(VALUE, "amount"), 7)


def test_a_pinned_one_and_what_cannot_be_shown(
    visit: Visit, people_api: Api, site: Site, docid: str
) -> None:
    """A revision is drawn as it was; a reason stands where there is nothing to draw."""
    slider = next(m["id"] for m in people_api.call("GET", f"/bokeh/bb/{docid}/Slider/"))
    people_api.set(docid, slider, "value", 5)
    page = visit(site.add("/pinned", tag(people_api, "a", docid, "amount", "&revision=1")))
    (frame,) = plots_in(page)
    frame.wait_for_selector(".noUi-handle")
    assert frame.evaluate(VALUE, "amount") == 1
    page = visit(site.add("/nothing", tag(people_api, "a", "nothing", "amount")))
    expect(page.get_by_role("status")).to_contain_text("there is none of this docid")


def test_a_document_that_ends_says_so(
    visit: Visit, people_api: Api, site: Site, docid: str
) -> None:
    """In the frame, which makes room for it."""
    page = visit(site.add("/ends", tag(people_api, "a", docid, "amount")))
    wait_until(lambda: page.evaluate(HEIGHTS), [42])
    people_api.call("DELETE", f"/bokeh/doc/{docid}/")
    notice = page.frame_locator("iframe").locator("#notice")
    expect(notice).to_have_text("This document was deleted.")
    wait_until(lambda: page.evaluate(HEIGHTS)[0] > 80)


def test_a_site_that_may_not(visit: Visit, people_api: Api, site: Site, docid: str) -> None:
    """The reason stands in the tag's place, whether the page tells where it is or not."""

    def choose(*sites: str) -> None:
        people_api.call("PUT", f"/bokeh/doc/{docid}/sites", json={"sites": list(sites)})

    choose("https://example.org")
    silent = {"Referrer_Policy": "no-referrer"}
    for path, headers in (("/told", {}), ("/silent", silent)):
        page = visit(site.add(path, tag(people_api, "a", docid, "one"), **headers))
        reason = f"on {site.url}"
        expect(page.get_by_role("status")).to_contain_text(reason)
        expect(page.get_by_role("status")).to_contain_text("its owner lets other sites show it")
        assert page.locator("iframe").count() == 0
    choose("https://example.org", site.url)
    page = visit(site.add("/chosen", tag(people_api, "a", docid, "one"), **silent))
    (frame,) = plots_in(page)
    frame.wait_for_selector(".bk-Canvas")


def test_a_site_around_one_that_may(
    visit: Visit, people_api: Api, site: Site, docid: str, problems: list[str]
) -> None:
    """A page that may show it shows nothing in a frame of one that may not."""
    other = Site()
    try:
        people_api.call("PUT", f"/bokeh/doc/{docid}/sites", json={"sites": [site.url]})
        inner = site.add("/inner", tag(people_api, "a", docid, "one"))
        page = visit(other.add("/outer", f'<iframe src="{inner}"></iframe>'))
        note = page.frame_locator("iframe").get_by_role("status")
        expect(note).to_contain_text(f"on {other.url}")
        shell = f"{people_api.url}/bokeh/doc/{docid}/show?public=true"
        page = visit(other.add("/shell", f'<iframe src="{shell}"></iframe>'))
        wait_until(lambda: any("frame-ancestors" in each for each in problems))
        assert page.frame_locator("iframe").locator("#frame").count() == 0
    finally:
        other.close()
        problems.clear()
