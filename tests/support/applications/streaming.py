"""Rows that come one by one, of which the last five are kept, and cells that change in place."""

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, ColumnDataSource, Div, Toggle
from bokeh.plotting import figure

source = ColumnDataSource({"x": [0], "y": [0.0]}, name="source")
plot = figure(width=400, height=300)
plot.x_range.follow = "end"
plot.line("x", "y", source=source)
add, mend, run = Button(label="Add"), Button(label="Mend"), Toggle(label="Run")
said = Div(text="still", name="said")
ticks: list[object] = []


def stream() -> None:
    """Add a row."""
    last = source.data["x"][-1] + 1
    source.stream({"x": [last], "y": [last / 2]}, rollover=5)


def patch() -> None:
    """Change a cell, and a part of a column."""
    count = len(source.data["x"])
    source.patch({"y": [(0, -1.0), (slice(1, count), [9.0] * (count - 1))]})


def animate(active: bool) -> None:
    """Go on by itself, or stop."""
    if active:
        ticks.append(curdoc().add_periodic_callback(tick, 30))
    else:
        curdoc().remove_periodic_callback(ticks.pop())
    said.text = "running" if active else "stopped"


def tick() -> None:
    """Stop after a while, so that all who look see the same."""
    if source.data["x"][-1] < 12:
        stream()
    elif run.active:
        run.active = False


add.on_click(stream)
mend.on_click(patch)
run.on_change("active", lambda attr, old, new: animate(new))
curdoc().add_root(column(add, mend, run, plot, said))
