"""A Flask site with two applications and a plot that one of them publishes.

python examples/apps/site.py, then http://localhost:5000/
"""

import sys
from pathlib import Path

from bokeh.document import Document
from bokeh.embed import server_document
from bokeh.layouts import column
from bokeh.models import Button, Div, Slider
from bokeh.plotting import figure
from flask import Flask, render_template_string

import bokeh_server
from bokeh_server import BokehServer

PAGE = """<!doctype html>
<title>A site</title>
<h1>Two applications</h1>
<h2>Numbers</h2> {{ numbers|safe }}
<h2>Powers</h2> {{ powers|safe }}
"""

app = Flask(__name__)
bokeh = BokehServer(app, url_prefix="/live")


def powers(doc: Document) -> None:
    """An application may be a function of its document."""
    plot = figure(height=250, width=500, title="x to the power of n")
    line = plot.line([*range(11)], [*range(11)], line_width=2)
    slider = Slider(title="n", start=1, end=5, value=1, name="power")
    button = Button(label="Publish", name="publish")
    where = Div(text="", name="where")

    def update(attr: str, old: int, new: int) -> None:
        line.data_source.data["y"] = [x**new for x in range(11)]

    def publish() -> None:
        url = bokeh_server.publish(plot, "powers")
        where.text = f'<a href="{url}">published</a>'

    slider.on_change("value", update)
    button.on_click(publish)
    doc.add_root(column(slider, plot, button, where))


bokeh.add_application("/numbers", Path(__file__).parent / "complete.py")
bokeh.add_application("/powers", powers)


@app.get("/")
def home() -> str:
    """The site's own page."""
    # Relative addresses, so that they are right at whatever name the site is reached.
    scripts = {
        "numbers": server_document("/live/numbers", relative_urls=True, arguments={"first": 5}),
        "powers": server_document("/live/powers", relative_urls=True),
    }
    return render_template_string(PAGE, **scripts)


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]) if sys.argv[1:] else 5000, threaded=True)
