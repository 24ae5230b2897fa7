"""What is noted once in a while."""

from __future__ import annotations

from contextlib import closing

import pytest

from bokeh_server.documents import noting
from bokeh_server.documents.noting import Noter
from bokeh_server.storage import Store


def test_nobody_crowds_out_what_is_known(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names somebody makes up, what people do is noted as before."""
    monkeypatch.setattr(noting, "MOST_DEEDS", 10)
    with closing(Noter(store.events, store.documents)) as noter:
        assert noter.is_due(("change", "ada", "one"), 60)
        for number in range(50):
            assert noter.is_due(("refused", f"name {number}", "192.0.2.1"), 60)
            assert noter.is_due(("open", "", f"document {number}"), 60)
        assert noter.is_due(("change", "ada", "two"), 60)
        assert not noter.is_due(("change", "ada", "one"), 60)
        assert not noter.is_due(("refused", "name 49", "192.0.2.1"), 60)


def test_of_too_many_deeds_the_oldest_is_forgotten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be noted once more, and what is new is noted in any case."""
    monkeypatch.setattr(noting, "MOST_DEEDS", 10)
    with closing(Noter(store.events, store.documents)) as noter:
        for number in range(11):
            assert noter.is_due(("change", "ada", str(number)), 60)
        assert not noter.is_due(("change", "ada", "1"), 60)
        assert noter.is_due(("change", "ada", "0"), 60)
