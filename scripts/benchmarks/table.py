"""The tables that are printed, and what fell short of its goal."""

from __future__ import annotations

__all__ = ["growth", "heading", "missed", "row"]

#: works whose ratio is under half of its goal, or twice over its limit: more than noise.
missed: list[str] = []


def heading(base: str, ours: str) -> None:
    """Begin a table.

    :param base: what ours is compared with.
    """
    print(f"\n| work | {base} | {ours} | unit | ratio | to reach |")
    print("|---|---|---|---|---|---|", flush=True)


def row(
    work: str, base: float, ours: float, unit: str, goal: float | str = "", *, lower: bool = False
) -> None:
    """Print one line of the table: both figures, and how many times better ours is.

    :param goal: the ratio to reach, or a figure of its own in words.
    :param lower: less is better.
    """
    ratio = base / ours if lower else ours / base
    if isinstance(goal, float):
        missed.extend([work] if ratio < goal / 2 else [])
        goal = f"{goal:,.{0 if goal >= 1 else 1}f} x"
    shown = f"{ratio:,.1f}" if ratio >= 1 else f"{ratio:,.2f}"
    print(f"| {work} | {base:,.1f} | {ours:,.1f} | {unit} | {shown} x | {goal} |", flush=True)


def growth(work: str, base: float, ours: float, unit: str, limit: float) -> None:
    """Print one line: what ours costs beside ``base``, as a multiple that may not grow.

    :param limit: the most it may be.
    """
    ratio = ours / base
    missed.extend([work] if ratio > 2 * limit else [])
    goal = f"<= {limit:g} x"
    print(f"| {work} | {base:,.1f} | {ours:,.1f} | {unit} | {ratio:,.2f} x | {goal} |", flush=True)
