"""Every page with axe-core: light and dark, on a phone and on a desk. Nothing is to be found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from bokeh.document import Document
from bokeh.plotting import figure
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.browser import Api, wait_until
from support.command import run_command
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
#: the plot is BokehJS's, and its author's.
CONTEXT = {"exclude": [["#stage"], ["#frame"]]}
OPTIONS = {"resultTypes": ["violations"], "iframes": False}
SIZES = ({"width": 400, "height": 800}, {"width": 1400, "height": 900})
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server with accounts."""
    with running_server("-m") as running:
        yield running


@pytest.fixture(scope="module")
def owner(server: RunningServer) -> Iterator[Api]:
    """Somebody with a document, shared and published, and something shared with them."""
    api, other = Api(server.url), Api(server.url)
    api.enter("owner")
    other.enter("other")
    docid = api.make("a document", plotted())
    api.call("PUT", f"/bokeh/doc/{docid}/grants/other", json={"role": "editor"})
    api.call("POST", f"/bokeh/{docid}/publish")
    api.make("مستند <b>طويل</b> " + "long " * 40)
    theirs = other.make("of somebody else", plotted())
    other.call("PUT", f"/bokeh/doc/{theirs}/grants/owner", json={"role": "viewer"})
    other.call("POST", f"/bokeh/{other.make('news', plotted())}/publish")
    yield api
    for each in (api, other):
        each.close()


@pytest.fixture
def page(browser: Browser, owner: Api) -> Iterator[Page]:
    """A page of theirs."""
    context = browser.new_context()
    context.set_default_timeout(20_000)
    owner.log_in(context)
    yield context.new_page()
    context.close()


def plotted() -> Document:
    """A document with one plot."""
    plot = figure(name="p", width=300, height=200)
    plot.line([1, 2], [1, 2])
    document = Document()
    document.add_root(plot)
    return document


