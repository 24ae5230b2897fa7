"""Small wire documents and events, written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column, gridplot, row
from bokeh.models import ColumnDataSource, CustomJS, Slider, TabPanel, Tabs
from bokeh.plotting import figure

from bokeh_server.protocol import WireDocument

Event = dict[str, Any]


def model(name: str, model_id: str, /, **attributes: Any) -> Event:
    """A model in full."""
    return {"type": "object", "name": name, "id": model_id, "attributes": attributes}


def document(*roots: Event, **rest: Any) -> WireDocument:
    """A document with these roots."""
    return WireDocument.from_json({"roots": list(roots), **rest}, {})


def change(model_id: str, attr: str, new: Any) -> Event:
    """A ModelChanged event."""
    return {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": new}


def added(root: Event) -> Event:
    """A RootAdded event."""
    return {"kind": "RootAdded", "model": root}


def removed(root: str) -> Event:
    """A RootRemoved event."""
    return {"kind": "RootRemoved", "model": {"id": root}}


def dashboard() -> Document:
    """A document such as people make: plots in layouts, widgets, callbacks, shared sources."""
    source = ColumnDataSource({"x": np.arange(5), "y": [1.5, None, float("nan"), "a", 2]})
    plots = [figure(width=200, height=200, name=f"plot {n}") for n in range(3)]
    for plot in plots:
        plot.scatter("x", "x", source=source)
    plots[1].image([np.arange(6.0).reshape(2, 3)], x=0, y=0, dw=1, dh=1)
    slider = Slider(start=0, end=1, value=0.5)
    slider.js_on_change("value", CustomJS(args={"s": source}, code="s.change.emit()"))
    tabs = Tabs(tabs=[TabPanel(child=gridplot([plots[1:]]), title="grid")])
    made = Document(title="dashboard")
    made.add_root(column(plots[0], row(slider), tabs))
    made.js_on_event("document_ready", CustomJS(code="1"))
    return made
