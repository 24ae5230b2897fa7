"""Databases of every earlier revision, upgraded with data in them."""

from __future__ import annotations

from contextlib import closing

import pytest
from alembic.script import ScriptDirectory

from bokeh_server.storage import Store
from bokeh_server.storage.schema import alembic_config, head_revision
from bokeh_server.storage.upgrade import upgrade
from support.history import FILLERS
from support.revisions import check_kept, count_rows, make_old

SCRIPT = ScriptDirectory.from_config(alembic_config())
REVISIONS = [revision.revision for revision in SCRIPT.walk_revisions()][::-1]


def test_every_revision_has_data() -> None:
    """A new revision comes with data of its time: see ``tests/support/history``."""
    assert list(FILLERS) == REVISIONS


@pytest.mark.parametrize("revision", FILLERS)
def test_no_table_is_left_out(database_url: str, revision: str) -> None:
    """The data of a revision has rows in every table that it had."""
    make_old(database_url, revision)
    rows = count_rows(database_url)
    assert [name for name, count in rows.items() if not count] == []


@pytest.mark.parametrize("revision", FILLERS)
def test_nothing_is_lost_by_an_upgrade(database_url: str, revision: str) -> None:
    """Titles, logs, keys, times and contents are what they were, and work goes on from there."""
    documents = make_old(database_url, revision)
    assert upgrade(database_url) == (revision, head_revision())
    check_kept(database_url, documents)


@pytest.mark.parametrize("revision", [each for each in FILLERS if each < "0004"])
def test_what_documents_take_is_counted_by_the_upgrade(database_url: str, revision: str) -> None:
    """Everybody's use is at once what is measured row by row."""
    documents = make_old(database_url, revision)
    upgrade(database_url)
    with closing(Store.open(database_url)) as store:
        for owner in {each.owner for each in documents}:
            usage = store.usage.of(owner)
            theirs = [each.docid for each in documents if each.owner == owner]
            assert usage is not None
            assert usage.bytes == sum(map(store.usage.measure, theirs))
        assert any(each.bytes for each in store.usage.list())
