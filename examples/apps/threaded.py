"""Work in a thread of one's own: bokeh-server examples/apps/threaded.py --show

Only whoever has the document's lock may change it, and a thread has not.
It hands what it found to a callback for the next tick, which has.
"""

import time
from functools import partial
from threading import Event, Thread

import numpy as np
from bokeh.plotting import ColumnDataSource, curdoc, figure

doc = curdoc()  # in the thread curdoc() would be another
source = ColumnDataSource({"x": [0], "y": [0]})
ended = Event()


def update(x: float, y: float) -> None:
    source.stream({"x": [x], "y": [y]}, rollover=200)


def work() -> None:
    rng, y = np.random.default_rng(), 0.0
    for x in range(1, 1_000_000):
        y += rng.normal()
        doc.add_next_tick_callback(partial(update, x=x, y=y))
        if ended.wait(0.1):
            return


plot = figure(height=300, sizing_mode="stretch_width", title="a walk")
plot.line("x", "y", source=source)
doc.add_root(plot)
doc.title = f"Threaded, since {time.strftime('%H:%M')}"
doc.on_session_destroyed(lambda context: ended.set())

Thread(target=work, daemon=True).start()
