"""Run the ``bokeh-server`` command to its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.server import clean_environment

__all__ = ["run_command"]


def run_command(
    home: Path, *words: str, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ``bokeh-server WORDS`` with ``home`` as home and current directory.

    :param stdin: what is typed.
    :param env: environment variables to add.
    """
    return subprocess.run(
        [sys.executable, "-m", "bokeh_server", *words],
        input=stdin, capture_output=True, text=True, cwd=home,
        env=clean_environment(home, **env), timeout=60, check=False,
    )  # fmt: skip
