"""Changes of a script over one connection: ``POST …/changes`` without a request for each.

A message is binary: an idempotency key, a line feed, and the packed patch as a request has it.
The answer is text: the JSON of a request's answer with ``"key"``; for a refusal with ``"status"``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import orjson

from bokeh_server.channels import Cursor
from bokeh_server.errors import BokehServerError
from bokeh_server.protocol.frames import text_frame
from bokeh_server.protocol.patches import KEY_LENGTH
from bokeh_server.sockets.connection import Connection

__all__ = ["Append", "ChangesHandler"]

log = logging.getLogger(__name__)

#: takes a packed patch and its key, and gives the answer when it is committed.
Append = Callable[[bytes, str], Mapping[str, object]]


class ChangesHandler:
    """Have changes stored one after the other; follows nothing.

    :param append: has one stored.
    :param origin: the name under which the script sends changes.
    """

    __slots__ = ("_append", "_connection")

    def __init__(self, connection: Connection, append: Append, *, origin: str) -> None:
        connection.origin = origin
        connection.is_script = True
        self._connection = connection
        self._append = append

    def opened(self) -> None:
        """Nothing goes first."""

    def received(self, data: str | bytes) -> None:
        """Store a change, and answer."""
        if isinstance(data, str):
            return self._connection.close(1003, "a change came as text and must be binary")
        name, _, body = data.partition(b"\n")
        key = name.decode("ascii", "replace")
        if not 0 < len(key) <= KEY_LENGTH or not key.isascii() or not key.isprintable():
            return self._connection.close(1002, "a change does not begin with a key")
        self._connection.send(text_frame(orjson.dumps({"key": key, **self._answer(body, key)})))

    def _answer(self, body: bytes, key: str) -> Mapping[str, object]:
        try:
            return self._append(body, key)
        except BokehServerError as error:
            return {"error": error.code, "detail": str(error), "status": error.status}
        except Exception:
            log.exception("A change failed")
            detail = "Could not answer: the server made a mistake. See its log."
            return {"error": "error", "detail": detail, "status": 500}

    def behind(self, cursor: Cursor) -> None:
        """Nothing to catch up with."""

    def closed(self) -> None:
        """Nothing to clean up."""
