"""What a document remembers of its recent changes."""

from __future__ import annotations

from itertools import count

from bokeh_server.documents.history import ANYTHING, MOST, Edit, History, Key

KEY = ("m", "value")
OTHER = ("m", "title")


class Log:
    """Edits one after the other, with a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.history = History(30, lambda: self.now)
        self.numbers = count(1)

    def edit(self, origin: str | None, *keys: Key, seen: int | None = None) -> set[Key]:
        """Make a change; those of its keys that crossed."""
        edit = Edit(next(self.numbers), origin, frozenset(keys), seen)
        return self.history.touch(edit) - {ANYTHING}


def test_only_others_cross() -> None:
    """An edit crosses one by somebody else a moment ago, on the same attribute."""
    log = Log()
    assert not log.edit("ann", KEY)
    assert not log.edit("ann", KEY)
    assert not log.edit("bob", OTHER)
    assert log.edit("bob", KEY, ("m", "new")) == {KEY}
    assert log.edit("bob", KEY) == {KEY}  # ann's may still be on its way
    assert log.edit(None, KEY) == {KEY}
    log.now += 31
    assert not log.edit("ann", KEY)


def test_what_a_sender_had_seen_does_not_cross() -> None:
    """Who says what it had seen crosses exactly what it had not, however long ago that was."""
    log = Log()
    log.edit("bob", KEY)
    assert not log.edit("ann", KEY, seen=1)
    log.now += 1000
    assert log.edit("ann", KEY, seen=0) == {KEY}
    assert log.edit("bob", KEY, seen=1) == {KEY}
    assert not log.edit("bob", KEY, seen=3)
    assert log.edit("ann", KEY, seen=4) == {KEY}


def test_what_is_sent_while_a_value_is_on_its_way_crosses_it() -> None:
    """Whoever was just told the newest value may have sent another before it came."""
    log = Log()
    log.edit("ann", KEY)
    log.history.told("ann", [KEY], 1)
    assert not log.edit("ann", OTHER)
    assert log.edit("ann", KEY) == {KEY}
    assert log.edit("ann", KEY, seen=0) == {KEY}
    assert not log.edit("ann", KEY, seen=1)
    log.history.told("ann", [ANYTHING], 4)
    assert log.edit("ann", ("m", "new"), seen=3) == {("m", "new")}


def test_anything_stands_for_everything() -> None:
    """A sender that replaces all there is learns that somebody else did something meanwhile."""
    log = Log()
    log.edit("bob", KEY)
    assert ANYTHING in log.history.touch(Edit(2, "ann", frozenset({OTHER}), 0))
    assert ANYTHING not in log.history.touch(Edit(3, "bob", frozenset({OTHER}), 2))


def test_what_is_remembered_is_bounded() -> None:
    """Of however many attributes and keys the newest are remembered; the rest counts as crossed."""
    log = Log()
    for number in range(MOST + 10):
        log.edit("ann", ("m", str(number)))
        log.history.note(number, f"key {number}")
    assert log.history.answer("key 0") is None
    assert log.history.answer(f"key {MOST}") == MOST
    assert log.edit("bob", ("m", "0"), seen=3) == {("m", "0")}
    assert not log.edit("bob", ("m", "1"), seen=MOST)
    assert log.edit("bob", ("m", str(MOST))) == {("m", str(MOST))}
