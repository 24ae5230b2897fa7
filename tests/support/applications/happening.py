"""Events of a plot, its tools and buttons, which the server lists."""

from bokeh.events import (
    ButtonClick,
    DocumentReady,
    DoubleTap,
    MouseEnter,
    Pan,
    PanEnd,
    PanStart,
    RangesUpdate,
    Reset,
    SelectionGeometry,
    Tap,
)
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, ColumnDataSource, CustomJS, Div, Dropdown
from bokeh.plotting import figure

seen = ColumnDataSource({"event": []}, name="seen")
plot = figure(width=400, height=300, x_range=(0, 10), y_range=(0, 10), name="plot")
plot.scatter([2, 5, 8], [2, 5, 8], size=20)
button = Button(label="Press")
menu = Dropdown(label="Choose", menu=[("One", "one"), ("Two", "two")])
here = Div(text="nowhere", name="here")
once = {"MouseEnter", "Pan", "RangesUpdate"}  # how often they come depends on the browser


def note(event: object) -> None:
    """List it."""
    name = type(event).__name__
    if name not in once or name not in seen.data["event"]:
        item = getattr(event, "item", None)
        seen.stream({"event": [f"{name} {item}" if item else name]})


events = (Tap, DoubleTap, Pan, PanStart, PanEnd, MouseEnter, Reset, RangesUpdate, SelectionGeometry)
for each in events:
    plot.on_event(each, note)
button.on_event(ButtonClick, note)
menu.on_click(note)
curdoc().on_event(DocumentReady, note)
plot.js_on_event(
    Tap, CustomJS(args={"here": here}, code="here.text = `at ${Math.round(cb_obj.x)}`")
)
curdoc().add_root(column(button, menu, plot, here))
curdoc().add_root(seen)
