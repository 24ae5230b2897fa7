"""Real scripts, the real server, a real browser: what a script does moves in every open page."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.io.state import curstate
from bokeh.layouts import column, gridplot, row
from bokeh.models import Button, ColumnDataSource, Div, Slider, TabPanel, Tabs
from bokeh.settings import settings
from playwright.sync_api import Page

import bokeh_server.io as output
from bokeh_server.client import Session
from bokeh_server.plotting import curdoc, cursession, figure, output_server, push, show
from support.browser import Api, wait_live, wait_until
from support.scripts import EXAMPLES, run_script

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]
Open = Callable[..., Page]

#: a mark on the page's window, gone after a reload.
MARK = "window.not_reloaded = true"
IS_MARKED = "window.not_reloaded === true"
#: the names of all plots of the document, and of those that are drawn.
PLOTS = """[...Bokeh.documents[0].roots()].flatMap((root) => [...root.references()])
    .filter((it) => it.type === "Figure").map((it) => it.name ?? it.id)"""
DRAWN = """[...new Set([...Bokeh.index].flatMap((view) => {
    const all = (it) => [it.model, ...(it.child_views ?? []).flatMap(all)]
    return all(view)
}))].filter((it) => it.type === "Figure").map((it) => it.name ?? it.id)"""
COLUMN = """([id, name]) => {
    const source = Bokeh.documents[0].get_model_by_id(id)
    return source == null ? null : Array.from(source.data[name] ?? source.data.get(name))
}"""

CHOOSE_BOX_SELECT = """(id) => {
    const {toolbar} = Bokeh.documents[0].get_model_by_id(id)
    toolbar.active_drag = toolbar.tools.find((tool) => tool.type === "BoxSelectTool")
}"""

SECONDS = 2.0
PERIOD = 0.02
MOVES = 20


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that show would have opened in the user's browser."""
    urls: list[str] = []
    monkeypatch.setattr(output, "view", lambda url, browser=None, new="same": urls.append(url))
    return urls


@pytest.fixture
def session(api: Api, title: str, opened: list[str], tmp_path: Path) -> Iterator[Session]:
    """A script of this process after output_server; Bokeh's own state as in a new process."""
    forget_state()
    with Session(root_url=api.url, configdir=tmp_path) as made:
        output_server(title, session=made)
        yield made
    forget_state()


def forget_state() -> None:
    """Drop what output_server left and number models simply again."""
    state = curstate()
    vars(state).pop("bokeh_server", None)
    state.reset()
    settings.simple_ids.unset_value()


@pytest.fixture
def live(visit: Visit) -> Open:
    """Open a page, wait until it is drawn, and mark its window."""

    def open_live(url: str) -> Page:
        page = visit(url)
        wait_live(page)
        page.evaluate(MARK)
        return page

    return open_live


def plotted(name: str = "signal") -> tuple[Any, ColumnDataSource]:
    """A plot of some dots, and its data."""
    source = ColumnDataSource({"x": [0.0, 0.5, 1.0], "y": [0.0, 0.5, 1.0]})
    plot = figure(name=name, width=300, height=250, tools="pan,box_select", active_drag="pan")
    plot.scatter("x", "y", source=source, size=10)
    return plot, source


def column_of(page: Page, source: ColumnDataSource, name: str) -> Any:
    """A column as the page has it."""
    return page.evaluate(COLUMN, [source.id, name])


def attribute(page: Page, model: Any, name: str) -> Any:
    """An attribute of a model as the page has it."""
    return page.evaluate(
        "([id, name]) => Bokeh.documents[0].get_model_by_id(id)?.[name]", [model.id, name]
    )


def drag(page: Page, by: tuple[int, int], start: tuple[float, float]) -> None:
    """Drag the mouse over the first plot, from a point given in fractions of its size."""
    page.bring_to_front()  # a page in the background does not see every gesture
    box = page.locator(".bk-Canvas").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * start[0], box["y"] + box["height"] * start[1]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0], y + by[1], steps=6)
    page.mouse.up()


def all_marked(*pages: Page) -> bool:
    """Whether no page was loaded anew."""
    return all(page.evaluate(IS_MARKED) for page in pages)


def test_the_seed_example_ten_times(live: Open, api: Api, tmp_path: Path) -> None:
    """Ten runs of examples/line.py as it stands: one docid, one plot, and both pages follow."""
    pages: list[Page] = []
    seen = []
    for _ in range(10):
        done = run_script(EXAMPLES / "line.py", api.url, tmp_path)
        assert done.returncode == 0, done.stderr
        info = api.call("GET", "/bokeh/doc/", params={"title": "line"})
        assert len(info["roots"]) == info["plots"] == 1
        seen.append((info["docid"], info["roots"][0]))
        if not pages:
            base = f"{api.url}/bokeh/doc/{info['docid']}"
            pages = [live(f"{base}/{info['roots'][0]}"), live(f"{base}/show")]
        for page in pages:
            wait_until(lambda page=page: page.evaluate(PLOTS), [info["roots"][0]])
            wait_until(lambda page=page: page.evaluate(DRAWN), [info["roots"][0]])
            wait_until(lambda page=page: page.locator(".bk-Canvas").count(), 1)
    assert len({docid for docid, _ in seen}) == 1
    assert len({plot for _, plot in seen}) == 10
    assert all_marked(*pages)


