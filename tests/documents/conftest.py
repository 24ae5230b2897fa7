"""An engine on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.storage import Store
from support.databases import database_url
from support.documents import doc_json
from support.postgresql import postgresql_server

__all__ = ["database_url", "engine", "live", "postgresql_server", "store"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store on SQLite."""
    opened = Store.open(f"sqlite:///{tmp_path / 'bokeh.sqlite'}")
    yield opened
    opened.close()


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
