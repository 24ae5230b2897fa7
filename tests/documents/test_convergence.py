"""Many who edit one document at once, over slow lines that break, end with what is stored."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from bokeh_server.storage import Store
from support.simulation import run_trial

#: ``scripts/converge`` runs more.
TRIALS = 60
SLICE = 10
#: trials that went wrong once: a page pulled while its pointer rested, and then showed others.
ONCE_WRONG = (213, 279, 447, 450)


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    """A database in memory for all trials."""
    opened = Store.open("sqlite://")
    yield opened
    opened.close()


@pytest.mark.parametrize("first", range(0, TRIALS, SLICE))
def test_everybody_ends_with_what_is_stored(memory: Store, first: int) -> None:
    """Pages, plain pages of BokehJS and scripts drag, type, stream, patch, move roots.

    Their lines delay and drop, connections fall behind, workers change, commits fail. In the end
    all show the stored document, and no page of ours ever saw a value jump while it dragged it.
    """
    logging.disable(logging.ERROR)  # commits fail on purpose
    try:
        outcomes = [run_trial(seed, memory) for seed in range(first, first + SLICE)]
    finally:
        logging.disable(logging.NOTSET)
    assert [outcome for outcome in outcomes if not outcome.is_good] == []
    assert sum(outcome.changes for outcome in outcomes) > 100 * SLICE
    assert sum(outcome.pulls - outcome.clients for outcome in outcomes) > 0


@pytest.mark.parametrize("seed", ONCE_WRONG)
def test_what_is_held_stays_after_a_pull(memory: Store, seed: int) -> None:
    """A value under a resting pointer does not move when its page has pulled meanwhile."""
    logging.disable(logging.ERROR)
    try:
        outcome = run_trial(seed, memory)
    finally:
        logging.disable(logging.NOTSET)
    assert outcome.is_good, outcome
