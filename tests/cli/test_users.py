"""``bokeh-server users``: who has an account, straight in the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bokeh_server.accounts import Accounts, Policy
from bokeh_server.cli.commands import bokeh_server
from bokeh_server.errors import BadRequest, ConfigurationError, Conflict, NotAuthenticated, NotFound
from bokeh_server.storage import Store
from support.command import run_command
from support.people import HERE, OTHER, WORDS, why_not

TWICE = f"{WORDS}\n{WORDS}\n"


class Command:
    """The command on a database of its own.

    :ivar directory: where that is.
    :ivar said: everything it has printed.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.said = ""

    @property
    def url(self) -> str:
        """The database."""
        return f"sqlite:///{self.directory / 'people.sqlite'}"

    def run(self, *words: str, stdin: str = "") -> str:
        """What ``users WORDS`` prints."""
        line = ["users", words[0], "--database", self.url, *words[1:]]
        done: Result = CliRunner().invoke(bokeh_server, line, input=stdin)
        self.said += done.output
        if done.exception is not None:
            raise done.exception
        return done.output

    def names(self) -> dict[str, str]:
        """The users that are listed, and all else that is said of each."""
        lines = self.run("list").splitlines()
        assert lines[0].split() == ["name", "since", "documents", "state"]
        cells = (line.split(maxsplit=3) for line in lines[1:])
        return {name: rest for name, _day, _time, rest in cells}


@pytest.fixture
def users(tmp_path: Path) -> Iterator[Command]:
    """The command; no password is ever printed by it."""
    command = Command(tmp_path)
    yield command
    assert WORDS not in command.said
    assert OTHER not in command.said


@pytest.fixture
def store(users: Command) -> Iterator[Store]:
    """The database, opened beside the command as a server would."""
    with closing(Store.open(users.url)) as opened:
        yield opened


def test_adding(users: Command, store: Store) -> None:
    """Whoever is added logs in with the password that was typed twice, or came from a pipe."""
    assert users.run("add", "Ada", stdin=TWICE).endswith("Added ada.\n")
    assert users.run("add", "bob", "--stdin", stdin=f"{OTHER}\r\nmore") == "Added bob.\n"
    assert users.run("add", "eve", "--admin", "--stdin", stdin=WORDS) == "Added eve.\n"
    accounts = Accounts(store, Policy("closed"))
    assert not accounts.check("ada", WORDS, address=HERE).is_admin
    assert not accounts.check("bob", OTHER, address=HERE).is_admin
    assert accounts.check("eve", WORDS, address=HERE).is_admin


def test_the_first_user_makes_the_database(users: Command) -> None:
    """Somebody may be added before the server ever ran; nothing else makes a file."""
    for words in (("list",), ("passwd", "ada", "--stdin"), ("disable", "ada"), ("invite",)):
        with pytest.raises(ConfigurationError, match="no such file"):
            users.run(*words)
    assert not list(users.directory.iterdir())
    users.run("add", "ada", "--stdin", stdin=WORDS)
    assert users.names() == {"ada": "0"}


def test_who_cannot_be_added(users: Command, store: Store) -> None:
    """A name that is taken or cannot be one, a password that is too short, or typed otherwise."""
    users.run("add", "ada", "--stdin", stdin=WORDS)
    with pytest.raises(Conflict):
        users.run("add", "ADA", "--stdin", stdin=OTHER)
    for name, password in (("a b", WORDS), ("", WORDS), ("bob", "short"), ("bob", "")):
        with pytest.raises(BadRequest):
            users.run("add", name, "--stdin", stdin=password)
    with pytest.raises(SystemExit):
        users.run("add", "bob", stdin=f"{WORDS}\n{OTHER}\n")
    assert list(users.names()) == ["ada"]
    assert Accounts(store).check("ada", WORDS, address=HERE).name == "ada"


def test_listing(users: Command, store: Store) -> None:
    """By name, with their documents and what is special about them."""
    users.run("add", "eve", "--admin", "--stdin", stdin=WORDS)
    users.run("add", "bob", "--stdin", stdin=WORDS)
    store.documents.create("ada", "line")
    for title in ("one", "two"):
        store.documents.create("bob", title)
    listed = {name: rest.split(maxsplit=1) for name, rest in users.names().items()}
    assert list(listed) == ["ada", "bob", "eve"]
    assert listed == {"ada": ["1", "no password"], "bob": ["2"], "eve": ["0", "admin"]}
    users.run("disable", "eve")
    assert users.names()["eve"].split() == ["0", "disabled"]


