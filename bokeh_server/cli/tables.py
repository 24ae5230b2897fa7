"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click

__all__ = ["print_table", "readable_size"]


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


def readable_size(size: float) -> str:
    """A number of bytes for people: ``1.5 MB``."""
    for unit in ("bytes", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
