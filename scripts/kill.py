"""The long run of ``tests/durable/test_killed.py``; run by ``scripts/kill``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.killing import kill_again_and_again
from support.postgresql import running_postgresql


@contextmanager
def database(kind: str, directory: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{directory / 'bokeh.sqlite'}"
        return
    with running_postgresql() as server, server.database() as url:
        yield url


def main() -> None:
    """Kill, and print the figures."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    kinds = sys.argv[2:] or ["sqlite", "postgresql"]
    for kind in kinds:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as directory, database(kind, Path(directory)) as url:
            result = kill_again_and_again(kills, url, Path(directory), say=print)
        print(f"{kind}: {result}; took {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
