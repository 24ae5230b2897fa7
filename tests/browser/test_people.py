"""Several people in their browsers: making accounts, looking, changing, and being kept out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure
from playwright.sync_api import Browser, Frame, Page, expect

from bokeh_server import Session
from support.browser import wait_until
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

PASSWORD = "correct horse"
SLIDER = "[...bokeh_server_session.document._all_models.values()].find((m) => m.type === 'Slider')"

Enter = Callable[[str, str], Page]


@pytest.fixture(scope="module")
def people() -> Iterator[RunningServer]:
    """A server with accounts."""
    with running_server("-m") as running:
        yield running


@pytest.fixture
def enter(browser: Browser, people: RunningServer) -> Iterator[Enter]:
    """Open an address in a browser of somebody new, who makes an account on the way."""
    contexts = []

    def open_page(name: str, path: str) -> Page:
        context = browser.new_context(viewport={"width": 1000, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.goto(people.url + path)
        page.get_by_text("Make an account").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Make the account").click()
        page.wait_for_url(people.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()


def owner_of(people: RunningServer, tmp_path: Path, name: str) -> Session:
    """A script of somebody, who uses a document."""
    session = Session(root_url=f"{people.url}/", configdir=tmp_path)
    session.register(name, PASSWORD)
    session.use_doc("experiment")
    return session


def plotted() -> tuple[Document, ColumnDataSource, Slider]:
    """A plot and a slider."""
    source = ColumnDataSource({"x": [1, 2], "y": [3, 4]})
    plot = figure(width=300, height=200)
    plot.line("x", "y", source=source)
    slider = Slider(start=0, end=10, value=1)
    document = Document()
    document.add_root(plot)
    document.add_root(slider)
    return document, source, slider


def frame_of(page: Page) -> Frame:
    """The frame with the plot, when it is live."""
    page.wait_for_selector("html[data-connection=live]", timeout=20_000)
    return next(each for each in page.frames if "/frame" in each.url)


def test_from_an_account_to_a_token_and_out(enter: Enter, people: RunningServer) -> None:
    """Somebody makes an account, a token, which is shown once, and logs out."""
    page = enter("Grace", "/bokeh/")
    expect(page.locator("#example")).to_contain_text('login("grace"')
    page.get_by_role("link", name="Your account: grace").click()
    page.get_by_label("Title").fill("laptop")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-text")).to_contain_text("bks_")
    page.reload()
    expect(page.locator("#tokens")).to_contain_text("laptop")
    expect(page.locator("#token-text")).to_have_text("")
    page.get_by_role("button", name="Revoke the token laptop").click()
    expect(page.locator("#tokens .row")).to_have_count(0)
    page.get_by_role("button", name="Log out", exact=True).click()
    page.wait_for_url(f"{people.url}/bokeh/login")
    page.goto(f"{people.url}/bokeh/account")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_viewer_looks_and_changes_nothing(
    enter: Enter, people: RunningServer, tmp_path: Path
) -> None:
    """A stranger sees no document; a viewer sees it live, and what they do stays with them."""
    owner = owner_of(people, tmp_path, "ada")
    document, source, slider = plotted()
    owner.store_document(document)
    path = f"/bokeh/doc/{owner.docid}/show"
    page = enter("eve", path)
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    owner.share("eve", "viewer")
    wait_until(lambda: page.goto(people.url + path).status, 200)  # type: ignore[union-attr]
    frame = frame_of(page)
    frame.evaluate(f"() => {{ {SLIDER}.value = 7 }}")
    source.data["y"] = [8, 9]
    owner.store_objects(source)
    column = (
        "() => Array.from([...bokeh_server_session.document._all_models.values()]"
        ".find((m) => m.type === 'ColumnDataSource').get_column('y'))"
    )
    wait_until(lambda: frame.evaluate(column), [8, 9])
    assert frame.evaluate(f"() => {SLIDER}.value") == 7
    assert owner.pull("Slider", slider.id)["attributes"]["value"] == 1
    owner.close()


def test_an_editor_changes_until_logged_out_elsewhere(
    enter: Enter, people: RunningServer, tmp_path: Path
) -> None:
    """Changes carry the editor's name; where all logins ended, an open page stores nothing more."""
    owner = owner_of(people, tmp_path, "hopper")
    document, _, slider = plotted()
    owner.store_document(document)
    page = enter("lin", "/bokeh/account")
    owner.share("lin", "editor")
    # the page would be told that the login has ended, and take its frame away
    page.route_web_socket("**/viewers", lambda _: None)
    page.goto(f"{people.url}/bokeh/doc/{owner.docid}/show")
    frame = frame_of(page)
    frame.evaluate(f"() => {{ {SLIDER}.value = 5 }}")
    wait_until(lambda: owner.pull("Slider", slider.id)["attributes"]["value"], 5)
    changes = owner.http.get(owner.http.url("doc", str(owner.docid), "changes"))["changes"]
    assert changes[-1]["actor"] == "lin"
    other = page.context.browser.new_context().new_page()  # type: ignore[union-attr]
    other.goto(f"{people.url}/bokeh/login?next=/bokeh/account")
    other.get_by_label("Name", exact=True).fill("lin")
    other.get_by_label("Password", exact=True).fill(PASSWORD)
    other.get_by_role("button", name="Log in").click()
    other.get_by_role("button", name="Log out everywhere else").click()
    other.wait_for_timeout(1200)  # what is known of a login is remembered for a second
    frame.evaluate(f"() => {{ {SLIDER}.value = 9 }}")
    other.wait_for_timeout(500)
    assert owner.pull("Slider", slider.id)["attributes"]["value"] == 5
    other.context.close()
    owner.close()
