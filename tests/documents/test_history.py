"""What a document remembers of its recent changes."""

from __future__ import annotations

from bokeh_server.documents.history import MOST, History

KEY = ("m", "value")


def test_only_others_cross() -> None:
    """An edit crosses one by somebody else a moment ago, on the same attribute."""
    history = History()
    assert not history.crosses([KEY], "ann", 30)
    assert not history.crosses([KEY], "ann", 30)
    assert not history.crosses([("m", "title")], "bob", 30)
    assert history.crosses([KEY, ("m", "new")], "bob", 30)
    assert history.crosses([KEY], None, 30)
    assert not history.crosses([KEY], None, 30)
    assert not history.crosses([KEY], "ann", 0)


def test_what_is_sent_while_a_value_is_on_its_way_crosses_it() -> None:
    """Whoever was just told the newest value may have sent another before it came."""
    history = History()
    assert not history.crosses([KEY], "ann", 30)
    history.told([KEY])
    assert history.crosses([KEY], "ann", 30)
    assert not history.crosses([KEY], "ann", 30)


def test_what_is_remembered_is_bounded() -> None:
    """However many attributes and keys there are, only the newest are remembered."""
    history = History()
    for number in range(MOST + 10):
        history.crosses([("m", str(number))], "ann", 30)
        history.note(number, f"key {number}")
    assert history.answer("key 0") is None
    assert history.answer(f"key {MOST}") == MOST
    assert not history.crosses([("m", "0")], "bob", 30)
    assert history.crosses([("m", str(MOST))], "bob", 30)
