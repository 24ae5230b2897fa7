"""Every test of storage runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bokeh_server.storage import Store
from support.databases import database_url
from support.postgresql import postgresql_server

__all__ = ["database_url", "postgresql_server", "store"]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on an empty database."""
    opened = Store.open(database_url)
    yield opened
    opened.close()
