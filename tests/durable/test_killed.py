"""What a server has answered is there after it was killed; ``scripts/kill`` does so longer."""

from __future__ import annotations

from pathlib import Path

from support.killing import kill_again_and_again

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
