"""Measure bokeh-server beside what it is compared with, and print ratios; see ``scripts/bench``."""

from __future__ import annotations

import argparse

from applications import applications
from durable import durable
from live import SUBJECTS, live
from million import million
from people import people
from size import size
from slow import slow
from table import missed


def main() -> None:
    """Run the benchmarks named on the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    stored = {
        "apps": applications,
        "durable": durable, "size": size, "million": million, "slow": slow, "people": people
    }  # fmt: skip
    names = [*SUBJECTS, *stored]
    parser.add_argument("what", nargs="?", default="all", choices=[*names, "all"])
    parser.add_argument("--quick", action="store_true", help="fewer rounds; figures are rough")
    parser.add_argument("--check", action="store_true", help="fail on less than half of a goal")
    arguments = parser.parse_args()
    wanted = names if arguments.what == "all" else [arguments.what]
    shown = [name for name in wanted if name in SUBJECTS]
    if shown:
        live(shown, arguments.quick)
    for name in wanted:
        if name in stored:
            stored[name](arguments.quick)
    if missed and arguments.check:
        raise SystemExit(f"Less than half of the goal: {', '.join(missed)}.")


if __name__ == "__main__":
    main()
