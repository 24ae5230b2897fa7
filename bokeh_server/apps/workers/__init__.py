"""Applications in processes of their own: a callback that computes for long holds up few.

A session belongs to the worker that a hash of its id names, so that its page and its socket meet
without a table. The server's own process checks everything, asks the worker for pages,
and hands it the sockets.
"""

from bokeh_server.apps.workers.backend import WorkerBackend
from bokeh_server.apps.workers.pool import worker_of
from bokeh_server.apps.workers.starting import Orders, demand_source

__all__ = ["Orders", "WorkerBackend", "demand_source", "worker_of"]