def replace_column(source: ColumnDataSource, step: int) -> None:
    """What the seed's streaming example does."""
    source.data["y"] = [float(step), float(-step), 0.0]


def stream(source: ColumnDataSource, step: int) -> None:
    """New points, with a rollover."""
    source.stream({"x": [float(step)], "y": [step / 2]}, rollover=20)


def patch(source: ColumnDataSource, step: int) -> None:
    """A changed point."""
    source.patch({"y": [(step % 2, float(step))]})


@pytest.mark.parametrize("change", [replace_column, stream, patch])
def test_storing_at_50_hz_moves_every_page(
    live: Open, session: Session, opened: list[str], change: Callable[[ColumnDataSource, int], None]
) -> None:
    """Two pages move while a script stores its data 50 times a second, and end with its last."""
    plot, source = plotted()
    show(plot)
    pages = [live(opened[0]), live(session.object_link())]
    pages[0].evaluate(
        """(id) => {
            window.moves = 0
            const source = Bokeh.documents[0].get_model_by_id(id)
            Bokeh.documents[0].on_change((event) => { window.moves += event.model === source })
        }""",
        source.id,
    )
    store_at_50_hz(source, change)
    for page in pages:
        for name in ("x", "y"):
            wait_until(
                lambda page=page, name=name: column_of(page, source, name), list(source.data[name])
            )
    assert pages[0].evaluate("window.moves") > 20
    assert all_marked(*pages)


def store_at_50_hz(
    source: ColumnDataSource, change: Callable[[ColumnDataSource, int], None]
) -> None:
    """Change and store for two seconds, on time as far as the machine allows."""
    stored = cursession()
    assert stored is not None
    begun = time.monotonic()
    for step in range(int(SECONDS / PERIOD)):
        change(source, step)
        assert stored.store_objects(source) == [source]
        time.sleep(max(0.0, begun + (step + 1) * PERIOD - time.monotonic()))


def test_layouts_and_roots_arrive(live: Open, session: Session, opened: list[str]) -> None:
    """Rows, columns, grids, tabs and widgets replace each other in the open page."""
    show(plotted("first")[0])
    page = live(session.object_link())
    assert page.evaluate(DRAWN) == ["first"]

    def expect(*names: str) -> None:
        wait_until(lambda: sorted(page.evaluate(DRAWN)), sorted(names))
        wait_until(lambda: page.locator(".bk-Canvas:visible").count(), len(names))

    layout = row(plotted("a")[0], plotted("b")[0])
    replace_roots(layout)
    expect("a", "b")
    layout.children = [column(plotted("c")[0], Slider(start=0, end=9, value=4)), layout.children[0]]
    session.store_objects(layout)
    expect("c", "a")
    assert page.locator(".noUi-handle").count() == 1
    replace_roots(gridplot([[plotted("d")[0], None], [plotted("e")[0], plotted("f")[0]]]))
    expect("d", "e", "f")
    panels = [TabPanel(child=plotted(name)[0], title=name) for name in ("g", "h")]
    replace_roots(Tabs(tabs=panels), column(Button(label="press"), Div(text="words")))
    wait_until(lambda: page.locator(".bk-tab").all_inner_texts(), ["g", "h"])
    page.locator(".bk-tab").nth(1).click()
    wait_until(lambda: page.locator(".bk-Canvas:visible").count(), 1)
    assert page.locator("button:has-text('press')").count() == 1
    assert page.locator("text=words").count() == 1
    assert all_marked(page)


def replace_roots(*roots: Any) -> None:
    """Let these be all there is in the script's document."""
    for old in list(curdoc().roots):
        curdoc().remove_root(old)
    for new in roots:
        curdoc().add_root(new)
    push()


def test_show_opens_that_object(live: Open, session: Session, opened: list[str]) -> None:
    """The page of a shown plot has nothing else, also of two in one layout."""
    for name in ("one", "two"):
        show(plotted(name)[0])
    assert live(opened[1]).evaluate(DRAWN) == ["two"]
    assert live(opened[0]).evaluate(DRAWN) == ["one"]
    inner = plotted("inner")[0]
    show(row(plotted("outer")[0], inner))
    assert sorted(live(opened[2]).evaluate(DRAWN)) == ["inner", "outer"]
    assert live(session.object_link(inner)).evaluate(DRAWN) == ["inner"]
    assert re.fullmatch(
        rf"{session.root_url}bokeh/doc/[^/]+/{inner.id}", session.object_link(inner)
    )


