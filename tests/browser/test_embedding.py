"""Live plots in pages of other origins, by a script tag alone."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from bokeh.document import Document
from bokeh.models import Slider
from bokeh.plotting import figure
from playwright.sync_api import Page, expect

from bokeh_server.client import Session
from bokeh_server.embed import autoload_server
from support.browser import Api, take_out, wait_until
from support.site import Site

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


@pytest.fixture
def site() -> Iterator[Site]:
    """A site of another origin."""
    made = Site()
    yield made
    made.close()


def tag(api: Api, element: str, docid: str, model: str, more: str = "") -> str:
    """The script tag of one plot."""
    query = f"docid={docid}&modelid={model}{more}"
    src = f"{api.url}/bokeh/autoload.js/{element}?{query}"
    return f'<script src="{src}" id="{element}" async></script>'


@pytest.fixture
def docid(api: Api, title: str) -> str:
    """A document with two plots and a slider."""
    document = Document()
    for name in ("one", "two"):
        plot = figure(name=name, width=300, height=200)
        plot.line([1, 2], [1, 2])
        document.add_root(plot)
    document.add_root(Slider(name="amount", start=0, end=10, value=1, step=1))
    return api.make(title, document)


def canvases(page: Page) -> int:
    """How many plots are drawn."""
    return page.locator(".bk-Canvas").count()


def test_several_tags_share_one_bokehjs_and_one_socket(
    visit: Visit, api: Api, site: Site, docid: str
) -> None:
    """Three tags: plots where they stand, BokehJS loaded once, one socket, both ways live."""
    body = f"<p>before</p>{tag(api, 'a', docid, 'one')}<p>between</p>"
    body += tag(api, "b", docid, "two") + tag(api, "c", docid, "amount")
    url = site.add("/three", body)
    page = visit("about:blank")
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(url)
    wait_until(lambda: canvases(page), 2)
    page.wait_for_selector(".noUi-handle")
    loads = "performance.getEntriesByType('resource').filter((it) => it.name.includes('{}')).length"
    assert page.evaluate(loads.format("/bokeh.min.js")) == 1
    assert page.evaluate(loads.format("/session.js")) == 1
    assert len(sockets) == 1
    parts = "[...document.body.children].map((it) => it.className || it.textContent).join()"
    assert page.evaluate(parts).startswith("before,,bokeh-server-plot,between,,bokeh-server-plot")
    slider = next(m["id"] for m in api.call("GET", f"/bokeh/bb/{docid}/Slider/"))
    page.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    wait_until(lambda: api.attributes(docid, slider)["value"], 2)
    api.set(docid, slider, "value", 9)
    value = "Bokeh.documents[0].get_model_by_name('amount').value"
    wait_until(lambda: page.evaluate(value), 9)


def test_public_embeds_only_look(visit: Visit, api: Api, site: Site, docid: str) -> None:
    """What is moved in a public embed stays in that page."""
    slider = next(m["id"] for m in api.call("GET", f"/bokeh/bb/{docid}/Slider/"))
    page = visit(site.add("/public", tag(api, "a", docid, "amount", "&public=true")))
    page.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert api.attributes(docid, slider)["value"] == 1
    api.set(docid, slider, "value", 4)
    value = "Bokeh.documents[0].get_model_by_name('amount').value"
    wait_until(lambda: page.evaluate(value), 4)


def test_a_plot_pinned_to_a_revision(visit: Visit, api: Api, site: Site, docid: str) -> None:
    """It is drawn as it was, in a page of another origin, beside the live one of the same name."""
    slider = next(m["id"] for m in api.call("GET", f"/bokeh/bb/{docid}/Slider/"))
    api.set(docid, slider, "value", 5)
    pinned = tag(api, "b", docid, "amount", "&revision=1")
    page = visit(site.add("/pinned", tag(api, "a", docid, "amount") + pinned))
    values = (
        "window.Bokeh?.documents?.map((it) => it.get_model_by_name('amount')?.value)"
        ".filter((it) => it != null).sort().join()"
    )
    wait_until(lambda: page.evaluate(values), "1,5")
    wait_until(lambda: page.locator(".noUi-handle").count(), 2)
    api.set(docid, slider, "value", 7)
    wait_until(lambda: page.evaluate(values), "1,7")
    later = visit(site.add("/later", tag(api, "a", docid, "amount", "&revision=99")))
    expect(later.get_by_role("status")).to_contain_text("Revisions 0 to 3 can be opened")


def test_a_page_that_has_bokehjs_keeps_it(visit: Visit, api: Api, site: Site, docid: str) -> None:
    """BokehJS of the same version that the page brought itself is used, not loaded again."""
    import bokeh

    own = f"{api.url}/bokeh/bokehjs/{bokeh.__version__}/bokeh.min.js"
    page = visit(site.add("/has", f'<script src="{own}"></script>{tag(api, "a", docid, "one")}'))
    page.evaluate("window.own = Bokeh")
    wait_until(lambda: canvases(page), 1)
    assert page.evaluate("window.own === Bokeh")
    loads = "performance.getEntriesByType('resource').filter((it) => it.name === '{}').length"
    assert page.evaluate(loads.format(own)) == 1


def test_a_page_with_another_bokehjs_shows_both(
    visit: Visit, api: Api, site: Site, docid: str
) -> None:
    """A page of another version keeps its own `Bokeh`, and the plot brings the one it needs."""
    other = '<script>window.Bokeh = {version: "2.4.3", __bokeh__: true}</script>'
    page = visit(site.add("/other", other + tag(api, "a", docid, "one")))
    wait_until(lambda: canvases(page), 1)
    assert page.evaluate("Bokeh.version") == "2.4.3"


@pytest.mark.parametrize("missing", ["document", "model"])
def test_what_is_not_there_is_told_in_the_page(
    visit: Visit, api: Api, site: Site, docid: str, missing: str
) -> None:
    """An unknown document or plot leaves a message where the plot would be."""
    where = {"document": ("none", "one"), "model": (docid, "nothing")}[missing]
    page = visit(site.add("/missing", tag(api, "a", *where)))
    told = {"document": "Could not open", "model": "Could not find"}[missing]
    expect(page.get_by_role("status")).to_contain_text(told)


def test_a_policy_that_forbids_it_is_told(
    visit: Visit, api: Api, site: Site, docid: str, problems: list[str]
) -> None:
    """Where the page's own policy lets only the tag itself load, the page says what failed."""
    policy = f"script-src {api.url}/bokeh/autoload.js/ 'unsafe-inline'"
    page = visit(site.add("/policy", tag(api, "a", docid, "one"), Content_Security_Policy=policy))
    expect(page.get_by_role("status")).to_contain_text("could not be loaded")
    take_out(problems, "violates the following Content Security Policy")


