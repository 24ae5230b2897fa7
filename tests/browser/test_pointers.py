"""What somebody holds does not jump; and what nobody holds any more waits for nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import Slider
from playwright.sync_api import Browser, CDPSession, Page

from support.browser import Api, open_page, wait_live, wait_until
from support.server import RunningServer

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]

HANDLE = ".noUi-handle"
VALUE = "(id) => Bokeh.documents[0].get_model_by_id(id).value"
#: notes what is told of a pointer that moves, rests, and moves again.
REST = """async () => {
  const link = document.querySelector('link[href$="/pointers.js"]')
  const {Pointers} = await import(link.href)
  const told = []
  const pause = (time) => new Promise((resolve) => setTimeout(resolve, time))
  const pointers = new Pointers((is_held) => told.push(is_held), 300)
  pointers.listen(window)
  const send = (type, buttons) =>
    document.body.dispatchEvent(new PointerEvent(type, {pointerId: 7, buttons, bubbles: true}))
  send("pointerdown", 1)
  for (let i = 0; i < 5; i++) {
    await pause(100)
    send("pointermove", 1)
  }
  told.push("moved")
  await pause(600)
  told.push("rested")
  send("pointermove", 1)
  send("pointerup", 0)
  return told
}"""


class Scene:
    """A slider, a page that shows it, and somebody else who sets it."""

    def __init__(self, api: Api, title: str) -> None:
        slider = Slider(start=0, end=1000, value=500, step=1, width=500)
        document = Document()
        document.add_root(slider)
        self.api = api
        self.id = slider.id
        self.docid = api.make(title, document)

    def open(self, visit: Visit, url: str) -> Page:
        """Its page."""
        page = visit(f"{url}/bokeh/doc/{self.docid}/show")
        wait_live(page)
        return page

    def shown(self, page: Page) -> int:
        """What the page shows."""
        value: int = page.evaluate(VALUE, self.id)
        return value

    def stored(self) -> int:
        """What is stored."""
        value: int = self.api.attributes(self.docid, self.id)["value"]
        return value

    def set(self, value: int) -> None:
        """Set it, as somebody else."""
        self.api.set(self.docid, self.id, "value", value)

    def follows(self, page: Page, *values: int) -> None:
        """The page shows what somebody else sets, soon."""
        for value in values:
            self.set(value)
            wait_until(lambda: self.shown(page), value, 5)

    def nudge(self, page: Page) -> None:
        """Move it by the keyboard, and wait until that is stored and no longer fresh."""
        before = self.stored()
        page.locator(HANDLE).press("ArrowRight")
        wait_until(lambda: self.stored() != before)
        page.wait_for_timeout(400)


@pytest.fixture
def scene(api: Api, title: str) -> Scene:
    """A document with a slider."""
    return Scene(api, title)


def place(page: Page) -> tuple[float, float]:
    """Where the handle of the slider is."""
    box = page.locator(HANDLE).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, scene: Scene) -> None:
    """Take the handle and move it, without letting go; wait until that is stored."""
    x, y = place(page)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(x + 10 * step, y)
    wait_until(lambda: scene.stored() == scene.shown(page) != 500)


def mouse(cdp: CDPSession, page: Page, kind: str, **more: Any) -> None:
    """Send an event of the mouse as it is told by the system."""
    x, y = place(page)
    cdp.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y + 60, **more})


@pytest.mark.parametrize("button", ["right", "middle"])
def test_a_menu_that_swallows_the_end_of_a_click(
    visit: Visit, shared_server: RunningServer, scene: Scene, button: Any
) -> None:
    """Another button went down, and nobody hears of its end: keyboard edits are no drag."""
    page = scene.open(visit, shared_server.url)
    page.mouse.move(*place(page))
    page.mouse.down(button=button)
    scene.nudge(page)
    scene.follows(page, 100, 200)


@pytest.mark.parametrize("end", ["contextmenu", "blur", "moved"])
def test_a_drag_whose_end_nobody_tells(
    visit: Visit, shared_server: RunningServer, scene: Scene, end: str
) -> None:
    """A menu opens, the window is left, or the mouse comes back with its button up."""
    page = scene.open(visit, shared_server.url)
    cdp = page.context.new_cdp_session(page)
    drag(page, scene)
    page.wait_for_timeout(400)
    mine = scene.shown(page)
    scene.set(100)
    page.wait_for_timeout(600)
    assert scene.shown(page) == mine
    if end == "moved":
        mouse(cdp, page, "mouseMoved", buttons=0)
    else:
        page.evaluate(f"dispatchEvent(new Event('{end}'))")
    wait_until(lambda: scene.shown(page), 100, 5)
    scene.nudge(page)
    scene.follows(page, 300, 400)


def test_the_other_finger_lifts(browser: Browser, api: Api, scene: Scene) -> None:
    """Of two fingers that touch the page one drags; the other one's end is not the drag's."""
    context = browser.new_context(viewport={"width": 1000, "height": 800}, has_touch=True)
    problems: list[str] = []
    page = scene.open(lambda url: open_page(context, url, problems), api.url)
    cdp = context.new_cdp_session(page)
    x, y = place(page)
    other = {"x": 700, "y": 700, "id": 2}

    def touch(kind: str, *points: dict[str, float]) -> None:
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    touch("touchStart", {"x": x, "y": y, "id": 1})
    touch("touchStart", {"x": x, "y": y, "id": 1}, other)
    for step in range(1, 6):
        touch("touchMove", {"x": x + 10 * step, "y": y, "id": 1}, other)
    wait_until(lambda: scene.stored() == scene.shown(page) != 500)
    page.wait_for_timeout(300)
    mine = scene.shown(page)
    touch("touchEnd", {"x": x + 50, "y": y, "id": 1})
    page.wait_for_timeout(400)
    scene.set(100)
    page.wait_for_timeout(600)
    assert scene.shown(page) == mine
    touch("touchEnd")
    wait_until(lambda: scene.shown(page), 100, 5)
    scene.follows(page, 200)
    assert problems == []
    context.close()


def test_who_does_not_move_holds_for_a_while_only(
    visit: Visit, shared_server: RunningServer, scene: Scene
) -> None:
    """A pointer that is down and still counts no more after some time, and again when it moves."""
    page = scene.open(visit, shared_server.url)
    told = page.evaluate(REST)
    assert told == [True, "moved", False, "rested", True, False]
