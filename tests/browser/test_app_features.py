"""What applications do, done alike here and under ``bokeh serve``: they end as the same models."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page

from support.browser import wait_until
from support.scripts import eventually
from support.server import clean_environment, running_server

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

APPLICATIONS = Path(__file__).parents[1] / "support" / "applications"
NAMES = ("selecting", "streaming", "happening", "swapping", "exporting", "board")
SIZE = {"width": 1000, "height": 900}
#: the document of a page, with nothing but what differs from defaults.
CONTENT = "() => Bokeh.documents[0].to_json(false)"
VALUE = """([name, attr]) => {
  const model = window.Bokeh?.documents[0]?.get_model_by_name(name)
  return model?.[attr] ?? null
}"""
COLUMN = "([name, key]) => [...Bokeh.documents[0].get_model_by_name(name).get_column(key)]"
SET = "([name, attr, value]) => { Bokeh.documents[0].get_model_by_name(name)[attr] = value }"


@contextmanager
def bokeh_serve(home: Path, *applications: str) -> Iterator[str]:
    """Bokeh's own server; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bokeh", "serve", *applications, "--port", str(port)]
    url = f"http://localhost:{port}"
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env=clean_environment(home), stdout=log, stderr=log
        )

    def answers() -> bool:
        assert process.poll() is None, (home / "serve.log").read_text()
        try:
            return requests.get(f"{url}/favicon.ico", timeout=5).ok
        except requests.ConnectionError:
            return False

    try:
        eventually(answers, 90)
        yield url
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of both servers, each with all applications."""
    files = [_file(name) for name in (*NAMES, *(["compiled"] if shutil.which("node") else []))]
    with ExitStack() as stack:
        ours = stack.enter_context(running_server(*files))
        theirs = stack.enter_context(bokeh_serve(tmp_path_factory.mktemp("serve"), *files))
        yield ours.url, theirs


def _file(name: str) -> str:
    script = APPLICATIONS / f"{name}.py"
    return str(script if script.exists() else APPLICATIONS / name)


def content_of(page: Page) -> list[str]:
    """A page's document in lines, where models are numbered in the order in which they come."""
    numbers: dict[str, str] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, dict) and value.get("type") == "set":
            return sorted(map(json.dumps, value["entries"]))
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list):
            return [plain(each) for each in value]
        if isinstance(value, str) and re.fullmatch(r"p\d+|[0-9a-f-]{36}", value):
            return numbers.setdefault(value, f"model {len(numbers)}")
        return value

    return json.dumps(plain(page.evaluate(CONTENT)), indent=1).splitlines()


def in_both(
    servers: tuple[str, str],
    visit: Visit,
    path: str,
    use: Callable[[Page], None],
    ready: Callable[[Page], object] = lambda _: None,
) -> None:
    """Use an application in both servers, and compare what it is before and after.

    :param ready: waits until the page is as it is before.
    """
    found = []
    for url in servers:
        page = visit(f"{url}/{path}")
        page.set_viewport_size(SIZE)  # type: ignore[arg-type]
        page.wait_for_function("() => window.Bokeh?.documents[0]?.is_idle")
        ready(page)
        before = content_of(page)
        use(page)
        found.append((before, content_of(page)))
        page.close()
    ours, theirs = found
    for one, other in zip(ours, theirs, strict=True):
        difference = "\n".join(unified_diff(other, one, "bokeh serve", "bokeh-server", lineterm=""))
        assert not difference, difference
    assert ours[0] != ours[1]


def value_of(page: Page, name: str, attr: str = "text") -> Callable[[], Any]:
    """What an attribute is now."""
    return lambda: page.evaluate(VALUE, [name, attr])


def column_of(page: Page, name: str, key: str) -> Callable[[], Any]:
    """What a column is now."""
    return lambda: page.evaluate(COLUMN, [name, key])


def move_slider(page: Page, steps: int) -> None:
    """Move the first handle of a slider by the keyboard."""
    handle = page.locator(".noUi-handle").first
    handle.focus()
    for _ in range(steps):
        page.keyboard.press("ArrowRight")


def plot_box(page: Page) -> dict[str, float]:
    """Where the first plot is."""
    box = page.locator(".bk-Figure").first.bounding_box()
    assert box is not None
    return dict(box)


