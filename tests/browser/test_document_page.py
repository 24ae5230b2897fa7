"""The page of a document: who watches, sharing, downloads, renaming, deleting, losing a right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from bokeh.document import Document
from bokeh.models import CustomJS, Slider
from bokeh.plotting import figure
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.browser import Api, open_page, wait_live
from support.server import RunningServer, running_server
from support.sink import sink

pytestmark = pytest.mark.browser

Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def people() -> Iterator[RunningServer]:
    """A server with accounts."""
    with running_server("-m") as running:
        yield running


@pytest.fixture(scope="module")
def apis(people: RunningServer) -> Iterator[dict[str, Api]]:
    """Three people's scripts."""
    found = {name: Api(people.url) for name in ("ada", "grace", "eve")}
    for name, api in found.items():
        api.enter(name)
    yield found
    for api in found.values():
        api.close()


@pytest.fixture
def visit_as(browser: Browser, apis: dict[str, Api], problems: list[str]) -> Iterator[Enter]:
    """Open the page of a document as somebody, or as nobody."""
    contexts: list[BrowserContext] = []

    def visit(name: str | None, docid: str, width: int = 1000, what: str = "show") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800})
        contexts.append(context)
        context.set_default_timeout(20_000)
        if name is not None:
            apis[name].log_in(context)
        page = open_page(context, f"{apis['ada'].url}/bokeh/doc/{docid}/{what}", problems)
        wait_live(page)
        return page

    yield visit
    for context in contexts:
        context.close()


def plotted() -> Document:
    """A plot and a slider."""
    document = Document()
    plot = figure(name="lake", width=300, height=200)
    plot.line([1, 2, 3], [4, 1, 4])
    document.add_root(plot)
    document.add_root(Slider(start=0, end=10, value=3, name="gain", title="gain"))
    return document


@pytest.fixture
def docid(apis: dict[str, Api], title: str) -> str:
    """A document of ada's, which grace may change."""
    made = apis["ada"].make(title, plotted())
    grant(apis, made, "grace", "editor")
    return made


def grant(apis: dict[str, Api], docid: str, name: str, role: str) -> None:
    """Give somebody a role."""
    apis["ada"].call("PUT", f"/bokeh/doc/{docid}/grants/{name}", json={"role": role})


def watching(page: Page) -> str:
    """Open the list of who watches, and give it."""
    page.locator("#watching-button").click()
    text = page.locator("#watching").inner_text()
    page.keyboard.press("Escape")
    expect(page.locator("#watching")).to_be_hidden()
    return text


def test_who_is_watching_is_live(visit_as: Enter, apis: dict[str, Api], docid: str) -> None:
    """Comings and goings are seen at once, tabs of one person once, and names by editors only."""
    page = visit_as("ada", docid)
    count = page.locator("#watching-count")
    expect(count).to_have_text("1")
    other = visit_as("grace", docid)
    second = other.context.new_page()
    second.goto(other.url)
    wait_live(second)
    expect(count).to_have_text("2", timeout=4000)
    page.wait_for_timeout(1100)  # so that the second tab was told, too
    assert "ada (you)" in watching(page)
    assert "grace · 2 tabs" in watching(page)
    apis["ada"].call("POST", f"/bokeh/{docid}/publish")
    stranger = visit_as(None, docid)
    expect(count).to_have_text("3", timeout=4000)
    expect(stranger.locator("#watching-count")).to_have_text("3")
    assert "1 other" in watching(page)
    assert "grace" not in watching(stranger)
    other.context.close()
    expect(count).to_have_text("2", timeout=4000)


