"""The rules of the test suite itself, each tried on a small suite with the real conftest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.modules import ROOT

SUITE = """
import socket, threading, time
import pytest

@pytest.mark.postgresql
def test_needs_a_service():
    pytest.skip("no PostgreSQL here")

def test_leaves_a_thread():
    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()

def test_leaves_a_socket():
    global kept
    kept = socket.create_server(("127.0.0.1", 0))

def test_is_clean():
    thread = threading.Thread(target=time.sleep, args=(0.1,))
    thread.start()
    assert "bokeh-server-home" in __import__("os").path.expanduser("~")
"""


def run_suite(tmp_path: Path, **env: str) -> str:
    """Run the suite with the conftest of this project; what pytest prints."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (tmp_path / "test_small.py").write_text(SUITE)
    settings = f"[pytest]\npythonpath = {ROOT / 'tests'}\nmarkers =\n  browser\n  postgresql\n"
    (tmp_path / "pytest.ini").write_text(settings)
    environ = {name: value for name, value in os.environ.items() if name != "CI"} | env
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", str(tmp_path)]
    return subprocess.run(
        command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    ).stdout


def test_leaks_fail_the_test_that_leaked(tmp_path: Path) -> None:
    """A thread or a socket left behind is an error of that test, and of no other."""
    printed = run_suite(tmp_path)
    assert "ERROR test_small.py::test_leaves_a_thread" in printed
    assert "ERROR test_small.py::test_leaves_a_socket" in printed
    assert "PASSED test_small.py::test_is_clean" in printed
    assert "ERROR test_small.py::test_is_clean" not in printed
    assert "FAILED test_small.py::test_needs_a_service" not in printed


def test_in_ci_a_missing_service_fails(tmp_path: Path) -> None:
    """With ``CI`` set, nothing is skipped because PostgreSQL or Chromium is not there."""
    assert "FAILED test_small.py::test_needs_a_service" in run_suite(tmp_path, CI="true")