def found(page: Page) -> list[str]:
    """What axe finds wrong with a page as it is."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE)
    result: dict[str, Any] = page.evaluate(
        "([context, options]) => axe.run(context, options)", [CONTEXT, OPTIONS]
    )
    return [
        f"{each['impact']}: {each['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for each in result["violations"]
        for node in each["nodes"]
    ]


def check(page: Page, what: str) -> None:
    """Nothing is wrong with a page, whatever screen it is on."""
    for size in SIZES:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            problems = found(page)
            assert problems == [], f"{what}, {scheme}, {size['width']}"
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size["width"], f"{what} is wider than the screen: {wide}"


def test_the_gallery(page: Page, server: RunningServer, owner: Api) -> None:
    """All lists, one list, a search, nothing found, as cards and in a list."""
    for path in ("", "?show=mine", "?q=document", "?q=nothing-of-that-name&show=published"):
        page.goto(f"{server.url}/bokeh/{path}")
        page.wait_for_selector("html[data-connection=live]")
        check(page, path)
    page.goto(f"{server.url}/bokeh/")
    page.set_viewport_size({"width": 1400, "height": 900})
    page.get_by_role("button", name="List", exact=True).click()
    check(page, "list")
    page.get_by_role("button", name="Delete a document").click()
    check(page, "dialog")


def test_an_empty_gallery(browser: Browser, server: RunningServer) -> None:
    """What somebody new sees, who is told what to do."""
    api = Api(server.url)
    api.enter("newcomer")
    context = browser.new_context()
    api.log_in(context)
    page = context.new_page()
    for path in ("", "?show=shared"):
        page.goto(f"{server.url}/bokeh/{path}")
        page.wait_for_selector("html[data-connection=live]")
        check(page, path)
    context.close()
    api.close()


def test_a_document(page: Page, server: RunningServer, owner: Api) -> None:
    """The page of a document, of its plot, of a revision, and its history."""
    docid = owner.call("GET", "/bokeh/doc/?title=a%20document")["docid"]
    for path in ("show", "p", "show?revision=1", "show?strict=true"):
        page.goto(f"{server.url}/bokeh/doc/{docid}/{path}")
        page.wait_for_selector("html[data-connection=live],html[data-connection=still]")
        check(page, path)
    page.goto(f"{server.url}/bokeh/doc/{docid}/show")
    page.get_by_role("button", name="History").click()
    page.locator("#days .change").first.wait_for()
    check(page, "history")
    page.get_by_role("button", name="Who is watching").click()
    check(page, "who is watching")
    page.get_by_role("button", name="More").click()
    check(page, "the menu")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Share", exact=True).click()
    page.locator("#share-people li").first.wait_for()
    for summary in page.locator("#share summary").all():
        summary.click()
    check(page, "the share panel")


def test_accounts_and_errors(
    page: Page, context: BrowserContext, server: RunningServer, owner: Api
) -> None:
    """The forms, with and without a complaint, the account, and an address of nothing."""
    link = owner.call("POST", f"/bokeh/doc/{owner.make('linked')}/links", json={})["id"]
    paths = ("account", "doc/nothing/show", "login?next=/bokeh/", "events", f"link/{link}")
    for path in (*paths, "events?action=create&actor=nobody", "users"):
        page.goto(f"{server.url}/bokeh/{path}")
        check(page, path)
    stranger = context.new_page()
    for path in ("login", "register"):
        stranger.goto(f"{server.url}/bokeh/{path}")
        check(stranger, path)
    stranger.goto(f"{server.url}/bokeh/login")
    stranger.get_by_label("Name").fill("owner")
    stranger.get_by_label("Password").fill("not that one")
    stranger.get_by_role("button", name="Log in").click()
    stranger.get_by_role("alert").wait_for()
    check(stranger, "wrong password")


def test_pages_of_admins(browser: Browser, server: RunningServer, owner: Api) -> None:
    """Everybody's activity, the users, and what asks before it changes one."""
    admin, folder = Api(server.url), server.data_dir
    admin.enter("an-admin")
    run_command(folder, "users", "promote", "--data-dir", str(folder), "an-admin")
    owner.call("GET", "/bokeh/userinfo/")
    context = browser.new_context()
    context.set_default_timeout(20_000)
    admin.log_in(context)
    page = context.new_page()
    for path in ("events?all=1", "users"):
        page.goto(f"{server.url}/bokeh/{path}")
        page.locator(".row").first.wait_for()
        check(page, path)
    page.get_by_role("button", name="Limits of owner").click()
    check(page, "limits")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Disable owner").click()
    check(page, "disable")
    page.keyboard.press("Escape")
    page.get_by_label("Find").fill("nobody-of-this-name")
    page.locator("#nobody").wait_for()
    check(page, "nobody found")
    context.close()
    admin.close()


def test_the_gallery_by_keyboard(page: Page, server: RunningServer, owner: Api) -> None:
    """All of it is reached by Tab, what has the focus is seen, and it stays where it was."""
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{server.url}/bokeh/?show=mine&sort=title")
    page.wait_for_selector("html[data-connection=live]")
    page.keyboard.press("/")
    expect(page.locator("#query")).to_be_focused()
    seen = []
    for _ in range(9):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.id"))
    assert seen[0] == "sort"
    assert {"Rename a document", "Delete a document"} <= set(seen)
    rename = page.get_by_role("button", name="Rename a document")
    rename.focus()
    shown = "(each) => getComputedStyle(each.closest('.actions')).opacity"
    wait_until(lambda: rename.evaluate(shown), "1")
    page.evaluate("document.body.dataset.before = document.activeElement.ariaLabel")
    owner.make("a newer one")
    page.locator(".doc", has_text="a newer one").wait_for()
    expect(rename).to_be_focused()
    page.get_by_role("button", name="Delete a document").press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete a document")).to_be_focused()
    rename.press("Enter")
    page.keyboard.press("Escape")
    expect(rename).to_be_focused()