def test_a_new_password(users: Command, store: Store) -> None:
    """The old one is wrong, and every login ended; tokens are good still."""
    users.run("add", "ada", "--stdin", stdin=WORDS)
    accounts = Accounts(store)
    user = accounts.check("ada", WORDS, address=HERE)
    secret, token = accounts.log_in(user, ""), accounts.make_token(user, "laptop")
    said = users.run("passwd", "Ada", stdin=f"{OTHER}\n{OTHER}\n")
    assert "logged out everywhere" in said
    assert accounts.by_login(secret) is None
    assert accounts.by_token(token) is not None
    assert accounts.check("ada", OTHER, address=HERE).name == "ada"
    with pytest.raises(NotAuthenticated):
        accounts.check("ada", WORDS, address=HERE)
    with pytest.raises(BadRequest):
        users.run("passwd", "ada", "--stdin", stdin="short")
    with pytest.raises(NotFound):
        users.run("passwd", "nobody", "--stdin", stdin=OTHER)


def test_disabling(users: Command, store: Store) -> None:
    """They may not log in until that is undone; their documents stay."""
    users.run("add", "ada", "--stdin", stdin=WORDS)
    docid = store.documents.create("ada", "line").docid
    accounts = Accounts(store)
    assert users.run("disable", "ada") == "Disabled ada.\n"
    assert "wrong" in why_not(accounts, "ada", WORDS)
    assert store.documents.get(docid) is not None
    assert users.run("disable", "ADA", "--undo").endswith("may log in again.\n")
    assert accounts.check("ada", WORDS, address=HERE).name == "ada"
    for unknown in ("nobody", "\ud800"):
        with pytest.raises(NotFound):
            users.run("disable", unknown)


def test_deleting(users: Command, store: Store) -> None:
    """It asks first, and takes their documents along; those of others stay."""
    for name in ("ada", "bob"):
        users.run("add", name, "--stdin", stdin=WORDS)
        store.documents.create(name, "line")
    with pytest.raises(NotFound):
        users.run("delete", "--yes", "nobody")
    assert "Deleted" not in users.run("delete", "ada", stdin="n\n")
    assert list(users.names()) == ["ada", "bob"]
    assert users.run("delete", "Ada", stdin="y\n").endswith("Deleted Ada.\n")
    assert users.run("delete", "--yes", "bob") == "Deleted bob.\n"
    assert users.names() == {}
    assert store.documents.list() == []


def test_inviting(users: Command, store: Store) -> None:
    """A code is printed with which one person registers."""
    code = users.run("invite", "--days", "1").strip()
    accounts = Accounts(store, Policy("invitation"))
    assert accounts.register("ada", WORDS, address=HERE, invitation=code).name == "ada"
    assert users.run("invite").strip() != code
    for days in ("0", "366", "-1", "x"):
        with pytest.raises(SystemExit):
            users.run("invite", "--days", days)


def test_the_command_itself(tmp_path: Path) -> None:
    """In a process of its own: what it says, and one line for what cannot be."""
    where = ("--data-dir", str(tmp_path / "data"))
    added = run_command(tmp_path, "users", "add", "ada", "--stdin", *where, stdin=f"{WORDS}\n")
    assert (added.returncode, added.stdout, added.stderr) == (0, "Added ada.\n", "")
    again = run_command(tmp_path, "users", *where, "add", "ada", "--stdin", stdin=f"{OTHER}\n")
    assert again.returncode == 1
    assert again.stderr.strip().endswith("the name is taken. Choose another name.")
    assert len(again.stderr.strip().splitlines()) == 1
    listed = run_command(tmp_path, *where, "users", "list")
    assert listed.stdout.splitlines()[1].startswith("ada ")
    for done in (added, again, listed):
        assert WORDS not in done.stdout + done.stderr
        assert OTHER not in done.stdout + done.stderr


def test_documents_get_owners(tmp_path: Path) -> None:
    """What a server without accounts kept is given to somebody who has one."""
    where = ["--data-dir", str(tmp_path)]
    runner = CliRunner()
    added = runner.invoke(bokeh_server, ["users", "add", "ada", "--stdin", *where], "long enough\n")
    assert added.exit_code == 0, added.output
    with closing(Store.open(f"sqlite:///{tmp_path / 'bokeh-server.sqlite3'}")) as store:
        docid = store.documents.create("defaultuser", "line").docid
    done = runner.invoke(bokeh_server, ["docs", "give", "line", "ada", *where])
    assert done.output == f"'line' ({docid}) is ada's now.\n"
