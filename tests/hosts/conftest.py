"""The host app under each server that we support."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.hosts import Host, running_host


@pytest.fixture(
    scope="module", params=["flask run", "gunicorn gevent", "gunicorn threads", "gevent pywsgi"]
)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """The same app under each of the four servers."""
    with running_host(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def pair() -> Iterator[Host]:
    """Two apps in one process."""
    with running_host("two apps") as running:
        yield running
