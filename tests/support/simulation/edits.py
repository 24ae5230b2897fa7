"""What people and scripts do to a document: one edit after another, each as events."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Iterator
from typing import Any

from bokeh_server.protocol import WireDocument

__all__ = ["BASE", "Editor", "Event"]

Event = dict[str, Any]


def model(kind: str, model_id: str, **attributes: Any) -> dict[str, Any]:
    """A model in wire form."""
    return {"type": "object", "name": kind, "id": model_id, "attributes": attributes}


def columns(**data: list[int]) -> dict[str, Any]:
    """Columns in wire form."""
    return {"type": "map", "entries": [[name, values] for name, values in data.items()]}


#: the document that every trial begins with.
BASE: dict[str, Any] = {
    "version": "3.9.2",
    "title": "start",
    "roots": [
        model("Slider", "s", start=0, end=10**9, value=0),
        model("TextInput", "t", value="", title=""),
        model("Range1d", "r", start=0, end=1),
        model("ColumnDataSource", "d", data=columns(x=[1, 2, 3], y=[1, 2, 3])),
        model("Column", "c", children=[model("Div", "c0", text="")]),
    ],
}


class Editor:
    """Makes edits of the document as one client sees it.

    :param name: part of the ids of the models it makes.
    """

    def __init__(self, name: str, dice: random.Random) -> None:
        self.name = name
        self.dice = dice
        self._numbers = itertools.count(1)

    def number(self) -> int:
        """A value that nobody else ever sets."""
        return zlib.crc32(self.name.encode()) % 997 + 1000 * next(self._numbers)

    def edit(self, document: WireDocument) -> list[Event]:
        """An edit at random; empty when it cannot be made now."""
        kinds = (
            (self.text, 4), (self.pan, 4), (self.stream, 4), (self.patch, 3), (self.columns, 2),
            (self.some_columns, 2), (self.title, 1), (self.add_root, 2), (self.remove_root, 2),
            (self.move_root, 1), (self.children, 2), (self.touch_child, 3),
        )  # fmt: skip
        make = self.dice.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        return make(document)

    def drag(self) -> Iterator[Event]:
        """The slider's way from here to there."""
        key = self.dice.choice([("s", "value"), ("s", "value"), ("r", "start")])
        for _ in range(self.dice.randint(3, 40)):
            yield self._set(*key, self.number())

    def text(self, _document: WireDocument) -> list[Event]:
        """Type."""
        return [self._set("t", self.dice.choice(["value", "title"]), f"{self.name}{self.number()}")]

    def pan(self, _document: WireDocument) -> list[Event]:
        """Move both ends of a range."""
        return [self._set("r", attr, self.number()) for attr in ("start", "end")]

    def stream(self, document: WireDocument) -> list[Event]:
        """Append rows."""
        size = self.dice.randint(1, 3)
        data = {name: [self.number() for _ in range(size)] for name in ("x", "y")}
        rollover = self.dice.choice([None, 20, 20])
        return [self._data("ColumnsStreamed", data=data, rollover=rollover)]

    def patch(self, document: WireDocument) -> list[Event]:
        """Set single cells."""
        rows = len(column(document, "x"))
        if not rows:
            return []
        cells = [[self.dice.randrange(rows), self.number()] for _ in range(2)]
        return [self._data("ColumnsPatched", patches={"x": cells})]

    def columns(self, _document: WireDocument) -> list[Event]:
        """Set all columns."""
        size = self.dice.randint(0, 5)
        data = columns(**{name: [self.number() for _ in range(size)] for name in ("x", "y")})
        if self.dice.random() < 0.5:
            return [self._set("d", "data", data)]
        return [self._data("ColumnDataChanged", data=data, cols=None)]

    def some_columns(self, document: WireDocument) -> list[Event]:
        """Set one of the columns."""
        data = columns(y=[self.number() for _ in column(document, "x")])
        return [self._data("ColumnDataChanged", data=data, cols=["y"])]

    def title(self, _document: WireDocument) -> list[Event]:
        """Set the title."""
        return [{"kind": "TitleChanged", "title": f"{self.name}{self.number()}"}]

    def add_root(self, document: WireDocument) -> list[Event]:
        """Add a root."""
        if len(document.roots) > 12:
            return []
        return [{"kind": "RootAdded", "model": self._new()}]

    def remove_root(self, document: WireDocument) -> list[Event]:
        """Remove one of the roots that were added."""
        extra = document.roots[5:]
        return [self._removed(self.dice.choice(extra))] if extra else []

    def move_root(self, document: WireDocument) -> list[Event]:
        """Have a root be the last."""
        extra = [each for each in document.roots if each not in "strdc"]
        if not extra:
            return []
        chosen = self.dice.choice(extra)
        return [self._removed(chosen), {"kind": "RootAdded", "model": {"id": chosen}}]

    def children(self, document: WireDocument) -> list[Event]:
        """Replace, add, remove or reorder what a layout holds."""
        ids = list(document.models["c"].refs("children")) if "c" in document.models else []
        new: list[Any] = [{"id": each} for each in ids]
        self.dice.shuffle(new)
        if new and self.dice.random() < 0.4:
            new.pop()
        if len(new) < 5 and self.dice.random() < 0.6:
            new.append(self._new())
        return [self._set("c", "children", new)]

    def touch_child(self, document: WireDocument) -> list[Event]:
        """Set something of a model that may be gone elsewhere."""
        ids = [*document.models["c"].refs("children"), *document.roots[5:]]
        divs = [each for each in ids if document.type_of(each) == "Div"]
        if not divs:
            return []
        return [self._set(self.dice.choice(divs), "text", f"{self.name}{self.number()}")]

    def _new(self) -> dict[str, Any]:
        return model("Div", f"{self.name}{self.number()}", text="new")

    @staticmethod
    def _set(model_id: str, attr: str, value: Any) -> Event:
        return {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": value}

    @staticmethod
    def _data(kind: str, **more: Any) -> Event:
        return {"kind": kind, "model": {"id": "d"}, "attr": "data", **more}

    @staticmethod
    def _removed(model_id: str) -> Event:
        return {"kind": "RootRemoved", "model": {"id": model_id}}


def column(document: WireDocument, name: str) -> list[Any]:
    """A column of the data source."""
    data = document.model_json("d")["attributes"]["data"]
    return list(dict(data["entries"]).get(name, [])) if data["type"] == "map" else []
