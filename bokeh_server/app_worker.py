"""A worker process of applications, started by the server; see :mod:`bokeh_server.apps.workers`.

As the command does, this imports nothing of ours before gevent has replaced sockets and threads.
What it needs of the system itself it takes before, so that it works while a callback computes.
"""

from __future__ import annotations

import os
import signal
import sys
from _thread import start_new_thread
from collections.abc import Callable
from select import poll
from time import sleep

__all__ = ["main"]

#: seconds after which a worker whose server has gone ends, whatever it is doing.
END_SECONDS = 8.0


def main() -> None:
    """Serve until standard input ends; never returns.

    Arguments: ``gevent`` or ``threads``, and the descriptor that is listened on.
    """
    way, listener = sys.argv[1], int(sys.argv[2])
    if way == "gevent":
        from bokeh_server.greenlets import patch

        patch()
    life = os.dup(0)
    _have_no_input()
    code = 1
    try:
        _run(life, listener)
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # threads of applications may run for ever


def _have_no_input() -> None:
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


def _guard(life: int, tidy: Callable[[], None]) -> None:
    """End in any case when the server has gone."""
    ended = poll()
    ended.register(life, 0)  # tells of the end alone
    ended.poll()
    sleep(END_SECONDS)
    tidy()
    os._exit(1)


def _run(life: int, descriptor: int) -> None:
    import selectors

    from bokeh_server.apps.workers.running import Worker
    from bokeh_server.errors import ConfigurationError

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the server tells when to end
    asked, ask = os.pipe()
    _at_sigterm(lambda *_: os.write(ask, b"x"))
    worker = Worker(life, descriptor)
    start_new_thread(_guard, (life, worker.tidy))
    try:
        worker.start()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    with selectors.DefaultSelector() as waiting:
        for each in (life, asked):
            waiting.register(each, selectors.EVENT_READ)
        ready = [key.fd for key, _ in waiting.select()]
    worker.close()
    if life in ready:
        worker.tidy()


def _at_sigterm(handler: object) -> None:
    gevent = sys.modules.get("gevent")
    if gevent is None:
        signal.signal(signal.SIGTERM, handler)  # type: ignore[arg-type]
    else:
        gevent.signal_handler(signal.SIGTERM, handler)
