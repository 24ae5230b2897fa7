"""``bokeh-server events``, and what the other commands leave there; ranks and limits of users."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import click
import pytest
from click.testing import CliRunner

from bokeh_server.accounts import Accounts
from bokeh_server.cli.commands import bokeh_server
from bokeh_server.documents import Engine
from bokeh_server.errors import BadRequest, BokehServerError, NotFound
from bokeh_server.storage import NewEvent, Store
from support.documents import doc_json, set_value
from support.people import WORDS

Command: TypeAlias = Callable[..., str]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database that a server could have."""
    return f"sqlite:///{tmp_path / 'people.sqlite'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The database, opened beside the commands."""
    with closing(Store.open(url)) as opened:
        yield opened


@pytest.fixture
def command(url: str, store: Store) -> Command:
    """Runs a command on the database of ``store``; gives what it prints."""

    def run(group: str, name: str, *words: str, stdin: str = "") -> str:
        line = [group, name, "--database", url, *words]
        done = CliRunner().invoke(bokeh_server, line, input=stdin, standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done.output

    return run


def told(store: Store) -> list[tuple[Any, ...]]:
    """What was noted, the oldest first; all of it by nobody, by command."""
    found = store.events.find()[::-1]
    assert {(each.via, each.actor, each.address) for each in found} <= {("command", "", "")}
    return [(each.action, each.owner, each.title, each.detail) for each in found]


def test_what_commands_do_to_accounts_is_noted(command: Command, store: Store) -> None:
    """Each by nobody, via the command, and for whoever has the account to read."""
    command("users", "add", "ada", "--stdin", stdin=WORDS)
    command("users", "add", "eve", "--admin", "--stdin", stdin=WORDS)
    command("users", "passwd", "ada", "--stdin", stdin="battery staple")
    command("users", "promote", "ada")
    command("users", "demote", "ada")
    command("users", "limit", "ada", "--documents", "2", "--bytes", "5GB")
    command("users", "limit", "ada")  # shows them
    command("users", "disable", "ada")
    command("users", "disable", "ada", "--undo")
    token = command("tokens", "create", "ada", "--title", "nightly").strip()
    token_id = token.removeprefix("bks_").partition("_")[0]
    command("tokens", "revoke", token_id)
    with pytest.raises(BokehServerError):
        command("tokens", "revoke", token_id)
    assert told(store) == [
        ("add-user", "ada", None, None),
        ("add-user", "eve", None, "an admin"),
        ("password", "ada", None, None),
        ("promote", "ada", None, None),
        ("demote", "ada", None, None),
        ("limit", "ada", None, "documents: 2; size: 5.0 GB"),
        ("disable", "ada", None, None),
        ("enable", "ada", None, None),
        ("token", "ada", None, "nightly"),
        ("revoke", "ada", None, f"{token_id} nightly"),
    ]
    command("users", "delete", "ada", "--yes")
    assert store.events.find()[0].detail == "ada"
    assert [each.owner for each in store.events.find() if each.owner == "ada"] == []


def test_what_commands_do_to_documents_is_noted(
    command: Command, store: Store, tmp_path: Path
) -> None:
    """Importing, restoring, sites, links and their end, giving, deleting: with title and owner."""
    with closing(Engine(store)) as engine:
        record = engine.create("defaultuser", "a plot")
        engine.open(record.docid).replace(doc_json(), {}, actor="defaultuser")
        engine.open(record.docid).apply(set_value(5), actor="defaultuser")
    file = str(tmp_path / "plot.bokeh")
    command("docs", "export", "a plot", file)
    command("docs", "import", file, "--title", "again")
    command("docs", "restore", "a plot", "1")
    command("docs", "restore", "a plot", "1")  # changes nothing
    command("docs", "sites", "a plot", "https://example.org")
    link = command("links", "create", "a plot", "--title", "talk").strip()
    link_id = link.removeprefix("/bokeh/link/").partition("#")[0]
    command("links", "revoke", link_id)
    with pytest.raises(NotFound):
        command("links", "revoke", link_id)
    command("users", "add", "ada", "--stdin", stdin=WORDS)
    command("docs", "give", "a plot", "ada")
    command("docs", "delete", "again", "--yes")
    mine = "defaultuser"
    found = [each for each in told(store) if each[0] != "add-user"]
    assert found == [
        ("create", mine, "again", "imported"),
        ("restore", mine, "a plot", "revision 1 as change 3"),
        ("sites", mine, "a plot", "https://example.org"),
        ("link", mine, "a plot", f"link {link_id} for a viewer: talk"),
        ("unlink", mine, "a plot", link_id),
        ("give", mine, "a plot", "to ada"),
        ("delete", mine, "again", None),
    ]
    assert {each.docid for each in store.events.find() if each.title == "a plot"} == {record.docid}
    secret = link.partition("#")[2]
    assert secret not in str(told(store))


def test_listing(command: Command, store: Store) -> None:
    """The newest first, by each filter, and as JSON; what is no time is refused."""
    store.events.add(
        [
            NewEvent("create", "ada", "login", "127.0.0.1", "a-docid", "ada", "line"),
            NewEvent("change", "bob", "login", "127.0.0.2", "a-docid", "ada", "line"),
            NewEvent("login", "bob", "", "127.0.0.2", owner="bob"),
        ]
    )

    def listed(*words: str) -> list[str]:
        lines = [json.loads(line) for line in command("events", "list", "--json", *words).split()]
        return [each["action"] for each in lines]

    assert listed() == ["login", "change", "create"]
    assert listed("--limit", "1") == ["login"]
    assert listed("--document", "a-docid") == ["change", "create"]
    assert listed("--user", "bob") == ["login", "change"]
    assert listed("--owner", "ada") == ["change", "create"]
    assert listed("--action", "create") == ["create"]
    assert listed("--since", "1h") == ["login", "change", "create"]
    assert listed("--since", "2999-01-01") == []
    table = command("events", "list", "--owner", "ada").splitlines()
    assert table[0].split() == ["when", "who", "did", "document", "detail", "via", "from"]
    assert table[2].split()[2:] == ["ada", "create", "line", "login", "127.0.0.1"]
    for wrong in ("yesterday", "7y", "2026-13-01"):
        with pytest.raises(click.BadParameter, match="a date such as"):
            command("events", "list", "--since", wrong)


def test_ranks(command: Command, store: Store) -> None:
    """An admin by the command is one for the server, until the command says otherwise."""
    command("users", "add", "ada", "--stdin", stdin=WORDS)
    assert command("users", "promote", "ADA").endswith(" is an admin.\n")
    assert Accounts(store).known("ada").is_admin
    assert "admin" in command("users", "list")
    assert command("users", "demote", "ada") == "ada is no admin.\n"
    assert not Accounts(store).known("ada").is_admin
    with pytest.raises(NotFound):
        command("users", "promote", "nobody")


def test_limits(command: Command, store: Store) -> None:
    """Each is set alone, shown without options, and goes back to what is set for all."""
    command("users", "add", "ada", "--stdin", stdin=WORDS)

    def limits() -> tuple[int | None, int | None]:
        usage = store.usage.of("ada")
        assert usage is not None
        return usage.most_documents, usage.most_bytes

    assert limits() == (None, None)
    command("users", "limit", "ada", "--documents", "3")
    command("users", "limit", "Ada", "--bytes", "2MB")
    assert limits() == (3, 2 * 1024**2)
    said = command("users", "limit", "ada")
    assert said == ("ada has 0 documents, 0 bytes, and may have documents: 3; size: 2.0 MB.\n")
    command("users", "limit", "ada", "--documents", "0", "--bytes", "default")
    assert limits() == (0, None)
    assert "documents: any number; size: as set for all" in command("users", "limit", "ada")
    for wrong in (("--documents", "-1"), ("--documents", "x"), ("--bytes", "much")):
        with pytest.raises(click.UsageError):
            command("users", "limit", "ada", *wrong)
    assert limits() == (0, None)
    with pytest.raises((NotFound, BadRequest)):
        command("users", "limit", "nobody")
