"""Logins, tokens and invitations."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bokeh_server.errors import Conflict, Forbidden, NotFound
from bokeh_server.storage import NewToken, Store, UserRecord
from bokeh_server.storage.credentials import EXACTLY, is_due
from bokeh_server.storage.types import utc_now
from support.documents import run_together
from support.programs import postgresql_path

HOUR = timedelta(hours=1)
A_MOMENT = timedelta(microseconds=1)


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return sha256(secret.encode()).digest()


def token(secret: str, expires: timedelta | None = None, scope: str = "own") -> NewToken:
    """A token to be kept, which ends after ``expires``."""
    ends = None if expires is None else utc_now() + expires
    return NewToken(secret[:16], digest(secret), f"title of {secret}", scope, ends)


@pytest.fixture
def ada(store: Store) -> UserRecord:
    """Somebody."""
    return store.users.create("ada", "hash")


@pytest.fixture
def bob(store: Store) -> UserRecord:
    """Somebody else."""
    return store.users.create("bob", "hash")


def test_a_login_is_good_until_it_ends(store: Store, ada: UserRecord) -> None:
    """It tells who and in which browser; one that has ended is unknown, listed nowhere."""
    ends = utc_now() + HOUR
    store.credentials.log_in(ada, digest("good"), "Firefox " * 100, ends)
    store.credentials.log_in(ada, digest("ended"), "", utc_now() - A_MOMENT)
    good = store.credentials.login(digest("good"))
    assert good is not None
    assert (good.digest, good.name, good.expires) == (digest("good"), "ada", ends)
    assert good.agent == ("Firefox " * 100)[:255]
    assert good.created == good.used
    assert store.credentials.login(digest("ended")) is None
    assert store.credentials.login(digest("never")) is None
    assert store.credentials.logins("ada") == [good]
    assert store.credentials.logins("bob") == []


def test_logins_that_have_ended_are_dropped(store: Store, ada: UserRecord, bob: UserRecord) -> None:
    """The next login of the same user leaves no row of them."""
    for user in (ada, bob):
        store.credentials.log_in(user, digest(f"ended {user.name}"), "", utc_now() - A_MOMENT)
    store.credentials.log_in(ada, digest("good"), "", utc_now() + HOUR)
    # A login that is there still would be good again, were its time set anew.
    for name in ("ada", "bob"):
        row = store.credentials.login(digest("good"))
        assert row is not None
        ended = type(row)(digest(f"ended {name}"), name, "", row.created, row.used, row.expires)
        store.credentials.note_login(ended, utc_now() + HOUR)
    assert store.credentials.login(digest("ended ada")) is None
    assert store.credentials.login(digest("ended bob")) is not None


def test_a_login_in_use_stays_good(store: Store, ada: UserRecord) -> None:
    """When its use is noted it ends later, and it is listed first; one that was ended stays so."""
    ends = utc_now() + HOUR
    for secret in ("first", "second"):
        store.credentials.log_in(ada, digest(secret), "", ends)
    first = store.credentials.login(digest("first"))
    assert first is not None
    store.credentials.note_login(first, ends + HOUR)
    listed = store.credentials.logins("ada")
    assert [login.digest for login in listed] == [digest("first"), digest("second")]
    assert listed[0].expires == ends + HOUR
    assert listed[0].used > first.used
    store.credentials.log_out(digest("first"))
    store.credentials.note_login(first, ends + HOUR)
    assert store.credentials.login(digest("first")) is None


def test_nobody_is_logged_in_with_a_password_that_was_changed(
    store: Store, ada: UserRecord
) -> None:
    """A login that was on its way when its user changed, was disabled or deleted is not kept."""

    def log_in(secret: str) -> bool:
        return store.credentials.log_in(ada, digest(secret), "", utc_now() + HOUR)

    assert log_in("before")
    store.users.set_password("ada", "another")
    assert not log_in("changed")
    store.users.set_password("ada", "hash")
    assert log_in("back")
    store.users.disable("ada", True)
    assert not log_in("disabled")
    store.users.delete("ada")
    store.users.create("eve", "hash")
    assert not log_in("deleted")
    assert store.credentials.logins("ada") == store.credentials.logins("eve") == []


def test_a_new_password_ends_logins_that_were_on_their_way(
    store: Store, ada: UserRecord, ready_url: str
) -> None:
    """Whoever logs in again and again with the old one is out once it was changed."""
    with closing(Store.open(ready_url, tidy=False)) as there:
        for turn in range(10):
            user = store.users.get("ada")
            assert user is not None
            start = threading.Barrier(4)
            logs = partial(_log_in_on, user, start, f"{turn}")
            run_together(
                [
                    partial(logs, store, 0),
                    partial(logs, there, 1),
                    partial(logs, there, 2),
                    partial(_change, store, start, f"password {turn}"),
                ]
            )
            assert store.credentials.logins("ada") == []


def _change(store: Store, start: threading.Barrier, password: str) -> None:
    start.wait(30)
    store.users.set_password("ada", password)


def _log_in_on(
    user: UserRecord, start: threading.Barrier, mark: str, store: Store, which: int
) -> None:
    start.wait(30)
    for number in range(5000):
        secret = digest(f"{mark} {which} {number}")
        if not store.credentials.log_in(user, secret, "", utc_now() + HOUR):
            return
        time.sleep(0.002)
    raise AssertionError("the old password is good still")


def test_logging_out(store: Store, ada: UserRecord, bob: UserRecord) -> None:
    """One login ends, or all of somebody's but one; how many is told."""
    for user in (ada, bob):
        for number in range(4):
            store.credentials.log_in(user, digest(f"{user.name} {number}"), "", utc_now() + HOUR)
    store.credentials.log_out(digest("ada 0"))
    store.credentials.log_out(digest("ada 0"))
    assert len(store.credentials.logins("ada")) == 3
    assert store.credentials.log_out_everywhere("ada", keep=digest("ada 2")) == 2
    assert [login.digest for login in store.credentials.logins("ada")] == [digest("ada 2")]
    assert store.credentials.log_out_everywhere("ada") == 1
    assert store.credentials.log_out_everywhere("eve") == 0
    assert len(store.credentials.logins("bob")) == 4


