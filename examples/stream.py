"""A line that moves in every open browser; Ctrl-C ends it."""

import random
import time

from bokeh_server.plotting import cursession, figure, output_server, show

output_server("stream")

p = figure(width=400, height=400)
p.line([1, 2, 3, 4, 5], [6, 7, 2, 4, 5], line_width=2, name="ex_line")
show(p)

ds = p.select_one({"name": "ex_line"}).data_source
while True:
    ds.data["y"] = random.sample(ds.data["y"], len(ds.data["y"]))
    cursession().store_objects(ds)
    time.sleep(0.1)
