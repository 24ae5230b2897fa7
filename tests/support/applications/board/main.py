"""A folder: a page of its own with each root in its place, a theme, files, a hook, a module."""

from bokeh.io import curdoc
from bokeh.models import Div, Slider
from bokeh.plotting import figure

from .sums import double  # noqa: TID252 — as applications do

plot = figure(width=300, height=200, name="plot")
line = plot.line([1, 2, 3], [1, 4, 9])
factor = Slider(title="Factor", start=1, end=5, value=1, step=1, name="factor")
said = Div(text=f"double {double(factor.value)}", name="said")


def move(attr: str, old: float, new: float) -> None:
    """Draw with another factor."""
    line.data_source.data = {"x": [1, 2, 3], "y": [new * each for each in (1, 4, 9)]}
    said.text = f"double {double(new)}"


factor.on_change("value", move)
for each in (plot, factor, said):
    curdoc().add_root(each)
curdoc().title = "Board"
curdoc().template_variables["greeting"] = "a greeting"
curdoc().template_variables["from_hook"] = curdoc().session_context.token_payload["colour"]
