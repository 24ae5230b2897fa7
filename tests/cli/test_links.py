"""``bokeh-server links``: share links and document keys, straight in the database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from bokeh_server.accounts import Links
from bokeh_server.cli.commands import bokeh_server
from bokeh_server.errors import NotFound, UnknownDocument
from bokeh_server.storage import Store


def links(url: str, *words: str) -> str:
    """What ``links WORDS`` prints."""
    done = CliRunner().invoke(bokeh_server, ["links", words[0], "--database", url, *words[1:]])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_making_listing_and_revoking(tmp_path: Path) -> None:
    """A secret is printed once and is good at once; a title that two have takes its owner."""
    url = f"sqlite:///{tmp_path / 'links.sqlite'}"
    with closing(Store.open(url)) as store:
        docid = store.documents.create("ada", "line").docid
        store.documents.create("bob", "line")
        kept = Links(store)
        key = links(url, "create", docid, "--key", "--role", "editor").strip()
        record = kept.by_key(key)
        assert record is not None
        assert (record.docid, record.role, record.creator) == (docid, "editor", "ada")
        with pytest.raises(UnknownDocument, match="ada, bob have one"):
            links(url, "create", "line")
        said = links(url, "create", "line", "--owner", "ada", "--revision", "0", "--days", "2")
        path, _, secret = said.strip().partition("#")
        link_id = path.removeprefix("/bokeh/link/")
        assert kept.by_link(link_id, secret) is not None
        listed = links(url, "list", docid)
        assert "revision 0" in listed
        assert secret not in listed + key[14:]
        assert link_id in links(url, "list")
        assert "Revoked the link 'made by the command'" in links(url, "revoke", link_id)
        assert Links(store).by_link(link_id, secret) is None
        with pytest.raises(NotFound):
            links(url, "revoke", link_id)
