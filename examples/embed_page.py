"""A live plot in a page of your own: writes embed_page.html, then keeps the plot moving."""

import math
import time
from pathlib import Path

from bokeh_server.embed import autoload_server
from bokeh_server.plotting import ColumnDataSource, curdoc, cursession, figure, output_server, push

output_server("embed_page")

source = ColumnDataSource({"x": [0.0], "y": [0.0]})
p = figure(width=500, height=250, title="embedded, and live")
p.line("x", "y", source=source, line_width=2)
curdoc().add_root(p)
push()

page = Path("embed_page.html")
page.write_text(
    "<!DOCTYPE html><meta charset='utf-8'><title>A page of mine</title>"
    f"<h1>A page of mine</h1>{autoload_server(p, cursession())}<p>Text goes on here.</p>",
    encoding="utf-8",
)
print(f"open {page.resolve().as_uri()}")

step = 0
while True:
    step += 1
    source.stream({"x": [step / 10], "y": [math.sin(step / 10)]}, rollover=200)
    cursession().store_objects(source)
    time.sleep(0.05)
