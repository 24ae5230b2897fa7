"""What a server has answered is there after it was killed; ``scripts/kill`` does so longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.killing import LYING, kill_again_and_again

KILLS = 7


def test_nothing_answered_is_lost(database_url: str, tmp_path: Path) -> None:
    """After SIGKILLs amid writing, snapshots and compaction every answer still holds.

    Every change that was answered or seen is there once, with its number; the log has no gaps;
    what is loaded from snapshots equals what the whole log makes.
    """
    result = kill_again_and_again(KILLS, database_url, tmp_path)
    print(result)
    assert result.kills == KILLS
    assert result.answered > 20 * KILLS
    assert result.seen > 0
    assert result.snapshots > 0
    assert result.compacted > 0


def test_a_server_that_answers_too_early_is_found_out(tmp_path: Path) -> None:
    """A server that answers what it has not stored does not pass: the test above can fail."""
    database = f"sqlite:///{tmp_path / 'bokeh.sqlite'}"
    with pytest.raises(AssertionError, match=r"lost|another answer|gap|twice|a retry"):
        kill_again_and_again(3, database, tmp_path, program=LYING)
