"""A worker from its orders to its end."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import socket

from bokeh_server.apps.hosting import AppHost
from bokeh_server.apps.services import Services
from bokeh_server.apps.workers.desk import DistantGuard, DistantPublisher
from bokeh_server.apps.workers.serving import Serving
from bokeh_server.apps.workers.starting import Orders
from bokeh_server.apps.workers.wire import receive
from bokeh_server.sockets.loop import SocketLoop

__all__ = ["Worker"]

#: as in the server: the collector leaves alone what is there when it begins.
GARBAGE_OBJECTS = 10_000


class Worker:
    """One worker.

    :param orders: the descriptor that its orders come on.
    :param listener: the descriptor that it listens on.
    """

    def __init__(self, orders: int, listener: int) -> None:
        content, _ = receive(_Input(orders))
        logging.basicConfig(
            level=logging.WARNING,
            format=f"%(asctime)s %(levelname)s %(name)s worker {content['number']}: %(message)s",
        )
        logging.getLogger("bokeh_server").setLevel(content["log_level"])
        self._address = content["address"]
        self._desk: str = content["desk"]
        self._services = Services(
            publisher=DistantPublisher(self._desk) if content["publishes"] else None,
            guard=DistantGuard(self._desk) if content["guards"] else None,
        )
        self._orders = Orders.unpack(content)
        self._listener = socket.socket(fileno=listener)
        self._serving: Serving | None = None

    def start(self) -> None:
        """Load the applications, and begin to answer.

        :raises ConfigurationError: one cannot be loaded.
        """
        host = AppHost(self._orders.load(), self._orders.options, self._services)
        host.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE_OBJECTS, 10, 10)
        self._serving = Serving(self._listener, host, SocketLoop(self._orders.limits))
        self._serving.start()

    def close(self) -> None:
        """Close the sockets, end the sessions, and run the hooks."""
        if self._serving is not None:
            self._serving.close()

    def tidy(self) -> None:
        """Remove its socket's address when the server has gone, which may have been killed."""
        with contextlib.suppress(OSError):
            os.unlink(self._address)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._desk)
            os.rmdir(os.path.dirname(self._address))


class _Input:
    """A pipe, read as a socket is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def recv(self, size: int) -> bytes:
        """What is there, at most so much."""
        return os.read(self._descriptor, size)