def test_two_scripts_add_to_one_document(
    live: Open, api: Api, title: str, session: Session, tmp_path: Path
) -> None:
    """With clear=False the plots of both scripts come into the open page, as they are run."""
    page = live(session.object_link())
    for names in (["left"], ["left", "right"]):
        code = (
            "from bokeh_server.plotting import *\n"
            f"output_server({title!r}, clear=False)\n"
            f"p = figure(name={names[-1]!r}, width=300, height=250)\n"
            "p.line([1, 2], [3, 4])\n"
            "show(p)\n"
        )
        done = run_script(code, api.url, tmp_path)
        assert done.returncode == 0, done.stderr
        wait_until(lambda names=names: page.evaluate(DRAWN), names)
    assert page.locator(".bk-Canvas").count() == 2
    assert all_marked(page)


def test_what_people_do_reaches_the_script(
    live: Open, api: Api, session: Session, tmp_path: Path
) -> None:
    """A slider, a selection and a pan run callbacks; load_document and pull have them, too."""
    plot, source = plotted()
    slider = Slider(start=0, end=10, value=1, step=1, width=300)
    replace_roots(column(slider, plot))
    calls: dict[str, Any] = {}
    slider.on_change("value", lambda attr, old, new: calls.update(slider=new))
    source.selected.on_change("indices", lambda attr, old, new: calls.update(selected=new))
    plot.x_range.on_change("start", lambda attr, old, new: calls.update(start=new))
    here, there = live(session.object_link()), live(session.object_link())
    with session.subscribe(curdoc()):
        here.locator(".noUi-handle").focus()
        here.keyboard.press("ArrowRight")
        wait_until(lambda: calls.get("slider"), 2)
        drag(here, (-60, 0), (0.6, 0.5))
        wait_until(lambda: calls.get("start") == attribute(here, plot.x_range, "start") != 0)
        here.evaluate(CHOOSE_BOX_SELECT, plot.id)
        drag(here, (180, -170), (0.2, 0.8))
        wait_until(lambda: 1 in calls.get("selected", []))
    assert slider.value == 2
    wait_until(lambda: attribute(there, slider, "value"), 2)
    wait_until(lambda: attribute(there, source.selected, "indices"), calls["selected"])
    wait_until(lambda: attribute(there, plot.x_range, "start"), calls["start"])
    assert session.pull("Slider", slider.id)["attributes"]["value"] == 2
    assert_loaded(api.url, session, tmp_path, {
        slider.id: ("value", 2), source.selected.id: ("indices", calls["selected"]),
        plot.x_range.id: ("start", calls["start"]),
    })  # fmt: skip


def assert_loaded(
    url: str, session: Session, home: Path, expected: dict[str, tuple[str, Any]]
) -> None:
    """Another program's load_document has these attributes."""
    with Session(root_url=url, configdir=home) as other:
        other.use_doc(docid=session.docid)
        document = Document()
        other.load_document(document)
        for model_id, (name, value) in expected.items():
            model: Any = document.get_model_by_id(model_id)
            assert getattr(model, name) == value


#: note when each change of a slider leaves the browser, by its value, in ms since 1970.
WATCH_SENDING = """window.sent = {}
const send = WebSocket.prototype.send
WebSocket.prototype.send = function (data) {
    const found = typeof data === "string" && data.includes('"attr":"value"')
        ? data.match(/"new":([0-9.]+)/) : null
    if (found != null) {
        window.sent[Number(found[1])] = performance.timeOrigin + performance.now()
    }
    return send.call(this, data)
}
0"""


def test_a_slider_reaches_the_callback_within_100_ms(live: Open, session: Session) -> None:
    """From the browser's own patch to the script's on_change: the median of twenty moves."""
    slider = Slider(start=0, end=1000, value=0, step=1, width=400)
    replace_roots(slider)
    called: dict[int, float] = {}
    slider.on_change("value", lambda attr, old, new: called.update({int(new): time.time() * 1000}))
    page = live(session.object_link())
    page.evaluate(WATCH_SENDING)
    medians = []
    with session.subscribe(curdoc()):
        for attempt in range(3):  # a loaded machine may need another
            medians.append(median_delay(page, called, attempt * MOVES))
            if medians[-1] < 100:
                break
    print(f"slider to callback: {', '.join(f'{each:.1f}' for each in medians)} ms")
    assert min(medians) < 100, medians


def median_delay(page: Page, called: dict[int, float], before: int) -> float:
    """Move the slider by the keyboard, and give the median delay in ms."""
    page.locator(".noUi-handle").focus()
    values = range(before + 1, before + MOVES + 1)
    for value in values:
        page.keyboard.press("ArrowRight")
        wait_until(lambda value=value: value in called)
        page.wait_for_timeout(40)  # each move is a patch of its own
    sent = {int(key): at for key, at in page.evaluate("window.sent").items()}
    delays = [called[value] - sent[value] for value in values]
    assert all(each > -1 for each in delays), delays  # the clocks are one
    return float(np.round(statistics.median(delays), 2))
