"""The migrations, against the tables they have to make."""

from __future__ import annotations

import ast
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import bokeh_server.migrations.versions as versions
from bokeh_server.storage import Store
from bokeh_server.storage.schema import alembic_config, head_revision
from bokeh_server.storage.tables import Base

REVISIONS = sorted(Path(versions.__path__[0]).glob("[0-9]*.py"))


def test_migrations_make_the_tables(database_url: str) -> None:
    """After all migrations nothing is missing from or left over of what the tables declare."""
    with closing(Store.open(database_url)) as store, store.database.read("test") as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_every_constraint_is_named_alike(database_url: str) -> None:
    """Names of keys and constraints are those of the naming convention, in the database too."""
    with closing(Store.open(database_url)) as store, store.database.read("test") as connection:
        found = inspect(connection)
        for table in Base.metadata.sorted_tables:
            name = table.name
            assert found.get_pk_constraint(name)["name"] == table.primary_key.name
            foreign = {key["name"]: key["options"] for key in found.get_foreign_keys(name)}
            assert foreign.keys() == {key.name for key in table.foreign_key_constraints}
            assert all(options == {"ondelete": "CASCADE"} for options in foreign.values())


def test_partial_indexes_are_partial(database_url: str) -> None:
    """Changes without an idempotency key are in no index of keys, which Alembic cannot compare."""
    with closing(Store.open(database_url)) as store, store.database.read("test") as connection:
        query = (
            "SELECT sql FROM sqlite_master WHERE name = 'uq_change_docid_key'"
            if store.database.is_sqlite
            else "SELECT indexdef FROM pg_indexes WHERE indexname = 'uq_change_docid_key'"
        )
        definition = connection.exec_driver_sql(query).scalar_one()
    assert "UNIQUE" in definition
    assert "WHERE" in definition


def test_the_history_is_one_line() -> None:
    """There is one first and one last revision, and each follows the one before."""
    script = ScriptDirectory.from_config(alembic_config())
    chain = [revision.revision for revision in script.walk_revisions()][::-1]
    assert chain[-1] == head_revision()
    assert chain == [path.stem.partition("_")[0] for path in REVISIONS]


@pytest.mark.parametrize("path", REVISIONS, ids=lambda path: path.stem)
def test_revisions_keep_the_house_rules(path: Path) -> None:
    """A revision imports no tables, which will have moved on, and offers no way back."""
    tree = ast.parse(path.read_text())
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not any((name or "").startswith("bokeh_server") for name in imported)
    downgrade = next(n for n in tree.body if getattr(n, "name", "") == "downgrade")
    assert isinstance(downgrade, ast.FunctionDef)
    assert isinstance(downgrade.body[0], ast.Raise)


def test_the_template_is_valid(tmp_path: Path) -> None:
    """A new revision made from the template compiles and keeps the house rules."""
    template = Path(versions.__path__[0]).parent / "script.py.mako"
    from mako.template import Template

    text = Template(filename=str(template)).render(
        message="Add a thing",
        up_revision="0002",
        down_revision="0001",
        branch_labels=None,
        depends_on=None,
        imports="",
        upgrades="op.drop_table('x')",
        downgrades="",
    )
    compile(text, "revision", "exec")
    assert "revision = '0002'" in text
