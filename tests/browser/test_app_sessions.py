"""Pages of applications whose sessions end: they say so, and offer to load themselves again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bokeh.embed import server_document
from playwright.sync_api import BrowserContext, Page

from support.browser import WAIT_SECONDS, open_page, wait_until
from support.server import running_server
from support.site import Site

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

APP = """
import os, signal
from bokeh.io import curdoc
from bokeh.models import Slider

slider = Slider(start=0, end=9, value=1, title="value", name="slider")

def obey(attr, old, new):
    if new == 9:
        os.kill(os.getpid(), signal.SIGKILL)

slider.on_change("value", obey)
curdoc().add_root(slider)
"""
BAR = "#bokeh-server-session"
VALUE = "() => window.Bokeh?.documents[0]?.get_model_by_name('slider')?.value"
#: the sockets of a page, so that a test can cut them.
KEEP_SOCKETS = """
window.sockets = []
window.WebSocket = class extends WebSocket {
  constructor(...all) { super(...all); window.sockets.push(this) }
}
"""


#: what a page hears when its person was logged out, and what it says then: until it is in again.
CLOSED_AS_LAPSED = """() => {
    sockets.at(-1).dispatchEvent(new CloseEvent('close', {code: 4003}))
    return document.getElementById('bokeh-server-session').shadowRoot.textContent
}"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    """An application."""
    path = tmp_path / "sliders.py"
    path.write_text(APP)
    return str(path)


@pytest.fixture
def site() -> Iterator[Site]:
    """A site of somebody else's."""
    site = Site()
    yield site
    site.close()


def value_of(page: Page) -> object:
    """What the page shows."""
    return page.evaluate(VALUE)


def set_value(page: Page, value: int) -> None:
    """Move the slider, as a person does."""
    page.evaluate(
        "(value) => { Bokeh.documents[0].get_model_by_name('slider').value = value }", value
    )


def test_a_page_whose_worker_died_says_that_it_started_anew(
    script: str, context: BrowserContext, problems: list[str], site: Site
) -> None:
    """A lost connection alone says nothing; a new session does, here and in an embedding page."""
    options = ("--app-workers", "1", "--allow-websocket-origin", site.url.removeprefix("http://"))
    context.add_init_script(KEEP_SOCKETS)
    with running_server(script, *options) as server:
        embed = server_document(f"{server.url}/sliders")
        pages = [
            open_page(context, url, problems)
            for url in (f"{server.url}/sliders", site.add("/", embed))
        ]
        for page in pages:
            wait_until(lambda page=page: value_of(page), 1)
        first, embedding = pages
        set_value(first, 5)
        first.evaluate("() => sockets.at(-1).close()")
        wait_until(lambda: first.evaluate("() => sockets.at(-1).readyState"), 1)
        wait_until(lambda: value_of(first), 5)
        assert first.locator(BAR).count() == 0
        set_value(first, 9)
        for page in pages:
            page.wait_for_selector(f"{BAR}[data-state=anew]", timeout=WAIT_SECONDS * 1000)
            wait_until(lambda page=page: value_of(page), 1)
        alert = first.get_by_role("alert")
        assert "another one has begun" in alert.inner_text()
        set_value(first, 4)
        first.get_by_role("button", name="Dismiss").click()
        assert first.locator(BAR).count() == 0
        embedding.get_by_role("button", name="Load again").click()
        wait_until(lambda: value_of(embedding), 1)
        assert embedding.locator(BAR).count() == 0
        assert "logged out" in first.evaluate(CLOSED_AS_LAPSED)
    problems[:] = [each for each in problems if "Lost websocket" not in each]


def test_a_page_that_is_too_old_offers_to_be_loaded_again(
    script: str, visit: Visit, problems: list[str]
) -> None:
    """Its token has expired, and the server was started again: no session can begin with it."""
    with running_server(script, "--session-token-expiration", "1") as server:
        page = visit(f"{server.url}/sliders")
        wait_until(lambda: value_of(page), 1)
        set_value(page, 5)
        server.kill()
        server.start()
        page.wait_for_selector(f"{BAR}[data-state=over]", timeout=WAIT_SECONDS * 1000)
        assert "has ended" in page.get_by_role("alert").inner_text()
        page.get_by_role("button", name="Load again").click()
        wait_until(lambda: value_of(page), 1)
        assert page.locator(BAR).count() == 0
    problems[:] = [each for each in problems if "Lost websocket" not in each]
