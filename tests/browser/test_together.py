"""Two people and a script at the same widgets and ranges at the same time, over slow lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Range1d, Slider, TextInput
from bokeh.plotting import figure
from playwright.sync_api import Page

from support.browser import Api, wait_live, wait_until
from support.server import RunningServer
from support.slow_line import SlowLine, slow_line

#: a browser that has to share its cores misses gestures, and then nobody has edited anything
pytestmark = [pytest.mark.browser, pytest.mark.alone]

Visit = Callable[[str], Page]

#: notes the slider's value at every frame, from now on.
WATCH = """(id) => {
  const slider = Bokeh.documents[0].get_model_by_id(id)
  window.values = []
  const look = () => { window.values.push(slider.value); requestAnimationFrame(look) }
  look()
}"""

SHOWN = """([slider, text, plot, source]) => {
  const model = (id) => Bokeh.documents[0].get_model_by_id(id)
  const [s, t, p, d] = [slider, text, plot, source].map(model)
  return {slider: s.value, text: t.value, range: [p.x_range.start, p.x_range.end],
          rows: Array.from(d.data.y)}
}"""


class Scene:
    """A document with something to fight for, and two pages that show it.

    :ivar ids: of the slider, the text input, the plot and its data source.
    """

    def __init__(self, api: Api, title: str) -> None:
        self.api = api
        source = ColumnDataSource({"x": [1.0, 2.0], "y": [1.0, 2.0]})
        self.range = Range1d(0, 10)
        plot = figure(width=400, height=250, x_range=self.range, y_range=(0, 10), tools="pan")
        plot.toolbar.active_drag = plot.tools[0]
        plot.line("x", "y", source=source)
        slider = Slider(start=0, end=1000, value=500, step=1, width=500, title="level")
        text = TextInput(value="start", title="note")
        document = Document()
        for root in (slider, text, plot):
            document.add_root(root)
        self.docid = api.make(title, document)
        self.ids = [slider.id, text.id, plot.id, source.id]

    def open(self, visit: Visit, line: SlowLine) -> Page:
        """Open its page over a line."""
        page = visit(f"http://localhost:{line.port}/bokeh/doc/{self.docid}/show")
        wait_live(page)
        page.evaluate(WATCH, self.ids[0])
        page.evaluate("window.not_reloaded = true")
        return page

    def stored(self) -> dict[str, Any]:
        """What the database has."""
        slider, text, _, source = (self.api.attributes(self.docid, each) for each in self.ids)
        span = self.api.attributes(self.docid, self.range.id)
        rows = dict(source["data"]["entries"])["y"]
        return {
            "slider": slider["value"],
            "text": text["value"],
            "range": [span.get("start", 0), span.get("end", 1)],
            "rows": rows,
        }

    def shown(self, page: Page) -> dict[str, Any]:
        """What a page shows."""
        found: dict[str, Any] = page.evaluate(SHOWN, self.ids)
        return found

    def stream(self, number: int) -> None:
        """Append a row, as a script."""
        event = {"kind": "ColumnsStreamed", "model": {"id": self.ids[3]}, "attr": "data"}
        data = {"x": [float(number)], "y": [float(number)]}
        self.api.change(self.docid, {**event, "data": data, "rollover": None})


@pytest.fixture
def lines(shared_server: RunningServer) -> Iterator[list[SlowLine]]:
    """A slow line for each of two people."""
    port = shared_server.port
    with slow_line(port, (0.02, 0.2)) as one, slow_line(port, (0.0, 0.1)) as other:
        yield [one, other]


def middle(page: Page, selector: str) -> tuple[float, float]:
    """Where something is."""
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


class Drag:
    """Moves something with the mouse, a step at a time."""

    def __init__(self, page: Page, selector: str, distance: float, steps: int) -> None:
        self.page = page
        self.x, self.y = middle(page, selector)
        self.step = distance / steps
        page.mouse.move(self.x, self.y)
        page.mouse.down()

    def go_on(self) -> None:
        """Move a little."""
        self.x += self.step
        self.page.mouse.move(self.x, self.y)


def drag_together(
    pages: list[Page], selector: str, *, steps: int, each: Callable[[int], None]
) -> None:
    """Both drag the same thing, in opposite directions."""
    drags = [Drag(page, selector, way, steps) for page, way in zip(pages, (150, -150), strict=True)]
    for number in range(steps):
        for drag in drags:
            drag.go_on()
            if number == 1:  # from now on it is in its hand
                drag.page.evaluate("window.values.length = 0")
        each(number)
    for page in pages:
        page.evaluate("window.dragged = window.values.slice()")
        page.mouse.up()


def agree(scene: Scene, pages: list[Page]) -> None:
    """Wait until every page shows what is stored."""
    for page in pages:
        wait_until(
            lambda page=page: (
                scene.shown(page) == scene.stored() or (scene.shown(page), scene.stored())
            )
        )  # type: ignore[misc]


@pytest.mark.parametrize("turn", range(2))
def test_people_at_the_same_things_end_with_what_is_stored(
    api: Api, title: str, visit: Visit, lines: list[SlowLine], turn: int
) -> None:
    """They drag one slider, type in one field and pan one plot at once, while a script writes.

    Nothing jumps back under the mouse, and in the end both show what is stored.
    """
    scene = Scene(api, title)
    pages = [scene.open(visit, line) for line in lines]

    def disturb(number: int) -> None:
        if number % 4 == 0:
            scene.stream(100 * turn + number)
        if number % 10 == 5:
            api.set(scene.docid, scene.ids[0], "value", 900 + number)

    drag_together(pages, ".noUi-handle", steps=30, each=disturb)
    right, left = (page.evaluate("window.dragged") for page in pages)
    assert right == sorted(right)
    assert left == sorted(left, reverse=True)
    assert len(set(right)) > 5
    assert len(set(left)) > 5
    for letter in "abc":
        for page, word in zip(pages, ("one", "two"), strict=True):
            page.locator("input[type=text]").fill(f"{word} {letter} {turn}")
            page.locator("input[type=text]").press("Enter")
    drag_together(pages, ".bk-Canvas", steps=10, each=lambda _number: None)
    agree(scene, pages)
    assert scene.stored()["text"].endswith(f"c {turn}")
    assert scene.stored()["range"] != [0, 10]
    assert all(page.evaluate("window.not_reloaded") for page in pages)


def test_a_drag_goes_on_over_a_line_that_breaks(
    api: Api, title: str, visit: Visit, lines: list[SlowLine]
) -> None:
    """The connection is cut, then dead without a word, under two who drag: the same holds."""
    scene = Scene(api, title)
    pages = [scene.open(visit, line) for line in lines]
    trouble = {6: lines[0].drop, 12: lines[1].drop}

    def disturb(number: int) -> None:
        trouble.get(number, lambda: None)()
        if number == 15:
            lines[0].frozen = True

    drag_together(pages, ".noUi-handle", steps=24, each=disturb)
    right, left = (page.evaluate("window.dragged") for page in pages)
    assert right == sorted(right)
    assert left == sorted(left, reverse=True)
    scene.stream(7)
    lines[0].frozen = False
    lines[0].drop()
    agree(scene, pages)
    assert all(page.evaluate("window.not_reloaded") for page in pages)
