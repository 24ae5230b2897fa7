"""Points to select; how many of them are chosen, and their sum, is worked out by the server."""

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import BoxSelectTool, ColumnDataSource, Div
from bokeh.plotting import figure

source = ColumnDataSource({"x": list(range(10)), "y": [each * each for each in range(10)]})
plot = figure(width=400, height=300, name="plot", tools="box_select,tap,reset")
plot.select_one(BoxSelectTool).overlay.fill_alpha = 0.2
plot.toolbar.active_drag = plot.select_one(BoxSelectTool)
plot.scatter("x", "y", size=12, source=source)
said = Div(text="nothing", name="said")
bars = ColumnDataSource({"place": [0, 1], "count": [0, 10]}, name="bars")
counts = figure(width=400, height=150, y_range=(0, 10), tools="")
counts.vbar(x="place", top="count", width=0.8, source=bars)


def chosen(attr: str, old: list[int], new: list[int]) -> None:
    """Draw what was chosen."""
    bars.patch({"count": [(0, len(new)), (1, 10 - len(new))]})
    said.text = f"{sorted(new)} sum {sum(source.data['y'][each] for each in new)}"


source.selected.on_change("indices", chosen)
curdoc().add_root(column(plot, counts, said))
curdoc().title = "Selecting"
