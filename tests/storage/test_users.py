"""People: their names, their passwords, and what goes with them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, timedelta
from functools import partial
from hashlib import sha256

import pytest
from sqlalchemy import func, select

from bokeh_server.errors import Conflict, NotFound
from bokeh_server.storage import ADMIN, NewChange, NewToken, Store, UserRecord
from bokeh_server.storage.tables import Base
from bokeh_server.storage.types import utc_now
from support.documents import run_together

SOON = timedelta(hours=1)


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return sha256(secret.encode()).digest()


def log_in(store: Store, name: str, secret: str) -> bytes:
    """Log somebody in; the digest of that login."""
    user = store.users.get(name)
    assert user is not None
    store.credentials.log_in(user, digest(secret), "Firefox", utc_now() + SOON)
    return digest(secret)


def log_in_to(store: Store, user: UserRecord, kept: bytes) -> None:
    """Log in somebody who may be gone."""
    if not store.credentials.log_in(user, kept, "", utc_now() + SOON):
        raise NotFound("log in", "they are gone")


def make_token(store: Store, name: str, secret: str) -> bytes:
    """Give somebody a token; its digest."""
    user = store.users.get(name)
    assert user is not None
    new = NewToken(secret[:10], digest(secret), "laptop", "own")
    store.credentials.add_token(user, new)
    return digest(secret)


def counts(store: Store) -> dict[str, int]:
    """How many rows every table has."""
    with store.database.read("test") as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in Base.metadata.tables.items()
        }


def test_a_new_user_is_kept(store: Store) -> None:
    """Somebody has the name, hash and rank that were given, and may log in."""
    ada = store.users.create("ada", "$argon2id$x", ADMIN)
    assert (ada.name, ada.password, ada.disabled, ada.rank) == ("ada", "$argon2id$x", None, "admin")
    assert ada.created.tzinfo is UTC
    assert store.users.get("ada") == ada
    assert ada.is_admin
    bob = store.users.create("bob", None)
    assert (bob.password, bob.is_admin) == (None, False)
    assert store.users.get("eve") is None


def test_users_are_listed_by_name(store: Store) -> None:
    """Everybody comes once, whenever they were added."""
    for name in ("bob", "eve", "ada"):
        store.users.create(name, None)
    assert [user.name for user in store.users.list()] == ["ada", "bob", "eve"]


def test_a_name_is_taken_once(store: Store) -> None:
    """A second user of a name is refused, and the first keeps the password."""
    store.users.create("ada", "one")
    with pytest.raises(Conflict, match="the name is taken"):
        store.users.create("ada", "two")
    store.documents.create("bob", "line")
    with pytest.raises(Conflict):  # whoever owns documents is somebody
        store.users.create("bob", "two")
    assert [user.password for user in store.users.list()] == ["one", None]


@pytest.mark.parametrize("shared", [True, False], ids=["one store", "five stores"])
def test_one_of_fifty_gets_the_name(store: Store, ready_url: str, shared: bool) -> None:
    """Fifty threads register a name at once: one has the account, 49 hear that it is taken."""
    others = [] if shared else [Store.open(ready_url, tidy=False) for _ in range(4)]
    stores, start = [store, *others], threading.Barrier(50)
    results: list[str] = []

    def create(which: int) -> None:
        start.wait(30)
        try:
            made = stores[which % len(stores)].users.create("ada", f"hash {which}")
            results.append(made.password or "")
        except Conflict:
            results.append("taken")

    run_together(partial(create, which) for which in range(50))
    for other in others:
        other.close()
    made = [result for result in results if result != "taken"]
    assert Counter(results)["taken"] == 49
    assert [user.password for user in store.users.list()] == made


def test_a_new_password_ends_all_logins_but_one(store: Store) -> None:
    """The browser in which it was changed stays logged in; nobody else is logged out."""
    for name in ("ada", "bob"):
        store.users.create(name, "old")
    here, there, other = (log_in(store, "ada", secret) for secret in ("a", "b", "c"))
    bobs, token = log_in(store, "bob", "d"), make_token(store, "ada", "t")
    store.users.set_password("ada", "new", keep=here)
    known = store.credentials
    assert [known.login(each) is not None for each in (here, there, other, bobs)] == [
        True, False, False, True,
    ]  # fmt: skip
    assert known.token(token) is not None
    changed = store.users.get("ada")
    assert changed is not None
    assert changed.password == "new"
    store.users.set_password("ada", "newer")
    assert known.login(here) is None
    store.users.set_password("bob", "newer", keep=here)
    assert known.login(bobs) is None


def test_a_hash_is_made_anew_only_where_it_was(store: Store) -> None:
    """A better hash of the old password does not undo a change that was quicker."""
    store.users.create("ada", "weak")
    store.users.rehash("ada", "weak", "strong")
    store.users.rehash("ada", "weak", "late")
    found = store.users.get("ada")
    assert found is not None
    assert found.password == "strong"


def test_disabled_users_are_known_by_nothing(store: Store) -> None:
    """Their logins end for good; their tokens are good for nothing until they are let in again."""
    store.users.create("ada", "hash")
    docid = store.documents.create("ada", "line").docid
    login, token = log_in(store, "ada", "a"), make_token(store, "ada", "t")
    store.users.disable("ada", True)
    found = store.users.get("ada")
    assert found is not None
    assert found.disabled is not None
    assert utc_now() - found.disabled < timedelta(minutes=1)
    assert store.credentials.login(login) is None
    assert store.credentials.token(token) is None
    assert store.documents.get(docid) is not None
    log_in(store, "ada", "one that was on its way")
    store.users.disable("ada", False)
    assert store.credentials.login(login) is None
    assert store.credentials.logins("ada") == []
    assert store.credentials.token(token) is not None


def test_deleting_somebody_takes_what_is_theirs(store: Store) -> None:
    """Documents with their changes and rights, logins, tokens, and rights with others; no more."""
    for name in ("ada", "bob"):
        store.users.create(name, "hash")
    kept = store.documents.create("bob", "his")
    store.grants.give(kept.docid, "bob", "viewer")
    log_in(store, "bob", "b")
    make_token(store, "bob", "u")
    store.changes.append([NewChange(kept.docid, 1, "bob", b"x")])
    before = counts(store)
    gone = store.documents.create("ada", "hers")
    store.changes.append([NewChange(gone.docid, 1, "ada", b"x")])
    store.grants.give(gone.docid, "bob", "editor")
    store.grants.give(kept.docid, "ada", "viewer")
    log_in(store, "ada", "a")
    make_token(store, "ada", "t")
    store.users.delete("ada")
    assert counts(store) == {**before, "user": 1}
    assert store.documents.get(gone.docid) is None
    assert store.documents.get(kept.docid) is not None
    assert store.users.create("ada", None).name == "ada"
    assert store.documents.list("ada") == []


def test_a_name_that_nobody_has(store: Store) -> None:
    """Each thing that is done to somebody says when there is nobody."""
    actions: list[Callable[[], object]] = [
        lambda: store.users.set_password("eve", "x"),
        lambda: store.users.disable("eve", True),
        lambda: store.users.delete("eve"),
    ]
    for action in actions:
        with pytest.raises(NotFound, match="nobody has this name"):
            action()


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "", "x" * 100_000, "'; DROP TABLE user--"])
def test_names_that_no_database_could_hold_are_nobodys(store: Store, name: str) -> None:
    """Whatever is typed where one logs in, or after a command, is looked up without a fault."""
    assert store.users.get(name) is None
    for action in (store.users.delete, lambda name: store.users.disable(name, True)):
        with pytest.raises(NotFound):
            action(name)


def test_somebody_who_is_deleted_amid_their_work(store: Store, ready_url: str) -> None:
    """Whoever makes documents, logs in and is given rights leaves nothing once they are gone."""
    store.users.create("bob", None)
    theirs = store.documents.create("bob", "line").docid
    before = counts(store)
    store.users.create("ada", "hash")
    ada = store.users.get("ada")
    assert ada is not None
    deleted, busy = threading.Event(), threading.Semaphore(0)

    def work(act: Callable[[int], object]) -> None:
        with suppress(Conflict, NotFound):
            for turn in range(10_000):
                act(turn)
                busy.release()
                time.sleep(0.005)  # SQLite's writers do not queue
        assert deleted.wait(30), "it ended before"

    def delete() -> None:
        for _ in range(30):
            assert busy.acquire(timeout=30)
        store.users.delete("ada")
        deleted.set()

    with closing(Store.open(ready_url, tidy=False)) as there:
        run_together(
            [
                delete,
                lambda: work(lambda n: log_in_to(there, ada, digest(f"l{n}"))),
                lambda: work(
                    lambda n: store.credentials.add_token(
                        ada, NewToken(f"t{n}", digest(f"t{n}"), "", "own")
                    )
                ),
                lambda: work(lambda n: there.grants.give(theirs, "ada", "editor")),
            ]
        )
    assert counts(store) == before
