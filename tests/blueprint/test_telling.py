"""What the log says is remembered, and is always what it would say if it were read again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bokeh_server.blueprint import telling
from bokeh_server.blueprint.telling import Teller
from bokeh_server.documents import Engine, LiveDocument
from bokeh_server.protocol import Patch
from bokeh_server.storage import ChangeRecord, ChangeStore, Store
from support.documents import doc_json, set_value, stream


class Counting:
    """A log that counts what is read of it."""

    def __init__(self, changes: ChangeStore) -> None:
        self._changes = changes
        self.read = 0

    def page(self, *args: Any, **options: Any) -> tuple[list[ChangeRecord], bool]:
        """Read, and count."""
        records, more = self._changes.page(*args, **options)
        self.read += len(records)
        return records, more


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database."""
    opened = Store.open(f"sqlite:///{tmp_path / 'bokeh.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    """An engine on it."""
    made = Engine(store)
    yield made
    made.close()


@pytest.fixture
def live(engine: Engine) -> LiveDocument:
    """A document with a slider, a line, and its data."""
    document = engine.open(engine.create("ada", "told").docid)
    document.replace(doc_json(), {}, actor="ada")
    return document


def patch(*events: dict[str, Any]) -> Patch:
    """A patch of some events."""
    return Patch(list(events), {})


def added(model_id: str, name: str) -> Patch:
    """A root is added."""
    model = {"type": "object", "name": "Slider", "id": model_id, "attributes": {"name": name}}
    return patch({"kind": "RootAdded", "model": model})


def removed(model_id: str) -> Patch:
    """A root is removed."""
    return patch({"kind": "RootRemoved", "model": {"id": model_id}})


def renamed(model_id: str, name: str) -> Patch:
    """A widget is called otherwise from now on."""
    event = {"kind": "ModelChanged", "model": {"id": model_id}, "attr": "name", "new": name}
    return patch(event)


def rows(count: int) -> Patch:
    """So many rows are appended."""
    (event,) = stream(0).events
    data = {name: [0.25] * count for name in event["data"]}
    return patch({**event, "data": data})


def change(live: LiveDocument, dice: random.Random) -> None:
    """Something happens."""
    name, model_id = f"name {dice.randrange(4)}", f"root{dice.randrange(3)}"
    is_there = model_id in live.roots()
    kinds = [
        set_value(dice.randrange(9)),
        rows(dice.randrange(1, 30)),
        renamed("s", name),
    ]
    kinds.append(removed(model_id) if is_there else added(model_id, name))
    if is_there:
        kinds += [renamed(model_id, name)] * 2
    live.apply(dice.choice(kinds), actor=dice.choice("ab"))


@pytest.mark.parametrize("seed", range(5))
def test_it_says_what_reading_again_would_say(
    store: Store, live: LiveDocument, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Models come, go and are renamed, the log grows, and any part of it is asked for."""
    dice = random.Random(seed)
    monkeypatch.setattr(telling, "STRETCHES", dice.choice([(100, 10, 1), (7, 3, 1), (1000, 1)]))
    monkeypatch.setattr(telling, "MOST_BYTES", dice.choice([500, 2000, 10**6]))
    monkeypatch.setattr(telling, "MOST_GROUPS", dice.choice([3, 40]))
    teller = Teller(most=dice.choice([30, 300, 10**6]))
    for _ in range(30):
        for _ in range(dice.randrange(4)):
            change(live, dice)
        first = dice.choice([1, 1, dice.randint(1, live.seq)])
        last = dice.choice([live.seq, live.seq, dice.randint(first, live.seq)])
        told, more = teller.tell(live, store.changes, first, last)
        assert (told, more) == Teller().tell(live, store.changes, first, last)
        numbers = [seq for group in told for seq in range(group.first, group.last + 1)]
        assert numbers == list(range(numbers[0], last + 1))
        assert more or numbers[0] == first


def test_what_was_read_is_not_read_again(store: Store, live: LiveDocument) -> None:
    """While a document is streamed to, a poll reads what is new; a rename reads all once more."""
    teller, changes = Teller(), Counting(store.changes)
    for number in range(250):
        live.apply(stream(number), actor="ada")
    for expected in (251, 0, 0):
        changes.read = 0
        teller.tell(live, changes, 1, live.seq)  # type: ignore[arg-type]
        assert changes.read == expected
    for _ in range(20):
        live.apply(rows(2), actor="ada")
        changes.read = 0
        groups, _ = teller.tell(live, changes, 1, live.seq)  # type: ignore[arg-type]
        assert (changes.read, groups[-1].last) == (1, live.seq)
    live.apply(renamed("s", "another"), actor="ada")
    live.apply(set_value(5), actor="ada")
    groups, _ = teller.tell(live, store.changes, 1, live.seq)
    assert groups[-1].what == "Value of slider “another” set to 5"


def test_large_changes_are_read_once(
    store: Store, live: LiveDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where few changes are as much as is read at once, what is complete is remembered, too."""
    monkeypatch.setattr(telling, "MOST_BYTES", 2000)
    teller, changes = Teller(), Counting(store.changes)
    for _ in range(45):
        live.apply(rows(60), actor="ada")
        teller.tell(live, changes, 1, live.seq)  # type: ignore[arg-type]
    changes.read = 0
    live.apply(rows(60), actor="ada")
    teller.tell(live, changes, 1, live.seq)  # type: ignore[arg-type]
    assert changes.read <= 10


def test_what_is_remembered_is_bounded(engine: Engine, store: Store) -> None:
    """However many documents are looked at; what is used stays, and a new document is none old."""
    teller = Teller(most=200)
    for number in range(50):
        live = engine.open(engine.create("ada", f"title {number}").docid)
        live.replace(doc_json(), {}, actor="ada")
        for value in range(5):
            live.apply(set_value(value), actor="ab"[value % 2])
        assert len(teller.tell(live, store.changes, 1, live.seq)[0]) == 6
        assert 0 < teller.weight <= 200
    known = store.changes
    docid = live.docid
    engine.delete(docid)
    again = engine.open(engine.create("ada", "again", docid).docid)
    again.replace(doc_json(), {}, actor="bob")
    assert [group.actor for group in teller.tell(again, known, 1, again.seq)[0]] == ["bob"]
