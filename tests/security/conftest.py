"""A server for several people in this process, on a database of its own for each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from bokeh_server.blueprint import BokehServer
from support.attacks import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server, with ada who has a private and a published document, and eve who has none."""
    folder: Path = tmp_path_factory.mktemp("site")
    app = Flask("host")
    server = BokehServer(
        app,
        data_dir=folder,
        database=f"sqlite:///{folder / 'bokeh.sqlite'}",
        multi_user=True,
        max_body_size=200_000,
    )
    made = Site(app, folder)
    for name in ("ada", "eve"):
        made.enter(name)
    made.private = made.document("private")
    made.published = made.document("published")
    made.ask("ada", "POST", f"/bokeh/{made.published}/publish")
    yield made
    server.close()
