"""Links while their database is away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokeh_server.accounts import Links, Wish
from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage import Store


def test_an_outage_refuses_no_holder(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a link or key is in use may be noted later: it is good meanwhile."""
    links, docid = Links(store), store.documents.create("ada", "line").docid
    link, secret = links.make(docid, "ada", Wish("link"))
    _, key = links.make(docid, "ada", Wish("key"))
    monkeypatch.setattr("bokeh_server.storage.credentials.EXACTLY", timedelta(0))
    tries: list[str] = []

    def lost(link_id: str) -> None:
        tries.append(link_id)
        raise StorageUnavailable("note a link", "the database is away")

    monkeypatch.setattr(store.links, "note", lost)
    assert links.by_link(link.id, secret) is not None
    assert links.by_key(key) is not None
    assert len(tries) == 2