def test_a_token_is_good_until_it_ends(store: Store, ada: UserRecord) -> None:
    """It tells whose it is and what it lets them do; one that has ended is listed, and no good."""
    store.credentials.add_token(ada, token("ever", scope="read"))
    store.credentials.add_token(ada, token("hour", HOUR))
    store.credentials.add_token(ada, token("ended", -A_MOMENT))
    ever, hour = (store.credentials.token(digest(name)) for name in ("ever", "hour"))
    assert ever is not None
    assert (ever.id, ever.name, ever.title, ever.scope) == ("ever", "ada", "title of ever", "read")
    assert (ever.used, ever.expires) == (None, None)
    assert hour is not None
    assert hour.expires is not None
    assert store.credentials.token(digest("ended")) is None
    assert [each.id for each in store.credentials.tokens("ada")] == ["ended", "hour", "ever"]
    store.credentials.note_token(ever)
    used = store.credentials.token(digest("ever"))
    assert used is not None
    assert used.used is not None


def test_tokens_are_listed_of_one_or_all(store: Store, ada: UserRecord, bob: UserRecord) -> None:
    """The newest comes first."""
    for number, user in enumerate((ada, bob, ada)):
        store.credentials.add_token(user, token(str(number)))
    assert [each.id for each in store.credentials.tokens()] == ["2", "1", "0"]
    assert [each.id for each in store.credentials.tokens("ada")] == ["2", "0"]
    assert store.credentials.tokens("eve") == []