def drag(page: Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Press, move and release, at parts of the first plot's width and height."""
    box = plot_box(page)
    for number, (x, y) in enumerate((begin, end)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        (page.mouse.up if number else page.mouse.down)()


def test_a_selection_is_worked_with(servers: tuple[str, str], visit: Visit) -> None:
    """Points in a box become bars and a sum, by a callback."""

    def use(page: Page) -> None:
        drag(page, (0.1, 0.1), (0.95, 0.6))
        eventually(lambda: "sum" in str(value_of(page, "said")()), 20)
        chosen, total = re.fullmatch(r"\[(.+)\] sum (\d+)", value_of(page, "said")()).groups()  # type: ignore[union-attr]
        indices = [int(each) for each in chosen.split(", ")]
        assert sum(each**2 for each in indices) == int(total)
        assert column_of(page, "bars", "count")() == [len(indices), 10 - len(indices)]

    in_both(servers, visit, "selecting", use)


def test_rows_and_cells(servers: tuple[str, str], visit: Visit) -> None:
    """Streamed with a rollover, patched by index and slice, and by a callback that is stopped."""

    def use(page: Page) -> None:
        for count in range(1, 8):
            page.click("text=Add")
            wait_until(lambda count=count: column_of(page, "source", "x")()[-1], count)
        assert column_of(page, "source", "x")() == [3, 4, 5, 6, 7]
        page.click("text=Mend")
        wait_until(column_of(page, "source", "y"), [-1, 9, 9, 9, 9])
        page.click("text=Run")
        wait_until(value_of(page, "said"), "stopped")
        assert column_of(page, "source", "x")() == [8, 9, 10, 11, 12]

    in_both(servers, visit, "streaming", use)


def test_events_reach_the_server(servers: tuple[str, str], visit: Visit) -> None:
    """Of the document, a plot, its tools, a button, a menu; and one that stays in the browser."""

    def heard(page: Page, *names: str) -> None:
        wait_until(lambda: set(names) - set(column_of(page, "seen", "event")()), set())

    def use(page: Page) -> None:
        page.click("text=Press")
        heard(page, "ButtonClick")
        page.click("text=Choose")
        page.click("text=Two")
        heard(page, "MenuItemClick two")
        box = plot_box(page)
        centre = box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"]
        page.mouse.click(*centre)
        heard(page, "MouseEnter", "Tap")
        wait_until(lambda: str(value_of(page, "here")()).startswith("at "))
        page.wait_for_timeout(500)  # two taps in short time are one of two
        drag(page, (0.3, 0.3), (0.5, 0.5))
        heard(page, "PanStart", "Pan", "PanEnd", "RangesUpdate")
        page.locator(".bk-tool-icon-reset").first.click()
        heard(page, "Reset")

    in_both(servers, visit, "happening", use, lambda page: heard(page, "DocumentReady"))


def test_parts_are_exchanged(servers: tuple[str, str], visit: Visit) -> None:
    """A plot for another, roots that come and go, and many changes that are held together."""

    def use(page: Page) -> None:
        title = "() => Bokeh.documents[0]._roots[0].children.at(-1).children[0].title.text"
        page.select_option("select", "bars")
        wait_until(lambda: page.evaluate(title), "bars 1")
        page.click("text=crimson")
        page.evaluate(SET, ["lines", "value", ["1", "3"]])
        wait_until(lambda: page.evaluate(title), "bars 1 3")
        for count in (2, 1, 2):
            page.click("text=Extra root")
            wait_until(lambda: page.evaluate("() => Bokeh.documents[0].roots().length"), count)
        page.click("text=Steps")
        wait_until(value_of(page, "count"), "50")

    in_both(servers, visit, "swapping", use)


def test_a_browser_makes_a_file(servers: tuple[str, str], visit: Visit) -> None:
    """Of the rows that a callback left in the table."""

    def use(page: Page) -> None:
        move_slider(page, 2)
        wait_until(column_of(page, "source", "name"), ["Ada", "Emmy", "Hedy"])
        with page.expect_download() as download:
            page.click("text=Download")
        assert download.value.suggested_filename == "people.csv"
        text = Path(download.value.path()).read_text()
        assert text == "name,pay\nAda,30\nEmmy,40\nHedy,20"

    in_both(servers, visit, "exporting", use)


def test_a_folder_with_all_that_it_may_have(servers: tuple[str, str], visit: Visit) -> None:
    """A template, files and a theme; a module of the package, and what a hook took from the
    request."""

    def use(page: Page) -> None:
        heading = page.locator("#greeting")
        assert heading.inner_text() == "a greeting red"
        colour = "(element) => getComputedStyle(element).color"
        assert heading.evaluate(colour) == "rgb(1, 2, 3)"
        assert page.title() == "Board"
        assert page.locator("#left .bk-Figure").count() == 1
        assert value_of(page, "plot", "background_fill_color")() == "#123456"
        move_slider(page, 2)
        wait_until(value_of(page, "said"), "double 6")
        assert page.locator("#right >> text=double 6").is_visible()

    in_both(servers, visit, "board?colour=red", use)


@pytest.mark.skipif(not shutil.which("node"), reason="no Node.js: apt install nodejs")
def test_a_model_of_its_own(servers: tuple[str, str], visit: Visit) -> None:
    """Its view is compiled by the server, drawn, and follows what a callback says."""

    def use(page: Page) -> None:
        meter = page.locator("meter")
        assert meter.evaluate("(it) => [it.title, it.value]") == ["pressure", 3]
        move_slider(page, 4)
        wait_until(lambda: page.locator("meter").last.evaluate("(it) => it.value"), 7)

    in_both(servers, visit, "compiled", use)
