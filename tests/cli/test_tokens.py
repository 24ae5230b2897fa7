"""``bokeh-server tokens``: what scripts are known by, straight in the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from bokeh_server.accounts import Accounts
from bokeh_server.cli.commands import bokeh_server
from bokeh_server.errors import BadRequest, NotFound
from bokeh_server.permissions import Action
from bokeh_server.storage import Store
from bokeh_server.storage.types import utc_now
from support.command import run_command
from support.people import WORDS


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    """Those of ada and bob, on a database that a server has opened."""
    with closing(Store.open(url(tmp_path))) as store:
        made = Accounts(store)
        for name in ("ada", "bob"):
            made.add(name, None)
        yield made


def url(directory: Path) -> str:
    """The database."""
    return f"sqlite:///{directory / 'tokens.sqlite'}"


def tokens(directory: Path, *words: str) -> str:
    """What ``tokens WORDS`` prints."""
    line = ["tokens", words[0], "--database", url(directory), *words[1:]]
    done = CliRunner().invoke(bokeh_server, line)
    if done.exception is not None:
        raise done.exception
    return done.output


def test_a_token_is_printed_once(accounts: Accounts, tmp_path: Path) -> None:
    """It is all that is printed, it is good at once, and it is in no list."""
    said = tokens(tmp_path, "create", "Ada", "--title", "laptop", "--scope", "write")
    token = said.strip()
    assert said == f"{token}\n"
    known = accounts.by_token(token)
    assert known is not None
    assert (known.name, known.scope) == ("ada", Action.WRITE)
    listed = tokens(tmp_path, "list")
    assert token not in listed
    assert token.rpartition("_")[2] not in listed
    assert "laptop" in listed


def test_what_is_not_said_is_for_ever_and_everything(accounts: Accounts, tmp_path: Path) -> None:
    """As long as it is not revoked, it does what its holder may; ``--days`` lets it end."""
    tokens(tmp_path, "create", "ada")
    tokens(tmp_path, "create", "bob", "--days", "30")
    (ever,), (month,) = accounts.tokens("ada"), accounts.tokens("bob")
    assert (ever.title, ever.scope, ever.expires) == ("made by the command", "own", None)
    assert month.expires is not None
    assert timedelta(days=29) < month.expires - utc_now() <= timedelta(days=30)


def test_tokens_that_cannot_be(accounts: Accounts, tmp_path: Path) -> None:
    """Of nobody, with a scope or time that there is not, or a title that no list could show."""
    with pytest.raises(NotFound, match="nobody has this name"):
        tokens(tmp_path, "create", "nobody")
    for words in (("--scope", "all"), ("--days", "0"), ("--days", "4000"), ("--days", "x")):
        with pytest.raises(SystemExit):
            tokens(tmp_path, "create", "ada", *words)
    for title in ("", "a\nb", "x" * 256):
        with pytest.raises(BadRequest):
            tokens(tmp_path, "create", "ada", "--title", title)
    assert accounts.tokens("ada") == []


def test_listing_and_revoking(accounts: Accounts, tmp_path: Path) -> None:
    """The newest is first; by its id a token is good no more, and that of others is."""
    first, second = (tokens(tmp_path, "create", name).strip() for name in ("ada", "bob"))
    accounts.by_token(first)
    lines = [line.split() for line in tokens(tmp_path, "list").splitlines()]
    assert lines[0] == ["id", "user", "title", "scope", "used", "expires"]
    ids = [token.split("_")[1] for token in (second, first)]
    assert [line[:2] for line in lines[1:]] == [[ids[0], "bob"], [ids[1], "ada"]]
    assert lines[1][-3:] == ["own", "never", "never"]
    assert lines[2][-1] == "never"
    assert lines[2][-2] != "never"
    assert tokens(tmp_path, "revoke", ids[0]) == "Revoked 'made by the command' of bob.\n"
    assert accounts.by_token(second) is None
    assert accounts.by_token(first) is not None
    with pytest.raises(NotFound):
        tokens(tmp_path, "revoke", ids[0])
    assert len(tokens(tmp_path, "list").splitlines()) == 2


def test_the_command_itself(tmp_path: Path) -> None:
    """In processes of its own, from adding somebody to revoking their token."""
    where = ("--data-dir", str(tmp_path / "data"))
    run_command(tmp_path, "users", "add", "ada", "--stdin", *where, stdin=f"{WORDS}\n")
    made = run_command(tmp_path, "tokens", "create", "ada", *where)
    assert (made.returncode, made.stderr) == (0, "")
    token = made.stdout.strip()
    assert token.startswith("bks_")
    listed = run_command(tmp_path, "tokens", *where, "list")
    assert token.split("_")[1] in listed.stdout
    assert token not in listed.stdout + listed.stderr
    revoked = run_command(tmp_path, *where, "tokens", "revoke", token.split("_")[1])
    assert revoked.stdout == "Revoked 'made by the command' of ada.\n"
    missing = run_command(tmp_path, "tokens", "create", "nobody", *where)
    assert missing.returncode == 1
    assert missing.stdout == ""
    assert len(missing.stderr.strip().splitlines()) == 1
