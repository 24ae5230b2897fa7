"""What is public is what is exported, documented and drawn."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import bokeh_server
from bokeh_server import errors
from support.modules import ROOT, find_modules

TESTS = sorted((ROOT / "tests").rglob("*.py"))
FOUND = find_modules()
NOT_IMPORTED = ("bokeh_server.__main__", "bokeh_server.migrations")
MODULES = [name for name in FOUND if not name.startswith(NOT_IMPORTED)]
PACKAGES = [name for name in MODULES if FOUND[name].name == "__init__.py"]


def public_names(module: ModuleType) -> set[str]:
    """Names of a package that somebody could take for public."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }


@pytest.mark.parametrize("name", MODULES)
def test_everything_exported_can_be_imported(name: str) -> None:
    """``__all__`` is there, names no name twice, and each can be had."""
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", None)
    if exported is None:
        assert not _defines_public(module), f"{name} has no __all__"
        return
    assert len(set(exported)) == len(exported)
    for each in exported:
        assert hasattr(module, each), each


def _defines_public(module: ModuleType) -> list[str]:
    own = (value for value in vars(module).values() if callable(value))
    return [
        value.__name__
        for value in own
        if getattr(value, "__module__", None) == module.__name__
        and not value.__name__.startswith("_")
    ]


@pytest.mark.parametrize("name", MODULES)
def test_modules_use_only_what_others_export(name: str) -> None:
    """A name that is not in a module's ``__all__`` is its own affair."""
    for node in ast.walk(ast.parse(FOUND[name].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in FOUND:
            exported = getattr(importlib.import_module(node.module), "__all__", ())
            taken = {each.name for each in node.names if f"{node.module}.{each.name}" not in FOUND}
            assert taken <= set(exported), f"line {node.lineno}: {taken - set(exported)}"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_offers_exactly_what_it_exports(name: str) -> None:
    """Nothing else can be imported from a package by accident."""
    module = importlib.import_module(name)
    if module is bokeh_server:
        assert sorted(bokeh_server.__all__) == dir(bokeh_server)
        return
    if hasattr(module, "__getattr__"):
        return
    assert public_names(module) == {
        each for each in getattr(module, "__all__", ()) if not each.startswith("_")
    }


def test_the_main_names_are_there() -> None:
    """What the README imports can be imported, and nothing else pretends to be there."""
    assert {"BokehServer", "Session", "__version__"} <= set(bokeh_server.__all__)
    assert bokeh_server.Session.__module__.startswith("bokeh_server.client")
    with pytest.raises(AttributeError, match="no attribute 'session'"):
        bokeh_server.session  # noqa: B018


def drawn_tree() -> dict[str, str]:
    """Class name -> name of its parent, as the docstring of errors.py draws it."""
    parents: dict[str, str] = {}
    trail: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([ │├└─]*?)(\w+)(?:  .*|$)", line)
        if found is None or not hasattr(errors, found[2]):
            continue
        depth = (len(found[1]) - 4) // 4
        del trail[max(depth, 0) :]
        parents[found[2]] = trail[-1] if trail else "Exception"
        trail.append(found[2])
    return parents


def test_the_error_tree_is_drawn_completely() -> None:
    """Every error stands in the docstring under its parent, and is exported."""
    real = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert drawn_tree() == real
    assert set(errors.__all__) == set(real)


def test_every_error_of_a_caller_has_a_status_of_4xx() -> None:
    """Nothing a caller can cause is reported as a fault of the server."""
    for name in errors.__all__:
        error = getattr(errors, name)
        if issubclass(error, errors.CallerError):
            assert 400 <= error.status < 500, name
        assert re.fullmatch(r"[a-z_]+", error.code), name


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_every_test_says_what_it_shows(path: Path) -> None:
    """Each test has a docstring, and each file of tests says what it is about."""
    tree = ast.parse(path.read_text("utf-8"))
    silent = [
        f"{node.name} (line {node.lineno})"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent, f"tests without a docstring: {silent}"
    if path.name.startswith("test_"):
        assert ast.get_docstring(tree), "the file has no docstring"
