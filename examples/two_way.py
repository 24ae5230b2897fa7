"""A slider in the browser that moves a curve in every open browser, by way of this script."""

import numpy as np
from bokeh.models import Slider

from bokeh_server.plotting import (
    ColumnDataSource,
    column,
    curdoc,
    cursession,
    figure,
    output_server,
    show,
)

output_server("two_way")

x = np.linspace(0, 10, 200)
source = ColumnDataSource({"x": x, "y": np.sin(x)})
p = figure(width=600, height=300, y_range=(-1.2, 1.2))
p.line("x", "y", source=source, line_width=2)
slider = Slider(title="frequency", start=0.1, end=5, step=0.1, value=1)


def update(attr, old, new):
    source.data["y"] = np.sin(new * x)


slider.on_change("value", update)
show(column(slider, p))

cursession().subscribe(curdoc()).wait()  # callbacks run until Ctrl-C
