"""What every request asks about a document."""

from __future__ import annotations

from bokeh_server.documents import Engine
from bokeh_server.documents.identities import Identities
from bokeh_server.storage import DocumentRecord


def test_what_this_process_changes_is_seen_at_once(engine: Engine) -> None:
    """Renaming, publishing and deleting are never hidden by what was remembered."""
    docid = engine.create("ada", "line").docid
    assert engine.identity("none") is None
    found = engine.identity(docid)
    assert found is not None
    assert (found.title, found.owner, found.published) == ("line", "ada", False)
    engine.rename(docid, "curve")
    engine.publish(docid, True)
    found = engine.identity(docid)
    assert found is not None
    assert (found.title, found.published) == ("curve", True)
    engine.delete(docid)
    assert engine.identity(docid) is None


def test_the_database_is_asked_once_a_moment(engine: Engine) -> None:
    """A thousand requests within a second read the row once."""
    record = engine.create("ada", "line")
    asked: list[str] = []

    def read(docid: str) -> DocumentRecord | None:
        asked.append(docid)
        return record

    identities = Identities(read)
    assert {identities.get(record.docid) for _ in range(1000)} == {identities.get(record.docid)}
    assert asked == [record.docid]


def test_an_answer_that_was_overtaken_is_not_kept(engine: Engine) -> None:
    """What was read before a change, and arrives after it, is used once and not remembered."""
    record = engine.create("ada", "line")
    asked: list[str] = []

    def read(docid: str) -> DocumentRecord | None:
        asked.append(docid)
        if len(asked) == 1:
            identities.forget(docid)
        return record

    identities = Identities(read)
    identities.get(record.docid)
    identities.get(record.docid)
    assert len(asked) == 2
