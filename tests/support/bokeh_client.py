"""Bokeh's own client, which leaves nothing open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from bokeh.client import ClientSession, pull_session, push_session
from bokeh.document import Document
from tornado.ioloop import IOLoop

__all__ = ["pulled", "pushed", "wait_client"]


@contextmanager
def pulled(url: str, **options: Any) -> Iterator[ClientSession]:
    """A session that is pulled from a server."""
    with _loop() as loop, closing(pull_session(url=url, io_loop=loop, **options)) as session:
        yield session


@contextmanager
def pushed(document: Document, url: str, **options: Any) -> Iterator[ClientSession]:
    """A session that a document is pushed to."""
    with _loop() as loop, closing(push_session(document, url=url, io_loop=loop, **options)) as made:
        yield made


@contextmanager
def _loop() -> Iterator[Any]:
    """A loop of Tornado's, which takes care that nobody makes another, and is closed."""
    before, base = asyncio.get_event_loop_policy()._local._loop, asyncio.new_event_loop()  # type: ignore[attr-defined]
    asyncio.set_event_loop(base)
    loop = IOLoop()
    try:
        yield loop
    finally:
        loop.close(all_fds=True)
        asyncio.set_event_loop(before)
        base.close()


def wait_client(session: ClientSession, holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Take what comes until something holds."""
    connection: Any = session._connection
    loop = connection._loop
    timer = loop.call_later(seconds, loop.stop)
    connection._loop_until(holds)
    loop.remove_timeout(timer)
    assert holds(), "it did not happen in time"
