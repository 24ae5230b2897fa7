"""The broker of a single process."""

from __future__ import annotations

import logging

import pytest

from bokeh_server.channels import MemoryBroker


def test_every_subscriber_hears_what_is_published() -> None:
    """In order, with docid and seq."""
    broker, heard = MemoryBroker(), list[tuple[str, int]]()
    broker.subscribe(lambda docid, seq: heard.append((docid, seq)))
    broker.publish("a", 1)
    broker.publish("b", 7)
    assert heard == [("a", 1), ("b", 7)]


def test_who_unsubscribed_hears_no_more() -> None:
    """Unsubscribing twice does no harm, and others go on."""
    broker, first, second = MemoryBroker(), list[int](), list[int]()
    leave = broker.subscribe(lambda _docid, seq: first.append(seq))
    broker.subscribe(lambda _docid, seq: second.append(seq))
    leave()
    leave()
    broker.publish("a", 1)
    assert (first, second) == ([], [1])


def test_a_subscriber_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged."""
    broker, heard = MemoryBroker(), list[int]()

    def fail(_docid: str, _seq: int) -> None:
        raise ValueError("out of order")

    broker.subscribe(fail)
    broker.subscribe(lambda _docid, seq: heard.append(seq))
    with caplog.at_level(logging.ERROR):
        broker.publish("a", 1)
    assert heard == [1]
    assert "out of order" in caplog.text


def test_a_closed_broker_is_silent() -> None:
    """Publishing after the end does nothing."""
    broker, heard = MemoryBroker(), list[int]()
    broker.subscribe(lambda _docid, seq: heard.append(seq))
    broker.close()
    broker.publish("a", 1)
    assert heard == []
