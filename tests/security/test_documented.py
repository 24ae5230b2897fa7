"""The table of threats in ``docs/security.md``: every test that it names is there."""

from __future__ import annotations

import ast
import re

from support.modules import ROOT

PAGE = ROOT / "docs/security.md"
#: ``tests/room/test_file.py::test_name`` as the table writes it, or a whole file.
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def rows() -> list[list[str]]:
    """The cells of each row of the table of threats."""
    text = PAGE.read_text("utf-8").partition("## Threats")[2]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_every_row_names_its_tests() -> None:
    """A threat, what is done, and at least one test which shows that."""
    assert len(rows()) > 25
    for row in rows():
        assert len(row) == 3, row
        assert NAMED.search(row[2]), row


def test_every_test_that_is_named_is_there() -> None:
    """By its file and its name, so that none is renamed or dropped unseen."""
    named = NAMED.findall(PAGE.read_text("utf-8"))
    assert len(named) > 25
    for file, name in named:
        assert (ROOT / file).is_file(), file
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        functions = {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
        assert not name or name in functions, f"{file}::{name}"
