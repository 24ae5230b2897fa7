"""A choice of what is drawn: whole plots, renderers and roots are exchanged; some held together."""

from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import Button, Div, MultiChoice, RadioButtonGroup, Select
from bokeh.plotting import figure

XS = [1, 2, 3, 4]
kind = Select(title="Kind", value="line", options=["line", "scatter", "bars"], name="kind")
colour = RadioButtonGroup(labels=["navy", "crimson"], active=0)
lines = MultiChoice(title="Powers", value=["1"], options=["1", "2", "3"], name="lines")
extra, steps = Button(label="Extra root"), Button(label="Steps")
count = Div(text="0", name="count")


def make() -> figure:
    """The plot that is chosen."""
    plot = figure(width=400, height=250, title=f"{kind.value} {' '.join(lines.value)}")
    for power in map(int, lines.value):
        ys = [x**power for x in XS]
        draw = {"line": plot.line, "scatter": plot.scatter, "bars": plot.vbar}[kind.value]
        more = {"top": ys, "width": 0.5} if kind.value == "bars" else {"y": ys}
        draw(x=XS, **more, color=colour.labels[colour.active], name=f"power {power}")
    return plot


def exchange(attr: str, old: object, new: object) -> None:
    """Draw anew."""
    panel.children = [make()]


def add_root() -> None:
    """Have a further root, or no longer."""
    found = curdoc().get_model_by_name("extra")
    if found is None:
        curdoc().add_root(Div(text="extra", name="extra"))
    else:
        curdoc().remove_root(found)


def step() -> None:
    """Many small changes, of which one is sent."""
    curdoc().hold("combine")
    for number in range(1, 51):
        count.text = str(number)
    curdoc().unhold()


for each, attr in ((kind, "value"), (colour, "active"), (lines, "value")):
    each.on_change(attr, exchange)
extra.on_click(add_root)
steps.on_click(step)
panel = row(make())
curdoc().add_root(column(kind, colour, lines, extra, steps, count, panel))
