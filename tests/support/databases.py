"""Empty databases of every kind that is supported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["database_url"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database; needs the fixture ``postgresql_server``."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bokeh.sqlite'}"
        return
    with request.getfixturevalue("postgresql_server").database() as url:
        yield url
