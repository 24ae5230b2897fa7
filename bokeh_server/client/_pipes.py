"""Changes over a WebSocket, for scripts that store often: a request for each costs more.

Nothing depends on a pipe: what it does not answer is sent by HTTP with the same key, so that the
server stores it once.
"""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson

from bokeh_server.client._http import error_of
from bokeh_server.client._websocket import Closed, Refused, WebSocket

__all__ = ["Pipes"]

#: so many changes within so many seconds are often.
OFTEN = 3
OFTEN_SECONDS = 1.0
#: nobody reads between two changes, so the server, whose pings stay unanswered, may have gone.
IDLE_SECONDS = 20.0
#: after a failure to connect, requests must do for so long.
RETRY_SECONDS = 60.0


class Pipe:
    """One connection on which changes are stored, one after the other."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._answers = socket.messages()
        self._process = os.getpid()
        self._used = time.monotonic()
        self._finalize = weakref.finalize(self, socket.drop)

    @property
    def is_fresh(self) -> bool:
        """Whether it belongs to this process and was used a moment ago."""
        return self._process == os.getpid() and time.monotonic() - self._used < IDLE_SECONDS

    def send(self, body: bytes, key: str) -> dict[str, Any]:
        """Have a change stored, and give the answer.

        :raises OSError: the connection is broken.
        :raises Closed: the server has closed it.
        """
        self._socket.send_binary(b"%b\n%b" % (key.encode(), body))
        while True:
            answer: dict[str, Any] = orjson.loads(next(self._answers))
            if answer["key"] == key:
                self._used = time.monotonic()
                return answer

    def close(self) -> None:
        """Close it; one that another process opened is only let go of."""
        self._finalize.detach()
        if self._process == os.getpid():
            self._socket.close()
        else:
            self._socket.drop()


class Pipes:
    """The pipes of a session, one for each document that is stored often.

    :param connect: opens the WebSocket of a document; ``None``: there can be none.
    """

    def __init__(self, connect: Callable[[str], WebSocket | None]) -> None:
        self._connect = connect
        self._pipes: dict[str, Pipe] = {}
        self._times: dict[str, deque[float]] = {}
        self._not_before = 0.0

    def send(self, docid: str, body: bytes, key: str) -> dict[str, Any] | None:
        """Have a change stored.

        :returns: the answer; ``None``: send it by HTTP.
        :raises BokehServerError: the server refuses it.
        """
        pipe = self._pipe(docid)
        if pipe is None:
            return None
        try:
            answer = pipe.send(body, key)
        except (OSError, Closed):
            self._drop(docid)
            return None
        except BaseException:  # Ctrl-C: its answer may come yet, and is nobody else's
            self._drop(docid)
            raise
        if "error" in answer:
            attempted = f"store changes of document {docid}"
            raise error_of(attempted, int(answer["status"]), answer["error"], answer["detail"])
        return answer

    def _pipe(self, docid: str) -> Pipe | None:
        pipe = self._pipes.get(docid)
        if pipe is not None and pipe.is_fresh:
            return pipe
        self._drop(docid)
        return self._open(docid) if self._is_often(docid) else None

    def _is_often(self, docid: str) -> bool:
        now = time.monotonic()
        times = self._times.setdefault(docid, deque(maxlen=OFTEN))
        times.append(now)
        return now >= self._not_before and len(times) == OFTEN and now - times[0] < OFTEN_SECONDS

    def _open(self, docid: str) -> Pipe | None:
        try:
            socket = self._connect(docid)
        except (OSError, Refused):
            socket = None
        if socket is None:
            self._not_before = time.monotonic() + RETRY_SECONDS
            return None
        self._pipes[docid] = Pipe(socket)
        return self._pipes[docid]

    def _drop(self, docid: str) -> None:
        pipe = self._pipes.pop(docid, None)
        if pipe is not None:
            pipe.close()

    def close(self) -> None:
        """Close them all."""
        for docid in list(self._pipes):
            self._drop(docid)
