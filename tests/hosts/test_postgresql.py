"""Several server processes on one PostgreSQL: what one does, the viewers of the others see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from bokeh_server.storage import Store
from support.bokeh_socket import BokehSocket, bokeh_socket
from support.documents import run_together
from support.hosts import running_host
from support.postgresql import Postgresql
from support.server import RunningServer, running_server
from support.writers import Client, client, make_document

pytestmark = pytest.mark.postgresql

Pair = tuple[RunningServer, RunningServer]


@pytest.fixture(scope="module")
def servers(postgresql_server: Postgresql) -> Iterator[Pair]:
    """Two ``bokeh-server`` commands."""
    with (
        postgresql_server.ready_database() as url,
        running_server("--database", url) as one,
        running_server("--database", url) as two,
    ):
        yield one, two


def setting(value: int) -> list[dict[str, Any]]:
    """Events that set the slider."""
    return [{"kind": "ModelChanged", "model": {"id": "s"}, "attr": "value", "new": value}]


def row(x: float) -> list[dict[str, Any]]:
    """Events that append a row."""
    event = {"kind": "ColumnsStreamed", "model": {"id": "d"}, "attr": "data", "rollover": None}
    return [{**event, "data": {"x": [x], "y": [x]}}]


def soon(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.05)


def test_changes_and_titles_reach_viewers_elsewhere(servers: Pair) -> None:
    """Viewers at one server see what scripts do at the other, in both directions."""
    with client(servers[0].url) as here, client(servers[1].url) as there:
        docid = make_document(here, "shared")
        path = f"/bokeh/doc/{docid}/"
        with (
            bokeh_socket(f"{servers[0].ws_url}/bokeh/doc/{docid}/ws") as left,
            bokeh_socket(f"{servers[1].ws_url}/bokeh/doc/{docid}/ws") as right,
        ):
            assert left.pull() == right.pull()
            for seq, (to, value) in enumerate([(here, 7), (there, 8), (here, 9)], 2):
                assert to.change(docid, setting(value))[1]["seq"] == seq
                for viewer in (left, right):
                    assert viewer.expect("PATCH-DOC")["events"][0]["new"] == value
            assert there.ask("PATCH", path, {"title": "renamed"})[0] == 200
            for viewer in (left, right):
                assert viewer.expect("PATCH-DOC")["events"][0]["title"] == "renamed"
        soon(lambda: here.ask("GET", path)[1]["title"] == "renamed")
        assert here.ask("POST", "/bokeh/doc/", {"title": "renamed"})[0] == 409


def test_publishing_is_seen_elsewhere(servers: Pair) -> None:
    """Within a second or two the other server knows."""
    with client(servers[0].url) as here, client(servers[1].url) as there:
        docid = make_document(here, "to publish")
        for published, verb in ((True, "publish"), (False, "unpublish")):
            assert here.ask("POST", f"/bokeh/{docid}/{verb}")[0] == 200
            path = f"/bokeh/doc/{docid}/"
            soon(lambda path=path, on=published: there.ask("GET", path)[1]["published"] is on)


def test_deleting_is_seen_elsewhere(servers: Pair) -> None:
    """Viewers at the other server are told to leave, and writers there that it is gone."""
    with client(servers[0].url) as here, client(servers[1].url) as there:
        docid = make_document(here, "to delete")
        with bokeh_socket(f"{servers[1].ws_url}/bokeh/doc/{docid}/ws") as viewer:
            viewer.pull()
            assert here.ask("DELETE", f"/bokeh/doc/{docid}/")[0] == 204
            assert there.change(docid, setting(3))[0] == 404
            with pytest.raises(ConnectionClosed) as closed:
                viewer.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4004
        assert there.ask("GET", f"/bokeh/doc/{docid}/")[0] == 404
        again = there.ask("POST", "/bokeh/doc/", {"title": "to delete"})
        assert again[0] == 201


def test_several_workers_write_to_one_document(postgresql_server: Postgresql) -> None:
    """Six writers and four viewers, wherever they land among three workers, agree in the end."""
    with (
        postgresql_server.ready_database() as url,
        running_host("gunicorn workers", url) as host,
        ExitStack() as stack,
    ):
        base = f"{host.url}/plots"
        docid = make_document(stack.enter_context(client(base)), "busy")
        address = f"{host.ws_url}/plots/bokeh/doc/{docid}/ws"
        viewers = [stack.enter_context(bokeh_socket(address)) for _ in range(4)]
        for viewer in viewers:
            viewer.pull()
        answered: dict[int, float] = {}
        lock = threading.Lock()

        def write(writer: int) -> None:
            for turn in range(15):
                with client(base) as fresh:  # any of the workers
                    seq = change_at_last(fresh, docid, 100.0 * writer + turn)
                with lock:
                    answered[seq] = 100.0 * writer + turn

        run_together([lambda writer=writer: write(writer) for writer in range(1, 7)])
        assert sorted(answered) == list(range(2, 92))
        in_order = [answered[seq] for seq in sorted(answered)]
        for viewer in viewers:
            assert list(streamed(viewer, 90)) == in_order
        with closing(Store.open(url)) as store:
            assert [record.seq for record in store.changes.after(docid, 0)] == list(range(1, 92))


def change_at_last(to: Client, docid: str, x: float) -> int:
    """Append a row; where the server asks to try again, do so, as the client library does."""
    for _ in range(20):
        status, answer = to.change(docid, row(x), key=f"key {x}")
        if status == 200:
            seq: int = answer["seq"]
            return seq
        assert status == 503, answer
        time.sleep(0.1)
    raise AssertionError(answer)


def streamed(viewer: BokehSocket, count: int) -> Iterator[float]:
    """The rows that a viewer is sent, one by one."""
    while count:
        for event in viewer.expect("PATCH-DOC")["events"]:
            yield from event["data"]["x"]
            count -= 1
