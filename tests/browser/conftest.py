"""One server and one Chromium for all browser tests; a fresh context for each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from support.browser import Api, chromium, open_page
from support.server import RunningServer, running_server


# Not for the session: Playwright's event loop would run on under every test that comes after.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def shared_server() -> Iterator[RunningServer]:
    """A server that nobody stops."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def api(shared_server: RunningServer) -> Iterator[Api]:
    """Scripts' way to the shared server."""
    found = Api(shared_server.url)
    yield found
    found.close()


@pytest.fixture(scope="session")
def people_server() -> Iterator[RunningServer]:
    """A server that several people share; nobody stops it."""
    with running_server(env={"BOKEH_SERVER_MULTI_USER": "true"}) as server:
        yield server


@pytest.fixture(scope="session")
def people_api(people_server: RunningServer) -> Iterator[Api]:
    """Scripts' way to it."""
    found = Api(people_server.url)
    found.enter()
    yield found
    found.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of its own."""
    made = browser.new_context(viewport={"width": 1000, "height": 800})
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def logged_in(context: BrowserContext, people_api: Api) -> BrowserContext:
    """A browser that is logged in where several people share a server."""
    people_api.log_in(context)
    return context


@pytest.fixture
def problems() -> Iterator[list[str]]:
    """What pages complain of; a test that expects something takes it out."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def visit(context: BrowserContext, problems: list[str]) -> Callable[[str], Page]:
    """Open an address in a new page."""
    return lambda url: open_page(context, url, problems)


@pytest.fixture
def title() -> str:
    """A title that no other document has."""
    return f"document {uuid.uuid4()}"
