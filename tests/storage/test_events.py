"""What people did is kept for a while, and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bokeh_server.storage import NewEvent, Store


def _numbers(store: Store) -> list[str | None]:
    return [each.detail for each in store.events.find()][::-1]


def _add(store: Store, monkeypatch: pytest.MonkeyPatch, *ages: timedelta) -> None:
    """Add events that are so old, numbered from 0."""
    for number, age in enumerate(ages):
        monkeypatch.setattr(
            "bokeh_server.storage.events.utc_now", lambda age=age: datetime.now(UTC) - age
        )
        store.events.add([NewEvent("login", "ada", owner="ada", detail=f"{number}")])


def test_the_oldest_are_forgotten_a_little_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most so many go in one transaction, the oldest first, until none is left to go."""
    _add(store, monkeypatch, *(timedelta(days=days) for days in (9, 8, 7, 2, 1)))
    before = datetime.now(UTC) - timedelta(days=5)
    assert store.events.forget(before, limit=2) == 2
    assert _numbers(store) == ["2", "3", "4"]
    assert store.events.forget(before, limit=2) == 1
    assert store.events.forget(before, limit=2) == 0
    assert _numbers(store) == ["3", "4"]


def test_no_more_are_kept_than_so_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever their age, so that nobody fills the disk."""
    assert store.events.forget(datetime.now(UTC), most=3) == 0
    _add(store, monkeypatch, *[timedelta(0)] * 5)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    assert store.events.forget(long_ago) == 0
    assert store.events.forget(long_ago, most=3) == 2
    assert _numbers(store) == ["2", "3", "4"]


def test_text_that_no_database_or_terminal_wants(store: Store) -> None:
    """It is kept without, and cut where it is too long."""
    store.events.add([NewEvent("login", "a\0da", owner="x" * 300, detail="\x1b[2J" + "y" * 2000)])
    found = store.events.find()[0]
    assert (found.actor, len(found.owner or "")) == ("a\ufffdda", 255)
    assert (found.detail or "")[:4] == "\ufffd[2J"
    assert len(found.detail or "") == 1024
