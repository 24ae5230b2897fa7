"""Whether a change costs more in a large document, or in one that has changed often."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.models import Column, ColumnDataSource, Slider
from table import growth, heading

from bokeh_server.blueprint.schema import BokehSchema
from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.protocol import Patch
from bokeh_server.storage import Store

__all__ = ["size"]

WRITERS = 8
MODELS = 1000
LARGE_POINTS = 10 * 2**20 // 16

#: makes the events of one change, given its number.
Make = Callable[[int], dict[str, Any]]


@contextmanager
def _engine(folder: str) -> Iterator[Engine]:
    store = Store.open(f"sqlite:///{folder}/bench.sqlite3")
    engine = Engine(store, schema=BokehSchema())
    try:
        yield engine
    finally:
        engine.close()
        store.close()


def _document(points: int, models: int) -> tuple[Document, ColumnDataSource, Slider]:
    column = np.arange(points, dtype=float)
    source, slider = ColumnDataSource({"x": column, "y": column}), Slider(start=0, end=1, value=0)
    document = Document()
    # one root: Bokeh looks at every model again for each that is added
    sliders = [slider, *(Slider(start=0, end=1, value=0) for _ in range(models - 3))]
    document.add_root(source)
    document.add_root(Column(children=sliders))
    return document, source, slider


def _stored(
    engine: Engine, title: str, points: int, models: int
) -> tuple[LiveDocument, Make, Make]:
    """A stored document, and its two kinds of change."""
    document, source, slider = _document(points, models)
    live = engine.open(engine.create("default", title).docid)
    content = json.loads(json.dumps(document.to_json(deferred=False)))
    live.replace(content, {}, actor="bench")

    def move(number: int) -> dict[str, Any]:
        head = {"kind": "ModelChanged", "model": {"id": slider.id}}
        return {**head, "attr": "value", "new": number % 1000 / 1000}

    def stream(number: int) -> dict[str, Any]:
        data = {"type": "map", "entries": [["x", [number]], ["y", [number / 7]]]}
        head = {"kind": "ColumnsStreamed", "model": {"id": source.id}, "attr": "data"}
        return {**head, "data": data, "rollover": points}

    return live, move, stream


def _change(live: LiveDocument, make: Make, count: int) -> float:
    """CPU microseconds of this process for one of ``count`` changes, by several writers."""

    def write() -> None:
        for number in range(count // WRITERS):
            live.apply(Patch([make(number)], {}), actor="bench")

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    before = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _settle()
    return 1e6 * (time.process_time() - before) / count


def _settle() -> None:
    """Wait until what is done in the background is done, to count it too."""
    used = -1.0
    while time.process_time() - used > 0.005:
        used = time.process_time()
        time.sleep(0.2)


def _opening(folder: str, docid: str, tries: int) -> float:
    """Milliseconds to bring a document into memory, as after a crash: the best of some."""
    times = []
    for _ in range(tries):
        with _engine(folder) as engine:
            engine.list()
            began = time.perf_counter()
            engine.open(docid)
            times.append(1e3 * (time.perf_counter() - began))
    return min(times)


def _by_size(quick: bool) -> None:
    count = 1_000 if quick else 8_000
    with tempfile.TemporaryDirectory() as folder, _engine(folder) as engine:
        small, large = (
            _stored(engine, "small", 100, 3),
            _stored(engine, "large", LARGE_POINTS, MODELS),
        )
        for which, name in ((1, "set an attribute"), (2, "append a point")):
            for each in (small, large):
                _change(each[0], each[which], 200)
            costs = [_change(each[0], each[which], count) for each in (small, large)]
            growth(f"{name}; {MODELS:,} models, 10 MB", *costs, "CPU-us/change", 1.5)


def _by_age(quick: bool) -> None:
    slice_, last = (500, 5_000) if quick else (2_000, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        with _engine(folder) as engine:
            live, _, stream = _stored(engine, "old", 1000, 10)
            young, _, other = _stored(engine, "young", 1000, 10)
            _change(young, other, 104)
            first = _change(young, other, slice_)
            _change(live, stream, last - slice_)
            growth(
                f"the {last:,}th change, after the 100th",
                first, _change(live, stream, slice_), "CPU-us/change", 1.5,
            )  # fmt: skip
            # beside the engine that has them: no last snapshot is written for whoever opens now
            times = [_opening(folder, each.docid, 3 if quick else 10) for each in (young, live)]
        growth(f"open after {last:,} changes, after {slice_ + 104:,}", *times, "ms", 1.5)


def size(quick: bool) -> None:
    """Print what changes cost in large and in old documents, as multiples of a small one's."""
    heading("small, young", "large, old")
    _by_size(quick)
    _by_age(quick)