def test_sharing_by_keyboard(visit_as: Enter, apis: dict[str, Api], docid: str) -> None:
    """An owner adds somebody, hears of an unknown name, changes a role and removes them."""
    page = visit_as("ada", docid)
    page.locator("#share-button").focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="Share")
    expect(panel.get_by_role("heading", name="Share")).to_be_focused()
    people = page.locator("#share-people")
    expect(people).to_contain_text("grace")
    name = page.locator("#share-add").get_by_label("Name")
    name.fill("nobody-of-this-name")
    page.keyboard.press("Enter")
    expect(page.locator("#people-wrong")).to_be_visible()
    expect(name).to_have_value("nobody-of-this-name")
    name.fill("eve")
    page.keyboard.press("Enter")
    expect(people).to_contain_text("eve")
    people.get_by_label("Right of eve").select_option("editor")
    expect(page.locator("#share-said")).to_have_text("eve may change it.")
    grants = apis["ada"].call("GET", f"/bokeh/doc/{docid}/grants")["grants"]
    assert {each["username"]: each["role"] for each in grants} == {
        "grace": "editor", "eve": "editor",
    }  # fmt: skip
    people.get_by_role("button", name="Remove eve").click()
    expect(people).not_to_contain_text("eve")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.locator("#share-button")).to_be_focused()


def test_publishing_and_the_tag(visit_as: Enter, docid: str, people: RunningServer) -> None:
    """The tag is there when the document is published, and shows the plot in another page."""
    page = visit_as("ada", docid, what="lake")
    page.locator("#share-button").click()
    expect(page.locator("#embed-tag")).to_be_hidden()
    page.get_by_role("switch", name="Published").check()
    expect(page.locator("#embed-tag")).to_be_visible()
    assert requests.get(page.locator("#share-address").input_value(), timeout=30).ok
    tags = []
    for what in ("plot", "document"):
        page.locator("#embed-what").select_option(what)
        tags.append(page.locator("#embed-tag").input_value())
    assert ["modelid=" in tag for tag in tags] == [True, False]
    other = visit_as(None, docid)
    other.route("**/other.html", lambda route: route.fulfill(
        content_type="text/html", body=f"<!doctype html><body>{tags[1]}"
    ))  # fmt: skip
    other.goto(f"{people.url}/other.html")
    shown = other.frame_locator("iframe").frame_locator("iframe")
    expect(shown.locator(".bokeh-server-slot")).to_have_count(2, timeout=20_000)
    page.get_by_role("switch", name="Published").uncheck()
    expect(page.locator("#embed-hint")).to_contain_text("Publish the document first")


def test_links_are_made_shown_once_and_revoked(
    visit_as: Enter, browser: Browser, docid: str
) -> None:
    """A link that was made on the page lets somebody in; revoked, it is gone from the list."""
    page = visit_as("ada", docid)
    page.locator("#share-button").click()
    part = page.locator("#links")
    part.locator("summary").click()
    part.get_by_label("Title").fill("the workshop")
    part.get_by_role("button", name="Make a link").click()
    address = part.get_by_label("Address of the link")
    expect(address).to_be_visible()
    guest = browser.new_page()
    guest.goto(address.input_value())
    guest.wait_for_url("**/show*")
    wait_live(guest)
    expect(guest.locator("#share-people")).to_have_count(0)
    expect(page.locator("#watching-count")).to_have_text("2", timeout=4000)
    page.keyboard.press("Escape")
    assert "by the link the workshop" in watching(page)
    page.locator("#share-button").click()
    expect(part.locator(".given")).to_contain_text("the workshop")
    expect(address).to_be_hidden()
    part.get_by_role("button", name="Revoke the workshop").click()
    expect(part.locator(".given li")).to_have_count(0)
    expect(guest.locator("#frame")).to_have_count(0, timeout=15_000)
    guest.close()


def test_making_a_key_on_the_page(visit_as: Enter, apis: dict[str, Api], docid: str) -> None:
    """It is for the document as it is, and may change it, as keys for scripts mostly shall."""
    page = visit_as("ada", docid)
    page.locator("#share-button").click()
    part = page.locator("#keys")
    part.locator("summary").click()
    expect(part.get_by_role("checkbox")).to_have_count(0)
    expect(part.get_by_label("Right")).to_have_value("editor")
    part.get_by_label("Title").fill("the sensor")
    part.get_by_role("button", name="Make a key").click()
    expect(part.get_by_label("Key", exact=True)).to_have_value(re.compile("^bkd_"))
    expect(part.locator(".given")).to_contain_text("the sensor")
    page.locator("#links summary").click()
    expect(page.locator("#links").get_by_role("checkbox", name="Only the revision")).to_be_visible()


