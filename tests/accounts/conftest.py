"""Accounts on a database of their own: every test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bokeh_server.accounts import Accounts
from bokeh_server.storage import Store
from support.databases import store

__all__ = ["accounts", "elsewhere", "store"]


@pytest.fixture
def accounts(store: Store) -> Accounts:
    """The accounts of a server where anybody may register."""
    return Accounts(store)


@pytest.fixture
def elsewhere(ready_url: str) -> Iterator[Accounts]:
    """Those of another process that uses the same database."""
    other = Store.open(ready_url, tidy=False)
    yield Accounts(other)
    other.close()
