"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click

__all__ = ["print_table"]


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head, every column as wide as its widest cell."""
    lines = [[_one_line(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _one_line(cell: str) -> str:
    """A title may hold anything, control characters of a terminal included."""
    return "".join(character if character.isprintable() else "�" for character in cell)