def test_what_a_viewer_finds(visit_as: Enter, apis: dict[str, Api], docid: str) -> None:
    """Who may only look finds the address and whose it is, and nothing that manages it."""
    grant(apis, docid, "eve", "viewer")
    page = visit_as("eve", docid)
    page.locator("#more-button").click()
    expect(page.locator("#more")).to_be_visible()
    for absent in ("#rename", "#delete", "#share-people", "#publish", "#sites"):
        expect(page.locator(absent)).to_have_count(0)
    page.locator("#share-button").click()
    expect(page.get_by_role("dialog", name="Share")).to_contain_text("It belongs to ada")
    assert page.locator("#share-address").input_value() == page.url


@pytest.mark.parametrize("kind", ["html", "json"])
def test_downloads(
    visit_as: Enter, browser: Browser, docid: str, tmp_path: Path, title: str, kind: str
) -> None:
    """The menu gives a file; the HTML draws the plot by itself, without any network."""
    page = visit_as("grace", docid)
    page.locator("#more-button").click()
    with page.expect_download() as waiting:
        page.locator(f"#download-{kind}").click()
    assert waiting.value.suggested_filename == f"{title}.{kind}"
    path = tmp_path / f"file.{kind}"
    waiting.value.save_as(path)
    if kind == "json":
        assert path.read_bytes().startswith(b'{"version"')
        return
    context = browser.new_context(offline=True)
    alone = context.new_page()
    errors: list[str] = []
    alone.on("pageerror", lambda error: errors.append(str(error)))
    alone.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    alone.goto(path.as_uri())
    drawn = alone.frame_locator("#frame")
    expect(drawn.locator(".bk-Figure")).to_be_visible()
    expect(drawn.get_by_text("gain")).to_be_visible()
    assert errors == []
    context.close()


def downloaded(api: Api, docid: str, folder: Path) -> Path:
    """The file of a document as HTML."""
    url = f"{api.url}/bokeh/doc/{docid}/download?format=html"
    answer = api.http.get(url, timeout=30)
    api.http.close()
    assert answer.ok
    path = folder / "file.html"
    path.write_bytes(answer.content)
    return path


#: how the author of a downloaded document may try to learn who opens it.
WAYS_OUT = """
const tried = (work) => { try { work() } catch (error) { console.log(error) } }
const link = Object.assign(document.createElement("a"), {href: `${out}/link`, target: "_top"})
tried(() => fetch(`${out}/fetch`).catch(() => 0))
tried(() => navigator.sendBeacon(`${out}/beacon`))
tried(() => { new Image().src = `${out}/image` })
tried(() => window.open(`${out}/open`))
tried(() => { document.body.append(link); link.click() })
tried(() => { top.location = `${out}/top` })
tried(() => { parent.document.title = "reached" })
tried(() => document.head.append(Object.assign(document.createElement("meta"),
    {httpEquiv: "refresh", content: `0;url=${out}/refresh`})))
slider.title = "tried"
setTimeout(() => tried(() => { location = `${out}/self` }), 200)
"""


def test_a_downloaded_document_stays_where_it_is(
    browser: Browser, apis: dict[str, Api], title: str, tmp_path: Path
) -> None:
    """Its author's JavaScript runs when the file is opened, and neither sends nor leads away."""
    with sink() as elsewhere:
        document = plotted()
        slider = document.select_one({"name": "gain"})
        code = f'const out = "{elsewhere.url}"\n{WAYS_OUT}'
        document.js_on_event("document_ready", CustomJS(args={"slider": slider}, code=code))
        docid = apis["ada"].make(title, document)
        path = downloaded(apis["ada"], docid, tmp_path)
        context = browser.new_context()
        page = context.new_page()
        page.goto(path.as_uri())
        page.wait_for_timeout(1500)
        assert page.url == path.as_uri()
        assert page.title() == title
        assert len(context.pages) == 1
        assert [said for said in elsewhere.heard if said] == []
        context.close()


