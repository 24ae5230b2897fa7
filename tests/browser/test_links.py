"""Following share links in a browser, and logins handed over there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bokeh.document import Document
from bokeh.models import Slider
from playwright.sync_api import BrowserContext, expect

from bokeh_server import Session
from support.browser import frame_of, wait_live, wait_until
from support.server import RunningServer

pytestmark = pytest.mark.browser

PASSWORD = "correct horse"
SLIDER = "[...bokeh_server_session.document._all_models.values()].find((m) => m.type === 'Slider')"


@pytest.fixture
def owner(people_server: RunningServer, tmp_path: Path) -> Iterator[Session]:
    """Somebody with a document."""
    with Session(root_url=f"{people_server.url}/", configdir=tmp_path) as session:
        session.register("linker", PASSWORD)
        yield session


def test_links_in_a_browser(
    owner: Session, people_server: RunningServer, context: BrowserContext,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One lets somebody change a document until it is revoked, and then leads nowhere.

    No secret is in an address that the server saw. A script then logs the browser in.
    """
    document, slider = Document(), Slider(start=0, end=9, value=1)
    document.add_root(slider)
    docid = owner.use_doc("linked")
    owner.store_document(document)
    link = owner.make_link("editor")
    page = context.new_page()
    page.goto(link)
    page.wait_for_url(f"**/bokeh/doc/{docid}/show")
    wait_live(page)
    frame_of(page).evaluate(f"() => {{ {SLIDER}.value = 5 }}")
    wait_until(lambda: owner.pull("Slider", slider.id)["attributes"]["value"], 5)
    owner.revoke_link(link)
    # The socket of the frame is told of it, and the page, whichever comes first.
    over = re.compile("deleted|refused")
    expect(page.locator("html")).to_have_attribute("data-connection", over, timeout=20_000)
    told = re.compile("may not be seen any more|may no longer look at it")
    expect(page.locator("#notice")).to_contain_text(told)
    page.goto(link)
    expect(page.get_by_role("alert")).to_contain_text("it was revoked")
    owner.browser_login()
    page.goto(capsys.readouterr().out.strip().splitlines()[-1])
    page.get_by_role("button", name="Log in as linker").click()
    page.wait_for_url("**/bokeh/")
    assert link.partition("#")[2] not in people_server.log
