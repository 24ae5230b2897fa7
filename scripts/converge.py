"""Trials of converging edits in simulated time; see ``scripts/converge``."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
import time

from bokeh_server.storage import Store
from support.simulation import Outcome, run_trial

SLICE = 10


def run_slice(first: int, count: int) -> list[Outcome]:
    """Run some trials on one database."""
    logging.disable(logging.ERROR)  # the trials break things on purpose
    store = Store.open("sqlite://")
    try:
        return [run_trial(seed, store) for seed in range(first, first + count)]
    finally:
        store.close()


def report(outcome: Outcome) -> None:
    """Say what was wrong with a trial."""
    print(f"Trial {outcome.seed}:", flush=True)
    for line in (*outcome.wrong, *outcome.jumped[:3]):
        print(f"  {line}", flush=True)


def main() -> None:
    """Run the trials named on the command line."""
    parser = argparse.ArgumentParser(prog="scripts/converge", description=__doc__)
    parser.add_argument("trials", nargs="?", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    first, end = arguments.first, arguments.first + arguments.trials
    slices = [(seed, min(SLICE, end - seed)) for seed in range(first, end, SLICE)]
    began, outcomes = time.monotonic(), []
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for job in [pool.apply_async(run_slice, each) for each in slices]:
            outcomes += job.get(600)
            for outcome in outcomes[-SLICE:]:
                if not outcome.is_good:
                    report(outcome)
    bad = [outcome for outcome in outcomes if not outcome.is_good]
    print(
        f"{len(outcomes):,} trials in {time.monotonic() - began:,.0f} s:"
        f" {sum(each.clients for each in outcomes):,} clients,"
        f" {sum(each.changes for each in outcomes):,} changes,"
        f" {sum(each.pulls for each in outcomes):,} pulls; {len(bad)} went wrong."
    )
    sys.exit(1 if bad or not outcomes else 0)


if __name__ == "__main__":
    main()
