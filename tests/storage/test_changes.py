"""The log of changes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bokeh_server.storage import (
    Clash,
    Gone,
    NewChange,
    Outcome,
    Repeated,
    Store,
    Stored,
    Taken,
)


@pytest.fixture
def docid(store: Store) -> str:
    """A document without changes."""
    return store.documents.create("ada", "line").docid


def change(docid: str, seq: int, body: bytes = b"body", **more: object) -> NewChange:
    """A change by ada."""
    return NewChange(docid, seq, "ada", body, **more)  # type: ignore[arg-type]


def seqs(outcomes: list[Outcome]) -> list[object]:
    """The numbers of stored changes, the classes of other outcomes."""
    return [o.seq if isinstance(o, Stored) else type(o) for o in outcomes]


def test_changes_come_back_as_they_were_stored(store: Store, docid: str) -> None:
    """What is appended is read again in order, with its actor, time, body and key."""
    body = bytes(range(256)) * 100
    before = datetime.now(UTC)
    store.changes.append([change(docid, 1, body, key="k"), change(docid, 2, b"")])
    first, second = store.changes.after(docid, 0)
    assert (first.seq, first.actor, first.body, first.key) == (1, "ada", body, "k")
    assert (second.seq, second.body, second.key) == (2, b"", None)
    assert before <= first.at <= datetime.now(UTC)
    assert first.at.tzinfo is UTC


def test_after_gives_only_what_is_missing(store: Store, docid: str) -> None:
    """``after`` starts behind the given change and stops at its limit."""
    store.changes.append([change(docid, seq) for seq in range(1, 11)])
    assert [record.seq for record in store.changes.after(docid, 4, 3)] == [5, 6, 7]
    assert store.changes.after(docid, 10) == []


def test_a_group_moves_the_documents_head(store: Store, docid: str) -> None:
    """After a group the document's number, time and plots are those of its last change."""
    created = store.documents.get(docid)
    store.changes.append([change(docid, 1, plots=3), change(docid, 2), change(docid, 3, plots=2)])
    record = store.documents.get(docid)
    assert record is not None
    assert created is not None
    assert (record.seq, record.plots) == (3, 2)
    assert record.changed > created.changed


@pytest.mark.parametrize("seq", [0, 1, 2, 4, 100])
def test_a_wrong_number_clashes(store: Store, docid: str, seq: int) -> None:
    """A change that does not follow the last one is not stored, and the answer says where it is."""
    store.changes.append([change(docid, 1), change(docid, 2)])
    assert store.changes.append([change(docid, seq)]) == [Clash(2)]
    assert len(store.changes.after(docid, 0)) == 2


def test_a_clash_stops_its_document_and_no_other(store: Store, docid: str) -> None:
    """After a clash the document's later changes are refused too, other documents' are stored."""
    other = store.documents.create("ada", "other").docid
    store.changes.append([change(docid, 1)])
    group = [change(docid, 1), change(other, 1), change(docid, 2), change(other, 2)]
    assert seqs(store.changes.append(group)) == [Clash, 1, Clash, 2]
    assert len(store.changes.after(docid, 0)) == 1
    assert len(store.changes.after(other, 0)) == 2


def test_a_key_is_stored_once(store: Store, docid: str) -> None:
    """The second change of a key is not stored, within a group or later, and tells the first's."""
    assert seqs(store.changes.append([change(docid, 1, key="k")])) == [1]
    assert store.changes.append([change(docid, 2, key="k")]) == [Repeated(1)]
    both = store.changes.append([change(docid, 2, key="j"), change(docid, 3, key="j")])
    assert both[1] == Repeated(2)
    found = store.changes.by_key(docid, "k")
    assert found is not None
    assert found.seq == 1
    assert store.changes.by_key(docid, "none") is None


def test_a_key_belongs_to_its_document(store: Store, docid: str) -> None:
    """The same key in two documents is two keys."""
    other = store.documents.create("ada", "other").docid
    group = [change(docid, 1, key="k"), change(other, 1, key="k")]
    assert seqs(store.changes.append(group)) == [1, 1]


def test_changes_of_a_deleted_document_are_told_apart(store: Store, docid: str) -> None:
    """A deleted document's changes answer ``Gone``; the rest of the group is stored."""
    other = store.documents.create("ada", "other").docid
    store.documents.delete(docid)
    assert seqs(store.changes.append([change(docid, 1), change(other, 1)])) == [Gone, 1]


