"""Databases of every kind that is supported: empty, or with this release's tables."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bokeh_server.storage import Store

__all__ = ["KINDS", "database_kind", "database_url", "ready_url", "sqlite_template", "store"]

#: the values of a parameter that chooses the kind of database.
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Every kind of database, one after the other."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The URL of an empty database; needs the fixture ``postgresql_server``."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'bokeh.sqlite'}"
        return
    with request.getfixturevalue("postgresql_server").database() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with this release's tables, to copy."""
    path = tmp_path_factory.mktemp("template") / "bokeh.sqlite"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def ready_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with this release's tables, made from a template."""
    if database_kind == "sqlite":
        path = tmp_path / "bokeh.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    with request.getfixturevalue("postgresql_server").ready_database() as url:
        yield url


@pytest.fixture
def store(ready_url: str) -> Iterator[Store]:
    """A store on a database without documents."""
    opened = Store.open(ready_url)
    yield opened
    opened.close()