def test_revoking_a_token(store: Store, ada: UserRecord, bob: UserRecord) -> None:
    """It is no good any more; nobody revokes that of another, or one twice."""
    store.credentials.add_token(ada, token("one"))
    for user in ("bob", "eve"):
        with pytest.raises(NotFound, match="no token of this id"):
            store.credentials.revoke_token("one", user)
    assert store.credentials.token(digest("one")) is not None
    assert store.credentials.revoke_token("one", "ada").title == "title of one"
    assert store.credentials.token(digest("one")) is None
    for gone in ("one", "x" * 100_000, ""):
        with pytest.raises(NotFound):
            store.credentials.revoke_token(gone)


def accept(store: Store, name: str, code: str) -> bool:
    """Register with an invitation; whether it was good."""
    try:
        store.users.create(name, "hash", invitation=digest(code))
    except Forbidden:
        return False
    return True


def test_an_invitation_is_good_once_and_for_a_while(store: Store) -> None:
    """It is used up by the first; one that has ended, or was never made, is no good."""
    store.credentials.invite(digest("good"), utc_now() + HOUR)
    store.credentials.invite(digest("ended"), utc_now() - A_MOMENT)
    assert [accept(store, f"user {n}", "good") for n in range(3)] == [True, False, False]
    assert not accept(store, "late", "ended")
    assert not accept(store, "guest", "never")
    assert [user.name for user in store.users.list()] == ["user 0"]


def test_who_chose_a_name_that_is_taken_may_try_again(store: Store, ada: UserRecord) -> None:
    """The invitation was not used up by it."""
    store.credentials.invite(digest("good"), utc_now() + HOUR)
    with pytest.raises(Conflict):
        store.users.create("ada", "hash", invitation=digest("good"))
    assert accept(store, "ada2", "good")
    assert not accept(store, "ada3", "good")


def test_one_of_many_is_let_in(store: Store, ready_url: str) -> None:
    """Thirty threads of three servers show one invitation at once: one account comes of it."""
    stores = [store, *(Store.open(ready_url, tidy=False) for _ in range(2))]
    start, results = threading.Barrier(30), Counter[tuple[str, bool]]()

    def register(which: int, code: str) -> None:
        start.wait(30)
        results[code, accept(stores[which % 3], f"{code} {which}", code)] += 1

    for code in ("one", "two", "three"):
        store.credentials.invite(digest(code), utc_now() + HOUR)
        run_together(partial(register, which, code) for which in range(30))
        assert (results[code, True], results[code, False]) == (1, 29)
    assert len(store.users.list()) == 3
    for other in stores[1:]:
        other.close()


def test_secrets_are_nowhere_in_the_database(
    store: Store, ready_url: str, tmp_path: Path, ada: UserRecord
) -> None:
    """Whoever reads all of it finds digests, and nothing to log in with."""
    secrets = {kind: f"the-secret-{kind}-0123456789" for kind in ("login", "token", "code")}
    store.credentials.log_in(ada, digest(secrets["login"]), "Firefox", utc_now() + HOUR)
    kept = NewToken("public", digest(secrets["token"]), "laptop", "own")
    store.credentials.add_token(ada, kept)
    store.credentials.invite(digest(secrets["code"]), utc_now() + HOUR)
    everything = dump(ready_url, tmp_path)
    assert b"laptop" in everything
    for secret in secrets.values():
        assert secret.encode() not in everything
        found = digest(secret) in everything or digest(secret).hex().encode() in everything
        assert found


def dump(url: str, directory: Path) -> bytes:
    """Every byte of SQLite's files, or what PostgreSQL's own program says of a database."""
    if url.startswith("sqlite"):
        return b"".join(path.read_bytes() for path in directory.glob("bokeh.sqlite*"))
    binaries, parsed = postgresql_path(), make_url(url)
    assert binaries is not None
    where = ["-h", str(parsed.query["host"]), "-U", "postgres", str(parsed.database)]
    return subprocess.run([binaries / "pg_dump", *where], capture_output=True, check=True).stdout


def test_use_is_noted_now_and_then() -> None:
    """Not every request writes: what was noted a moment ago is not due."""
    assert is_due(None)
    assert is_due(utc_now() - EXACTLY)
    assert not is_due(utc_now() - EXACTLY / 2)
