"""A real Chromium, and documents to look at in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from bokeh.document import Document
from playwright.sync_api import Browser, BrowserContext, Frame, Page, sync_playwright

from support.programs import chromium_path

__all__ = [
    "Api",
    "ValueOf",
    "chromium",
    "frame_of",
    "open_page",
    "take_out",
    "wait_live",
    "wait_until",
]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
WAIT_SECONDS = 20.0

#: what a page may write to its console without anything being wrong.
_HARMLESS = (
    "WebSocket connection to",
    "Failed to load resource",
    "Failed to connect to Bokeh",
    "Unrecognized Content-Security-Policy directive 'webrtc'",  # Chromium does not know it yet
    "Failed to repull session Error: Disconnected",  # cut off again while it asked
)

ValueOf = Callable[[], Any]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for some tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def open_page(context: BrowserContext, url: str, problems: list[str]) -> Page:
    """Open a page whose scripts' errors are added to ``problems``."""
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: _note(message.type, message.text, problems))
    page.goto(url)
    return page


def _note(kind: str, text: str, problems: list[str]) -> None:
    if kind == "error" and not any(harmless in text for harmless in _HARMLESS):
        problems.append(text)


def take_out(problems: list[str], *expected: str) -> None:
    """Take out what a test has caused on purpose; each of it must be there."""
    for text in expected:
        assert any(text in problem for problem in problems), f"nobody complained of {text!r}"
    problems[:] = [each for each in problems if not any(text in each for text in expected)]


def wait_live(page: Page) -> None:
    """Wait until the page follows its document and has drawn it."""
    page.wait_for_selector("html[data-connection=live][data-stage]", timeout=WAIT_SECONDS * 1000)


def frame_of(page: Page | Frame) -> Frame:
    """What is in the frame of a shell."""
    handle = page.wait_for_selector("#frame")
    assert handle is not None
    frame = handle.content_frame()
    assert frame is not None
    return frame


def wait_until(value: ValueOf, expected: Any = True, seconds: float = WAIT_SECONDS) -> None:
    """Wait until ``value()`` is ``expected``; show what it was when it never is."""
    deadline = time.monotonic() + seconds
    found = value()
    while found != expected:
        assert time.monotonic() < deadline, f"{found!r} is not {expected!r} after {seconds} s"
        time.sleep(0.03)
        found = value()


class Api:
    """The JSON API, as a script without our client would use it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def enter(self, name: str = "owner") -> None:
        """Make an account, and be known by a token from now on."""
        self._account = {"username": name, "password": "correct horse"}
        token = self.call("POST", "/bokeh/register", json=self._account)["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def log_in(self, context: BrowserContext) -> None:
        """Log a browser in to the same account."""
        form = {"data": self._account, "headers": {"Sec-Fetch-Site": "same-origin"}}
        answer = requests.post(f"{self.url}/bokeh/login", timeout=30, allow_redirects=False, **form)
        assert answer.status_code == 303, answer.text
        cookies = answer.cookies.items()
        context.add_cookies(
            [{"name": name, "value": value, "url": self.url, "httpOnly": True}
             for name, value in cookies]
        )  # fmt: skip

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and give its JSON."""
        answer = self.http.request(method, self.url + path, timeout=30, **options)
        self.http.close()  # no test leaves a socket open
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def make(self, title: str, document: Document | None = None) -> str:
        """Make a document and give its docid."""
        docid: str = self.call("POST", "/bokeh/doc/", json={"title": title})["docid"]
        if document is not None:
            self.replace(docid, document)
        return docid

    def replace(self, docid: str, document: Document) -> None:
        """Replace a document's content."""
        content = document.to_json(deferred=False)
        self.call("PUT", f"/bokeh/doc/{docid}/content", json={"doc": content})

    def change(self, docid: str, *events: dict[str, Any]) -> None:
        """Append a patch."""
        self.call("POST", f"/bokeh/doc/{docid}/changes", json={"events": list(events)})

    def set(self, docid: str, model_id: str, attr: str, value: Any) -> None:
        """Set one attribute of a model."""
        event = {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": value}
        self.change(docid, event)

    def attributes(self, docid: str, model_id: str) -> dict[str, Any]:
        """The stored attributes of a model."""
        models = self.call("GET", f"/bokeh/bb/{docid}/")
        return next(model["attributes"] for model in models if model["id"] == model_id)
