"""Whatever a script does to its document, the stored one ends up the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Div, Slider, TabPanel, Tabs
from bokeh.plotting import figure
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bokeh_server.client import Session
from support.oracle import OracleServer, same_documents

Connect = Callable[..., Session]


class Script:
    """A script that does what it is told, with a document and a few things left out of it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.document = Document(title="test")
        session.link(self.document)
        self.number = 0
        self.spare: list[Any] = []

    @property
    def sources(self) -> list[ColumnDataSource]:
        """The data sources of the document, in a fixed order."""
        return [each for each in self._models() if isinstance(each, ColumnDataSource)]

    def _models(self) -> list[Any]:
        found: dict[Any, None] = {}
        for root in self.document.roots:
            found.update(dict.fromkeys(sorted(root.references(), key=lambda each: each.id)))
        return list(found)

    def _source(self, pick: int) -> ColumnDataSource | None:
        return self.sources[pick % len(self.sources)] if self.sources else None

    def _value(self) -> float:
        self.number += 1
        return float(self.number)

    def add_plot(self, pick: int) -> None:
        """Add a plot: lists or arrays as columns."""
        make = np.array if pick % 2 else list
        source = ColumnDataSource({"x": make([1.0, 2.0]), "y": make([self._value(), 3.0])})
        plot = figure()
        plot.scatter("x", "y", source=source)
        self.document.add_root(plot)

    def add_layout(self, pick: int) -> None:
        """Add widgets in one of several layouts."""
        slider = Slider(start=0, end=9, value=pick % 9)
        kinds = [row, column, lambda *each: Tabs(tabs=[TabPanel(child=each[0], title="t")])]
        self.document.add_root(kinds[pick % 3](slider, Div(text=str(pick))))

    def remove(self, pick: int) -> None:
        """Take a root out and keep it."""
        if self.document.roots:
            root = self.document.roots[pick % len(self.document.roots)]
            self.document.remove_root(root)
            self.spare.append(root)

    def put_back(self, pick: int) -> None:
        """Put a root back, changed meanwhile."""
        if self.spare:
            root = self.spare.pop(pick % len(self.spare))
            root.name = f"back{self._value()}"
            self.document.add_root(root)

    def shuffle(self, pick: int) -> None:
        """Change the children of a layout."""
        for root in self.document.roots:
            if hasattr(root, "children") and root.children:
                root.children = [*root.children[1:], Div(text=str(pick)), root.children[0]][-3:]

    def set_attribute(self, pick: int) -> None:
        """Set an attribute of some model."""
        models = self._models()
        if models:
            models[pick % len(models)].tags = [self._value()]

    def set_column(self, pick: int) -> None:
        """Replace one column."""
        if source := self._source(pick):
            source.data["y"] = [self._value()] * len(source.data["x"])

    def set_data(self, pick: int) -> None:
        """Replace all columns."""
        if source := self._source(pick):
            source.data = {"x": np.arange(pick % 4 + 1.0), "y": np.full(pick % 4 + 1, 1.5)}

    def stream(self, pick: int) -> None:
        """Add points."""
        if source := self._source(pick):
            kind = np.array if pick % 2 else list
            new = {"x": kind([self._value()] * (pick % 3)), "y": kind([0.5] * (pick % 3))}
            source.stream(new, 4 if pick % 5 else None)

    def patch(self, pick: int) -> None:
        """Change points."""
        source = self._source(pick)
        if source and len(source.data["y"]):
            source.patch({"y": [(pick % len(source.data["y"]), self._value())]})

    def rename(self, pick: int) -> None:
        """Change the title."""
        self.document.title = f"title {pick}"

    def store_objects(self, pick: int) -> None:
        """Store some model of the document."""
        models = self._models()
        if models:
            self.session.store_objects(models[pick % len(models)], dirty_only=bool(pick % 7))

    def store(self, pick: int) -> None:
        """Store the document."""
        self.session.store_document(self.document)


ACTIONS = [
    name for name, value in vars(Script).items() if callable(value) and not name.startswith("_")
]
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1000)), max_size=16)


@given(before=STEPS, after=STEPS)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_stored_document_is_the_same(
    before: list[tuple[str, int]], after: list[tuple[str, int]], connect: Connect,
    oracle: OracleServer,
) -> None:  # fmt: skip
    """After any steps and a store, Bokeh's document on the server equals the script's.

    Another program that had loaded it earlier and loads it again has the same, too.
    """
    oracle.documents.clear()
    script, other, copy = Script(connect()), connect(), Document()
    script.add_plot(0)
    for name, pick in before:
        getattr(script, name)(pick)
    script.store(0)
    same_documents(oracle.only(), script.document)
    other.load_document(copy)
    for name, pick in after:
        getattr(script, name)(pick)
    script.store(0)
    same_documents(oracle.only(), script.document)
    other.load_document(copy)
    assert [root.id for root in copy.roots] == [root.id for root in script.document.roots]
    copy.set_title(script.document.title)
    same_documents(copy, script.document)
