"""A table, a range of it, and a download that the browser makes from what is shown."""

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, ColumnDataSource, CustomJS, DataTable, RangeSlider, TableColumn

PEOPLE = {"name": ["Ada", "Grace", "Emmy", "Hedy"], "pay": [30, 10, 40, 20]}
source = ColumnDataSource(PEOPLE, name="source")
pay = RangeSlider(title="Pay", start=0, end=50, value=(0, 50), step=10, name="pay")
button = Button(label="Download")
button.js_on_event(
    "button_click",
    CustomJS(
        args={"source": source},
        code="""
const {name, pay} = source.data
const lines = ["name,pay", ...name.map((each, i) => `${each},${pay[i]}`)]
const link = document.createElement("a")
link.href = URL.createObjectURL(new Blob([lines.join("\\n")], {type: "text/csv"}))
link.download = "people.csv"
link.click()
""",
    ),
)


def narrow(attr: str, old: object, new: tuple[float, float]) -> None:
    """Show those within the range."""
    rows = [each for each in zip(*PEOPLE.values(), strict=True) if new[0] <= each[1] <= new[1]]
    names, pays = zip(*rows, strict=True) if rows else ((), ())
    source.data = {"name": list(names), "pay": list(pays)}


pay.on_change("value", narrow)
columns = [TableColumn(field=name, title=name.title()) for name in PEOPLE]
curdoc().add_root(column(pay, button, DataTable(source=source, columns=columns, width=300)))
