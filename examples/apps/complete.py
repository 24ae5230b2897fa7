"""A whole application in one file: bokeh-server examples/apps/complete.py --show

Every press of the button writes another number at a random place; the menu has its colour.
The address may say what the first one is: /complete?first=7
"""

from random import random

from bokeh.layouts import column
from bokeh.models import Button, Select
from bokeh.plotting import ColumnDataSource, curdoc, figure

arguments = curdoc().session_context.request.arguments
first = int(arguments.get("first", [b"1"])[0])

source = ColumnDataSource({"x": [], "y": [], "text": [], "color": []})
plot = figure(x_range=(0, 100), y_range=(0, 100), toolbar_location=None, name="plot")
plot.text("x", "y", text="text", text_color="color", text_font_size="24px", source=source)

button = Button(label="Another number", name="button")
colour = Select(title="Colour", value="navy", options=["navy", "crimson", "seagreen"])


def add() -> None:
    number = first + len(source.data["x"])
    place = {"x": [100 * random()], "y": [100 * random()]}
    source.stream({**place, "text": [str(number)], "color": [colour.value]})


button.on_click(add)
curdoc().add_root(column(button, colour, plot))
curdoc().title = "Numbers"