def test_what_a_downloaded_document_tries_is_run(
    browser: Browser, apis: dict[str, Api], title: str, tmp_path: Path
) -> None:
    """Its JavaScript does run, so that the test above tries something."""
    document = plotted()
    slider = document.select_one({"name": "gain"})
    code = 'slider.title = "tried"'
    document.js_on_event("document_ready", CustomJS(args={"slider": slider}, code=code))
    docid = apis["ada"].make(title, document)
    path = downloaded(apis["ada"], docid, tmp_path)
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    expect(page.frame_locator("#frame").get_by_text("tried")).to_be_visible()
    context.close()


def test_renaming_and_deleting(visit_as: Enter, apis: dict[str, Api], docid: str) -> None:
    """An owner renames on the page, which says so of a script's own title, and deletes."""
    page = visit_as("ada", docid)
    event = {"kind": "TitleChanged", "title": "of a script"}
    apis["ada"].change(docid, event)
    expect(page.locator("#title")).to_have_text("of a script")
    page.locator("#rename").click()
    expect(page.locator("#rename-hint")).to_contain_text("of a script")
    page.get_by_role("textbox", name="Title").fill(f"renamed {docid}")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text(f"renamed {docid}")
    other = visit_as("grace", docid)
    page.locator("#more-button").click()
    page.locator("#delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    page.locator("#more-button").click()
    page.locator("#delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/bokeh/")
    expect(other.locator("#notice")).to_contain_text("deleted")
    expect(other.locator("html")).to_have_attribute("data-connection", "deleted")


def test_rights_that_change_while_one_looks(
    visit_as: Enter, apis: dict[str, Api], docid: str, problems: list[str]
) -> None:
    """An editor who is made a viewer is told and stores nothing; whoever is sent away sees it."""
    page = visit_as("grace", docid)
    expect(page.locator("#watching-count")).to_have_text("1")
    grant(apis, docid, "grace", "viewer")
    expect(page.locator("#standing")).to_contain_text("only look", timeout=6000)
    page.wait_for_selector("#frame[data-ready]")
    wait_live(page)
    grant(apis, docid, "grace", "editor")
    expect(page.locator("#standing")).to_contain_text("may change", timeout=6000)
    apis["ada"].call("DELETE", f"/bokeh/doc/{docid}/grants/grace")
    expect(page.locator("#frame")).to_have_count(0, timeout=6000)
    expect(page.locator("#notice")).to_contain_text("no longer look")
    expect(page.locator("#share-button")).to_be_disabled()
    problems.clear()  # requests that were on their way


def test_the_bar_of_a_phone(visit_as: Enter, docid: str) -> None:
    """Nothing is wider than a phone; what does not fit is in the menu, which keys go through."""
    page = visit_as("ada", docid, width=380)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    assert page.locator("#history-button").is_hidden()
    page.locator("#more-button").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="History")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#rename-too")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#more-button")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="History").click()
    expect(page.locator("#history")).to_be_visible()
    expect(page.locator("#more")).to_be_hidden()


def test_a_server_for_one(api: Api, title: str, visit: Callable[[str], Page]) -> None:
    """There are the count, the address and the tag, and nothing of people."""
    docid = api.make(title, plotted())
    page = visit(f"{api.url}/bokeh/doc/{docid}/show")
    wait_live(page)
    expect(page.locator("#watching-count")).to_have_text("1")
    page.locator("#share-button").click()
    for absent in ("#share-people", "#publish", "#links", "#published"):
        expect(page.locator(absent)).to_have_count(0)
    assert f"docid={docid}" in page.locator("#embed-tag").input_value()
    page.locator("#sites").get_by_label("Only these").check()
    page.get_by_label("Sites, one a line").fill("https://example.org")
    page.locator("#sites").get_by_role("button", name="Save").click()
    expect(page.locator("#share-said")).to_have_text("Saved.")
    assert api.call("GET", f"/bokeh/doc/{docid}/grants")["sites"] == ["https://example.org"]
    page.keyboard.press("Escape")
    page.locator("#rename").click()
    page.get_by_role("textbox", name="Title").fill(f"renamed {title}")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text(f"renamed {title}")
