"""An engine on a database of its own: every test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.storage import Store
from support.databases import store
from support.documents import doc_json

__all__ = ["engine", "live", "store"]


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    """An engine."""
    made = Engine(store)
    yield made
    made.close()


@pytest.fixture
def live(engine: Engine) -> LiveDocument:
    """The document of ``support.documents.doc_json``, as its change 1."""
    document = engine.open(engine.create("ada", "line").docid)
    assert document.replace(doc_json(), {}, actor="ada") == 1
    return document
