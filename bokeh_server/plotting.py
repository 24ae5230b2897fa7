"""Everything of :mod:`bokeh.plotting`, and what publishes it.

.. code-block:: python

    from bokeh_server.plotting import figure, output_server, show

    output_server("line")
    p = figure()
    p.line([1, 2, 3], [6, 7, 2])
    show(p)
"""

from __future__ import annotations

from bokeh.layouts import column, gridplot, layout, row
from bokeh.plotting import (
    DEFAULT_TOOLS,
    Column,
    ColumnDataSource,
    Document,
    GMap,
    Row,
    figure,
    from_networkx,
    gmap,
    markers,
)

from bokeh_server.client import Session
from bokeh_server.io import (
    curdoc,
    cursession,
    output_file,
    output_notebook,
    output_server,
    push,
    reset_output,
    save,
    show,
)

__all__ = [
    "DEFAULT_TOOLS",
    "Column",
    "ColumnDataSource",
    "Document",
    "GMap",
    "Row",
    "Session",
    "column",
    "curdoc",
    "cursession",
    "figure",
    "from_networkx",
    "gmap",
    "gridplot",
    "layout",
    "markers",
    "output_file",
    "output_notebook",
    "output_server",
    "push",
    "reset_output",
    "row",
    "save",
    "show",
]
