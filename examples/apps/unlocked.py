"""Slow work that holds up nobody: bokeh-server examples/apps/unlocked.py --show

A callback has the document's lock, and while it waits nothing else of its session happens.
One that says without_document_lock waits without it, and changes the document in the next tick.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bokeh.document import without_document_lock
from bokeh.layouts import column
from bokeh.models import Button, Div
from bokeh.plotting import curdoc

doc = curdoc()
executor = ThreadPoolExecutor(max_workers=2)
ticks, result = Div(text="0", name="ticks"), Div(text="nothing yet", name="result")
button = Button(label="Work for two seconds", name="button")


def slow(number: int) -> int:
    time.sleep(2)
    return number * number


def show(square: int) -> None:
    result.text = f"the square is {square}"


@without_document_lock
async def work() -> None:
    square = await asyncio.wrap_future(executor.submit(slow, 7), loop=asyncio.get_running_loop())
    doc.add_next_tick_callback(partial(show, square))


def tick() -> None:
    ticks.text = str(int(ticks.text) + 1)


button.on_click(lambda: doc.add_next_tick_callback(work))
doc.add_periodic_callback(tick, 100)
doc.add_root(column(button, ticks, result))
doc.on_session_destroyed(lambda context: executor.shutdown(wait=False))
