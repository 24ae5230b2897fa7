"""The same sessions where gevent has replaced threads by greenlets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("gevent", reason="gevent is not installed: pip install gevent")

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys
import pytest
sys.exit(pytest.main([*sys.argv[1:], "-q", "-p", "no:cacheprovider"]))
"""


def test_sessions_are_the_same_on_greenlets() -> None:
    """All tests of sessions pass in a process that gevent has patched."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(here / "test_sessions.py")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=here.parents[1],
    )
    assert done.returncode == 0, done.stdout + done.stderr