def test_a_rename_is_part_of_its_change(store: Store, docid: str) -> None:
    """A change with a title renames the document; one that is taken spoils only that document."""
    other = store.documents.create("ada", "other").docid
    assert seqs(store.changes.append([change(docid, 1, title="new")])) == [1]
    group = [change(other, 1, title="new"), change(other, 2), change(docid, 2)]
    assert seqs(store.changes.append(group)) == [Taken, Clash, 2]
    record, kept = store.documents.get(docid), store.documents.get(other)
    assert record is not None
    assert kept is not None
    assert (record.title, kept.title, kept.seq) == ("new", "other", 0)


def test_an_empty_group_is_no_transaction(store: Store) -> None:
    """Nothing in, nothing out."""
    assert store.changes.append([]) == []


def test_deleting_a_document_deletes_its_log(store: Store, docid: str) -> None:
    """No change of a deleted document is left."""
    store.changes.append([change(docid, 1)])
    store.documents.delete(docid)
    assert store.changes.after(docid, 0) == []


def test_writers_never_share_a_number(store: Store, docid: str) -> None:
    """Eight threads that race for the next number leave a log without gap or double."""

    def write(worker: int) -> None:
        done = 0
        while done < 10:
            record = store.documents.get(docid)
            assert record is not None
            outcome = store.changes.append([change(docid, record.seq + 1, b"%d" % worker)])[0]
            done += isinstance(outcome, Stored)

    run_together(lambda worker=worker: write(worker) for worker in range(8))
    records = store.changes.after(docid, 0)
    assert [record.seq for record in records] == list(range(1, 81))
    assert Counter(record.body for record in records) == {b"%d" % w: 10 for w in range(8)}


def run_together(functions: Iterable[Callable[[], None]]) -> None:
    """Run functions in threads; the first failure is raised here."""
    failures: list[BaseException] = []

    def guarded(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


STEP = st.tuples(st.integers(0, 2), st.integers(-1, 2), st.sampled_from([None, None, "a", "b"]))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(groups=st.lists(st.lists(STEP, max_size=6), max_size=5))
def test_append_agrees_with_a_simple_model(store: Store, groups: list[list[object]]) -> None:
    """For any groups of right and wrong numbers and keys, the log is what a dict would keep."""
    docids = [store.documents.create("ada", f"t{i}").docid for i in range(2)] + ["missing"]
    logs: dict[str, list[str | None]] = {docid: [] for docid in docids[:2]}
    for group in groups:
        changes, expected, broken = [], [], set()
        for which, offset, key in group:  # type: ignore[misc]
            docid = docids[which]
            log = logs.get(docid)
            seq = len(log or []) + 1 + offset
            changes.append(change(docid, seq, key=key))
            if log is None:
                expected.append("Gone")
            elif key is not None and key in log:
                expected.append("Repeated")
                broken.add(docid)
            elif offset or docid in broken:
                expected.append("Clash")
                broken.add(docid)
            else:
                expected.append("Stored")
                log.append(key)
        assert [type(o).__name__ for o in store.changes.append(changes)] == expected
    for docid, log in logs.items():
        assert [record.key for record in store.changes.after(docid, 0)] == log
        store.documents.delete(docid)


def test_a_page_of_the_log(store: Store) -> None:
    """As many changes as fit into a number and a size of bodies, at least one; and if more come."""
    docid = store.documents.create("ada", "line").docid
    sizes = [10, 10, 500, 1, 1]
    store.changes.append(
        [NewChange(docid, seq, "ada", b"x" * size) for seq, size in enumerate(sizes, 1)]
    )

    def page(after: int, limit: int, size: int) -> tuple[list[int], bool]:
        records, more = store.changes.page(docid, after, limit=limit, size=size)
        assert all(len(record.body) == sizes[record.seq - 1] for record in records)
        return [record.seq for record in records], more

    assert page(0, 9, 1000) == ([1, 2, 3, 4, 5], False)
    assert page(0, 5, 1000) == ([1, 2, 3, 4, 5], False)
    assert page(0, 4, 1000) == ([1, 2, 3, 4], True)
    assert page(0, 9, 20) == ([1, 2], True)
    assert page(0, 9, 19) == ([1], True)
    assert page(2, 9, 20) == ([3], True)
    assert page(3, 9, 0) == ([4], True)
    assert page(4, 9, 0) == ([5], False)
    assert page(5, 9, 20) == ([], False)
    assert page(0, 0, 20) == ([], True)
    assert store.changes.page("nothing", 0, limit=9, size=20) == ([], False)
