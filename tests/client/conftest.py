"""Sessions with a real server and with one without sockets; Bokeh's state as in a new process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bokeh.io.state import curstate
from bokeh.settings import settings

from bokeh_server.client import Session
from support.oracle import OracleHttp, OracleServer
from support.server import RunningServer, running_server


@pytest.fixture
def oracle() -> OracleServer:
    """A server of this process."""
    return OracleServer()


@pytest.fixture
def connect(oracle: OracleServer, tmp_path: Path) -> Callable[[], Session]:
    """Make sessions that talk to :func:`oracle`."""

    def session(title: str | None = "test") -> Session:
        made = Session(root_url="http://test.invalid/", configdir=tmp_path)
        made.http = OracleHttp(made.root_url, {})
        made.http.server = oracle
        if title is not None:
            made.use_doc(title)
        return made

    return session


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """A real server below a prefix."""
    with running_server("--url-prefix", "plots") as running:
        yield running


@pytest.fixture
def session(server: RunningServer, tmp_path: Path) -> Iterator[Session]:
    """A session of the real server, without a document."""
    with Session(root_url=server.url, configdir=tmp_path) as made:
        yield made


@pytest.fixture
def other(server: RunningServer, tmp_path: Path) -> Iterator[Session]:
    """Another program's session."""
    with Session(root_url=server.url, configdir=tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh_state() -> Iterator[None]:
    """Bokeh's current state and numbering as in a new process, before and after."""
    forget_state()
    yield
    forget_state()


def forget_state() -> None:
    """Drop what output_server left and number models simply again."""
    state = curstate()
    vars(state).pop("bokeh_server", None)
    state.reset()
    settings.simple_ids.unset_value()
