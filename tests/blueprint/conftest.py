"""A Flask app with the extension on a database of its own, and a client for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server.blueprint import BokehServer

Make = Callable[[str], str]


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A SQLite file; modules that depend on the database have both kinds."""
    return f"sqlite:///{tmp_path / 'bokeh.sqlite'}"


@pytest.fixture
def app(tmp_path: Path, database: str) -> Iterator[Flask]:
    """An app; closed afterwards."""
    made = Flask("host")
    server = BokehServer(made, data_dir=tmp_path / "data", database=database, max_body_size=200_000)
    yield made
    server.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A program that talks to the app."""
    return app.test_client()


@pytest.fixture
def plotted() -> Document:
    """A document with one named plot."""
    source = ColumnDataSource({"x": [1, 2, 3], "y": [4.0, 5.0, 6.0]}, name="data")
    plot = figure(name="line", width=300, height=200)
    plot.line("x", "y", source=source)
    document = Document()
    document.add_root(plot)
    return document


@pytest.fixture
def docid(client: FlaskClient, plotted: Document) -> str:
    """A stored document with one plot."""
    answer = client.post("/bokeh/doc/", json={"title": "stored"})
    made: str = answer.get_json()["docid"]
    content = {"doc": plotted.to_json(deferred=False)}
    assert client.put(f"/bokeh/doc/{made}/content", json=content).status_code == 200
    return made
