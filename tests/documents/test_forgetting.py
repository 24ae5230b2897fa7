"""The housekeeper forgets what people did long ago."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bokeh_server.documents import Engine, Limits
from bokeh_server.errors import StorageUnavailable
from bokeh_server.storage import EventStore, NewEvent, Store
from support.browser import wait_until

SOON = Limits(keep_events=timedelta(days=3), forget_seconds=0.05, housekeeping_seconds=0.02)


def _add(store: Store, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    moment = datetime.now(UTC) - timedelta(days=days)
    monkeypatch.setattr("bokeh_server.storage.events.utc_now", lambda: moment)
    store.events.add([NewEvent("login", "ada", detail=f"{days}")])


def _left(store: Store) -> list[str | None]:
    return [each.detail for each in store.events.find()]


def test_old_events_go_by_themselves(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While documents are used, those go that are older than is said; the others stay."""
    for days in (9, 4, 2):
        _add(store, monkeypatch, days)
    with closing(Engine(store, limits=SOON)) as engine:
        engine.open(engine.create("ada", "line").docid)
        wait_until(lambda: _left(store), ["2"])


def test_without_a_time_none_goes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands open engines beside a server, whose options they do not know."""
    _add(store, monkeypatch, 900)
    asked: list[object] = []
    monkeypatch.setattr(EventStore, "forget", lambda *_: asked.append(_) or 0)
    with closing(Engine(store, limits=Limits(housekeeping_seconds=0.02))) as engine:
        engine.open(engine.create("ada", "line").docid)
        rounds: list[object] = []
        tick = engine._housekeeper._look_round
        monkeypatch.setattr(
            engine._housekeeper, "_look_round", lambda: (rounds.append(1), tick())[1]
        )
        wait_until(lambda: len(rounds) > 3, True)
    assert asked == []


def test_an_outage_stops_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be forgotten now is forgotten later, by the same thread."""
    _add(store, monkeypatch, 9)
    forget, failed = EventStore.forget, list[int]()

    def fails_at_first(self: EventStore, *what: Any) -> int:
        if len(failed) < 2:
            failed.append(1)
            raise StorageUnavailable("forget what was done", "the database is away")
        return forget(self, *what)

    monkeypatch.setattr(EventStore, "forget", fails_at_first)
    with closing(Engine(store, limits=SOON)) as engine:
        engine.open(engine.create("ada", "line").docid)
        wait_until(lambda: _left(store), [])