def test_bokehjs_that_does_not_load_is_told(
    visit: Visit, api: Api, site: Site, docid: str, problems: list[str]
) -> None:
    """When BokehJS cannot be loaded the page says so, in embeds and in our own pages."""
    page = visit("about:blank")
    page.route("**/bokeh.min.js", lambda route: route.abort())
    page.goto(site.add("/broken", tag(api, "a", docid, "one")))
    expect(page.get_by_role("status")).to_contain_text("could not load")
    page.goto(f"{api.url}/bokeh/doc/{docid}/show")
    expect(page.locator("#notice")).to_contain_text("could not load")
    take_out(problems, "bokeh.min.js", "Cannot find Bokeh")


def test_an_embed_outlives_a_lost_connection(
    visit: Visit, api: Api, site: Site, docid: str
) -> None:
    """Cut off for longer than one attempt, an embed gets a new ticket and follows again."""
    page = visit(site.add("/again", tag(api, "a", docid, "amount")))
    page.wait_for_selector(".noUi-handle")
    page.context.set_offline(True)
    page.evaluate("Bokeh.documents[0] && 0")
    page.evaluate(
        """async () => {
            const loaded = performance.getEntriesByType("resource")
            const {name} = loaded.find((it) => it.name.includes("/embed.js"))
            const {sessions} = await import(name)
            const session = await [...sessions.values()][0]
            session._connection.socket.close()
        }"""
    )
    expect(page.get_by_role("status")).to_contain_text("connection was lost")
    page.wait_for_timeout(1500)
    slider = next(m["id"] for m in api.call("GET", f"/bokeh/bb/{docid}/Slider/"))
    api.set(docid, slider, "value", 6)
    page.context.set_offline(False)
    value = "Bokeh.documents[0].get_model_by_name('amount').value"
    wait_until(lambda: page.evaluate(value), 6)
    expect(page.get_by_role("status")).to_be_hidden()


def test_a_tag_says_when_its_server_is_away(visit: Visit, api: Api, site: Site, title: str) -> None:
    """Without any script of ours, a message stands where the tag is, and nothing else changes."""
    plot = figure(width=300, height=200)
    session = Session(title, api.url, load_from_config=False)
    session.use_doc(title)
    session.store_document(document_of(plot))
    found = autoload_server(plot, session)
    session.close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        away = f"http://127.0.0.1:{taken.getsockname()[1]}"
    body = f"<p>before</p>{found.replace(api.url, away)}<p>after</p>"
    page = visit(site.add("/away", body))
    page.wait_for_selector("p:has-text('before') + [role=alert] + p:has-text('after')")
    assert f"{away} does not deliver it" in page.locator("[role=alert]").inner_text()
    there = visit(site.add("/there", f"<p>before</p>{found}<p>after</p>"))
    wait_until(lambda: canvases(there), 1)
    assert there.locator("[role=alert]").count() == 0


def document_of(plot: figure) -> Document:
    """A document of one plot."""
    made = Document()
    made.add_root(plot)
    return made


def test_a_site_that_may_not(visit: Visit, api: Api, site: Site, docid: str) -> None:
    """The reason stands in the tag's place; on a site that may, the plot is drawn and live."""
    sites = {"sites": ["https://example.org"]}
    api.call("PUT", f"/bokeh/doc/{docid}/sites", json=sites)
    silent = {"Referrer_Policy": "no-referrer"}
    for path, headers in (("/told", {}), ("/silent", silent)):
        page = visit(site.add(path, tag(api, "a", docid, "one"), **headers))
        expect(page.get_by_role("status")).to_contain_text("its owner lets other sites show it")
        assert canvases(page) == 0
    api.call("PUT", f"/bokeh/doc/{docid}/sites", json={"sites": [site.url]})
    page = visit(site.add("/chosen", tag(api, "a", docid, "amount"), **silent))
    page.wait_for_selector(".noUi-handle")
    slider = next(m["id"] for m in api.call("GET", f"/bokeh/bb/{docid}/Slider/"))
    api.set(docid, slider, "value", 6)
    value = "Bokeh.documents[0].get_model_by_name('amount').value"
    wait_until(lambda: page.evaluate(value), 6)
