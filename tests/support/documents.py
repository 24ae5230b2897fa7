"""Documents, patches and followers for tests of the engine."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from bokeh.document import Document
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure
from PIL import Image

from bokeh_server.channels import Behind, Closed, Cursor
from bokeh_server.documents import LiveDocument
from bokeh_server.protocol import Patch

__all__ = ["TestFollower", "doc_json", "picture", "run_together", "set_value", "stream"]


def doc_json() -> dict[str, Any]:
    """A document with the slider "s", the plot "p" and its data source "d"; ids equal names."""
    source = ColumnDataSource(data={"x": [1, 2], "y": [3, 4]})
    plot = figure(name="plot")
    plot.line("x", "y", source=source)
    slider = Slider(start=0, end=100, value=1, name="slider")
    document = Document()
    document.add_root(plot)
    document.add_root(slider)
    text = json.dumps(document.to_json(deferred=False))
    for model, name in ((source, "d"), (plot, "p"), (slider, "s")):
        text = text.replace(f'"{model.id}"', f'"{name}"')
    value: dict[str, Any] = json.loads(text)
    return value


def set_value(value: object, attr: str = "value") -> Patch:
    """A patch that sets the slider."""
    event = {"kind": "ModelChanged", "model": {"id": "s"}, "attr": attr, "new": value}
    return Patch([event], {})


def stream(x: float) -> Patch:
    """A patch that appends a row to the data source."""
    event = {"kind": "ColumnsStreamed", "model": {"id": "d"}, "attr": "data", "rollover": None}
    return Patch([{**event, "data": {"x": [x], "y": [x]}}], {})


class TestFollower:
    """Follows a live document as a connection would; everything it gets is kept.

    :ivar got: the events it got, in order; ``"pull"`` for being told to pull again,
        ``("behind", seq)`` and ``("closed", code)``.
    """

    __test__ = False

    def __init__(self, origin: str, *, is_script: bool = False) -> None:
        self.origin = origin
        self.is_script = is_script
        self.woken = threading.Event()
        self.got: list[Any] = []
        self.seqs: list[int] = []
        self.cursor: Cursor | None = None

    def wake(self) -> None:
        """Hear that there is something."""
        self.woken.set()

    def join(self, document: LiveDocument) -> int:
        """Begin to follow; the ``seq`` that was pulled."""
        pulled, self.cursor = document.join(self)
        return pulled.seq

    def take(self) -> list[Any]:
        """Everything new."""
        new = []
        while (entry := self.cursor and self.cursor.channel.next(self.cursor)) is not None:
            if isinstance(entry, Behind):
                new.append(("behind", entry.seq))
                break
            if isinstance(entry, Closed):
                new.append(("closed", entry.code))
                break
            self.seqs.append(entry.seq)
            new += ["pull"] if entry.data is None else events_of(entry.data)
        self.got += new
        return new

    def values(self) -> list[object]:
        """The slider values among what is new."""
        return [event["new"] for event in self.take() if event.get("attr") == "value"]


def events_of(data: bytes) -> list[dict[str, Any]]:
    """The events of a ``PATCH-DOC`` as it is sent."""
    frames = list(frames_of(data))
    assert json.loads(frames[0])["msgtype"] == "PATCH-DOC"
    events: list[dict[str, Any]] = json.loads(frames[2])["events"]
    return events


def frames_of(data: bytes) -> Iterable[bytes]:
    """The payloads of WebSocket frames."""
    at = 0
    while at < len(data):
        size = data[at + 1]
        at += 2
        if size == 126:
            size, at = struct.unpack_from(">H", data, at)[0], at + 2
        elif size == 127:
            size, at = struct.unpack_from(">Q", data, at)[0], at + 8
        yield data[at : at + size]
        at += size


def run_together(functions: Iterable[Callable[[], object]], seconds: float = 60) -> None:
    """Run functions in threads at once; the first failure is raised here."""
    failures: list[BaseException] = []

    def guarded(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    assert not any(thread.is_alive() for thread in threads), "it hangs"
    if failures:
        raise failures[0]


def picture(width: int = 48, height: int = 30, colour: str = "teal") -> bytes:
    """A PNG of one colour."""
    out = BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()
