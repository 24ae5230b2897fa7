"""Writing models as JSON."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from bokeh_server.protocol import models
from bokeh_server.protocol.models import Ref, to_pieces


def test_threads_that_write_first_at_once_write_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two writers of a process, at the very same time, leave nobody unable to write."""
    together, make = threading.Barrier(2), uuid.uuid4

    def slow() -> uuid.UUID:
        together.wait(10)
        return make()

    models._mark.cache_clear()
    monkeypatch.setattr(uuid, "uuid4", slow)
    with ThreadPoolExecutor(2) as pool:
        written = list(pool.map(to_pieces, [[Ref("a")], [Ref("b")]]))
    monkeypatch.undo()
    for pieces in (*written, to_pieces([Ref("c")])):
        assert [type(piece) for piece in pieces] == [bytes, Ref, bytes, bytes]
