"""What our code must not have in it, whatever a review overlooks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from support.modules import ROOT

FOLDERS = ("bokeh_server", "blueprint", "storage", "migrations")
#: modules that make objects of bytes, or run what they are given.
FORBIDDEN_IMPORTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "jsonpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {
    ("os", "system"), ("os", "popen"), ("yaml", "load"), ("pickle", "loads"),
    ("tempfile", "mktemp"), ("hashlib", "md5"), ("hashlib", "sha1"), ("random", "random"),
    ("random", "choice"),
}  # fmt: skip
#: SHA-1 is what a WebSocket's handshake has, and keeps nothing secret.
EXCEPTIONS = {("bokeh_server/sockets/handshake.py", "hashlib.sha1")}
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if not any(part.is_symlink() for part in path.parents if part != ROOT)
)


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_nothing_makes_code_of_data(path: Path) -> None:
    """No pickle, no eval, no shell, no weak digest, and no random numbers that can be guessed."""
    found = [name for node in ast.walk(ast.parse(path.read_text("utf-8"))) for name in uses(node)]
    name = str(path.relative_to(ROOT))
    assert [each for each in found if (name, each) not in EXCEPTIONS] == []


def uses(node: ast.AST) -> list[str]:
    """What a piece of code has that it must not."""
    if isinstance(node, ast.Import):
        return [each.name for each in node.names if each.name.split(".")[0] in FORBIDDEN_IMPORTS]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}"] if (node.module or "").split(".")[0] in FORBIDDEN_IMPORTS else []
    if isinstance(node, ast.Call):
        return [name for name in [called(node.func)] if name]
    return []


def called(function: ast.expr) -> str | None:
    """The name of a function that must not be called."""
    if isinstance(function, ast.Name) and function.id in FORBIDDEN_CALLS:
        return function.id
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        pair = (function.value.id, function.attr)
        return ".".join(pair) if pair in FORBIDDEN_ATTRIBUTES else None
    return None


def test_the_test_sees_it() -> None:
    """Each of these is found where it stands."""
    for code in (
        "import pickle",
        "from yaml import load",
        "eval('1')",
        "import os\nos.system('x')",
    ):
        assert [name for node in ast.walk(ast.parse(code)) for name in uses(node)], code


def test_the_files_are_there() -> None:
    """All of our packages are looked at."""
    assert len(FILES) > 100
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(FOLDERS)
