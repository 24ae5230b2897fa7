"""What an admin sees and sets, and what it does to the pages of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bokeh.document import Document
from bokeh.models import Slider
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.browser import Api, frame_of, open_page, take_out, wait_live, wait_until
from support.command import run_command
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

Visit = Callable[[str, str], Page]

SLIDER = "[...bokeh_server_session.document._all_models.values()].find((m) => m.type === 'Slider')"


@pytest.fixture(scope="module")
def people() -> Iterator[RunningServer]:
    """A server with accounts."""
    with running_server("-m", "--user-documents", "9", "--user-bytes", "50MB") as running:
        yield running


@pytest.fixture(scope="module")
def apis(people: RunningServer) -> Iterator[dict[str, Api]]:
    """Scripts of an admin and of two users."""
    found = {name: Api(people.url) for name in ("root", "ada", "grace")}
    for name, api in found.items():
        api.enter(name)
    done = run_command(
        people.data_dir, "users", "promote", "--data-dir", str(people.data_dir), "root"
    )
    assert done.returncode == 0, done.stderr
    yield found
    for api in found.values():
        api.close()


@pytest.fixture
def visit(browser: Browser, apis: dict[str, Api], problems: list[str]) -> Iterator[Visit]:
    """Open a page as somebody."""
    contexts: list[BrowserContext] = []

    def open_as(name: str, path: str) -> Page:
        context = browser.new_context(viewport={"width": 1000, "height": 800})
        contexts.append(context)
        context.set_default_timeout(20_000)
        apis[name].log_in(context)
        return open_page(context, f"{apis[name].url}/bokeh/{path}", problems)

    yield open_as
    for context in contexts:
        context.close()


def listed(apis: dict[str, Api], name: str) -> dict[str, object]:
    """What the server says of somebody."""
    users = apis["root"].call("GET", "/bokeh/users", headers={"Accept": "application/json"})
    return next(dict(each) for each in users["users"] if each["username"] == name)


def test_setting_limits_and_disabling(visit: Visit, apis: dict[str, Api]) -> None:
    """From the account to the list; a limit is set and taken back, somebody is sent away."""
    apis["grace"].make("a plot")
    page = visit("root", "account")
    page.get_by_role("link", name="Users").click()
    row = page.locator("[data-name=grace]")
    expect(row.locator(".facts")).to_contain_text("1 document")
    expect(page.locator("[data-name=root]").get_by_text("Admin")).to_be_visible()
    expect(page.locator("[data-name=root]").get_by_role("button")).to_have_count(1)
    row.get_by_role("button", name="Limits of grace").click()
    expect(page.get_by_label("Documents", exact=True)).to_have_attribute("placeholder", "9")
    page.get_by_label("Documents", exact=True).fill("2")
    page.get_by_label("Size in MB").fill("1.5")
    page.get_by_role("button", name="Set").click()
    expect(row.locator(".facts")).to_contain_text("1 document of 2")
    expect(row.locator(".size")).to_contain_text("of 1.5 MB")
    found = listed(apis, "grace")
    assert (found["most_documents"], found["most_bytes"]) == (2, 1024 * 1536)
    row.get_by_role("button", name="Limits of grace").click()
    expect(page.get_by_label("Size in MB")).to_have_value("1.5")
    page.get_by_label("Documents", exact=True).fill("")
    page.get_by_label("Size in MB").fill("0")
    page.keyboard.press("Enter")
    expect(row.locator(".size")).to_contain_text("of any size")
    found = listed(apis, "grace")
    assert (found["most_documents"], found["most_bytes"]) == (None, 0)
    page.get_by_label("Find").fill("GRA")
    expect(page.locator("#users .user:visible")).to_have_count(1)
    row.get_by_role("button", name="Disable grace").click()
    page.get_by_role("button", name="Cancel").click()
    assert listed(apis, "grace")["disabled"] is None
    row.get_by_role("button", name="Disable grace").click()
    page.get_by_role("button", name="Disable", exact=True).click()
    expect(row.get_by_text("Disabled", exact=True)).to_be_visible()
    expect(row.get_by_role("button", name="Enable grace")).to_be_focused()
    assert listed(apis, "grace")["disabled"] is not None
    page.reload()
    expect(row.get_by_text("Disabled", exact=True)).to_be_visible()
    row.get_by_role("button", name="Enable grace").click()
    expect(row.get_by_text("Disabled", exact=True)).to_be_hidden()
    assert listed(apis, "grace")["disabled"] is None


def test_others_have_no_such_page(visit: Visit) -> None:
    """It is not offered to them, and its address says why not."""
    page = visit("ada", "account")
    expect(page.get_by_role("link", name="Activity")).to_be_visible()
    expect(page.get_by_role("link", name="Users")).to_have_count(0)
    answer = page.goto(page.url.replace("account", "users"))
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text("only an admin may")).to_be_visible()


def test_an_open_page_says_that_there_is_no_room(
    visit: Visit, apis: dict[str, Api], problems: list[str]
) -> None:
    """The change is taken back and the page says why, until one is stored again."""
    document, ada = Document(), apis["ada"]
    slider = Slider(start=0, end=10, value=1)
    document.add_root(slider)
    docid = ada.make("full", document)
    page = visit("ada", f"doc/{docid}/show")
    wait_live(page)
    frame = frame_of(page)
    apis["root"].call("PATCH", "/bokeh/users/ada", json={"most_bytes": 10})
    frame.evaluate(f"() => {{ {SLIDER}.value = 5 }}")
    expect(page.locator("#notice")).to_contain_text("of 10 bytes")
    wait_until(lambda: frame.evaluate(f"() => {SLIDER}.value"), 1)
    assert ada.attributes(docid, slider.id)["value"] == 1
    apis["root"].call("PATCH", "/bokeh/users/ada", json={"most_bytes": None})
    frame.evaluate(f"() => {{ {SLIDER}.value = 7 }}")
    wait_until(lambda: ada.attributes(docid, slider.id)["value"], 7)
    expect(page.locator("#notice")).to_be_hidden()
    take_out(problems, "Unhandled ERROR reply")  # of BokehJS


def test_from_a_document_to_its_activity(visit: Visit, apis: dict[str, Api]) -> None:
    """The owner's menu leads to what was done to this document alone; nobody else's does."""
    ada = apis["ada"]
    docid = ada.make("watched", Document())
    ada.make("another")
    ada.call("PUT", f"/bokeh/doc/{docid}/grants/grace", json={"role": "editor"})
    page = visit("ada", f"doc/{docid}/show")
    wait_live(page)
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Activity").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("watched")
    expect(page.locator("#events .said").last).to_contain_text("watched")
    expect(page.locator("#events")).not_to_contain_text("another")
    theirs = visit("grace", f"doc/{docid}/show")
    wait_live(theirs)
    theirs.get_by_role("button", name="More").click()
    expect(theirs.get_by_role("link", name="Download as HTML")).to_be_visible()
    expect(theirs.get_by_role("link", name="Activity")).to_have_count(0)
