"""Where the programs are that tests use; `scripts/test` asks here what has to be installed.

python tests/support/programs.py     prints the names of missing Debian packages
"""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["chromium_path", "missing_packages", "postgresql_path"]


def chromium_path() -> str | None:
    """The browser that tests drive."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def postgresql_path() -> Path | None:
    """The directory of the newest PostgreSQL's programs."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(found, key=lambda path: int(path.parts[4]), default=None)
    return newest and newest.parent


def missing_packages() -> list[str]:
    """The Debian packages that are not here."""
    have = {
        "chromium": chromium_path(),
        "nodejs": shutil.which("node"),
        "postgresql": postgresql_path(),
        "strace": shutil.which("strace"),
    }
    return [package for package, path in have.items() if path is None]


if __name__ == "__main__":
    print(*missing_packages())
