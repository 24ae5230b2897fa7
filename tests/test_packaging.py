"""The package: what is declared agrees with what is there. The wheel: scripts/package-check."""

from __future__ import annotations

import ast
import re
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import bokeh_server
from support.modules import LINKED, ROOT, find_modules

CONFIG = ConfigParser()
CONFIG.read(ROOT / "setup.cfg")


def requirements(text: str) -> set[str]:
    """The names in a list of requirements."""
    return {re.split(r"[ <>=\[;]", line)[0].lower() for line in text.strip().splitlines()}


REQUIRED = requirements(CONFIG["options"]["install_requires"])
EXTRAS = {name: requirements(text) for name, text in CONFIG["options.extras_require"].items()}
#: imported where it is there, and done without where it is not.
OPTIONAL = {"pandas", "ipython", *EXTRAS["brotli"], *EXTRAS["postgresql"]}
#: what one requirement brings along for sure, and its own names are used.
BROUGHT = dict.fromkeys(("werkzeug", "jinja2", "markupsafe", "itsdangerous"), "flask")
BROUGHT["tornado"] = "bokeh"


def imported_packages() -> set[str]:
    """Distributions of everything that any module imports."""
    names = set()
    for path in find_modules().values():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    foreign = names - set(sys.stdlib_module_names) - {"bokeh_server", "__future__", "_typeshed"}
    known = packages_distributions()
    return {known.get(name, [name])[0].lower() for name in foreign}


def test_every_import_is_a_requirement() -> None:
    """Whatever is imported is installed with the package, or is optional on purpose."""
    needed = {BROUGHT.get(name, name) for name in imported_packages()} - OPTIONAL
    assert needed <= REQUIRED, needed - REQUIRED


def test_every_requirement_is_imported() -> None:
    """Nothing is installed for nothing."""
    used = {BROUGHT.get(name, name) for name in imported_packages()}
    assert used >= REQUIRED, REQUIRED - used


def test_data_files_match_the_patterns_of_setup_cfg() -> None:
    """Every template, static file and the revision template is matched by ``package_data``."""
    for package, patterns in CONFIG["options.package_data"].items():
        folder = ROOT / package.replace(".", "/")
        matched = {path for pattern in patterns.split() for path in folder.resolve().glob(pattern)}
        data = {
            path
            for path in folder.resolve().rglob("*")
            if path.is_file()
            and path.suffix not in {".py", ".pyc"}
            and path.name != "README.md"
            and "__pycache__" not in path.parts
        }
        if package == "bokeh_server":
            data = {path for path in data if path.parent == folder}
        assert data <= matched, data - matched


def test_the_version_is_one() -> None:
    """setup.cfg reads the version from the package."""
    assert CONFIG["metadata"]["version"] == "attr: bokeh_server.__version__"
    assert re.fullmatch(r"\d+\.\d+\.\d+", bokeh_server.__version__)


def test_the_sdist_takes_what_the_wheel_needs() -> None:
    """MANIFEST.in names every folder of the top level that belongs into the sdist."""
    manifest = (ROOT / "MANIFEST.in").read_text("utf-8")
    for folder in (*LINKED, "tests", "scripts", "docs", "examples"):
        assert f"graft {folder}" in manifest
    assert "LICENSE" in manifest
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert licence.startswith("BSD 3-Clause License")


@pytest.mark.parametrize("name", ["quickstart", "test", "lint", "package-check"])
def test_scripts_find_the_root_and_stop_at_errors(name: str) -> None:
    """Each script can be called from any folder and stops where something fails."""
    text = (ROOT / "scripts" / name).read_text("utf-8")
    assert "set -euo pipefail" in text
    assert "lib.sh" in text


def test_the_package_is_typed() -> None:
    """``py.typed`` is there and packaged, so that users' type checkers look at our types."""
    assert (ROOT / "bokeh_server/py.typed").exists()
    assert "py.typed" in CONFIG["options.package_data"]["bokeh_server"]


def test_no_file_is_too_large_for_a_repository() -> None:
    """A screenshot is fine, a data set or a binary is not."""
    for folder in ("bokeh_server", "docs", "examples", "scripts", "tests", *LINKED):
        for path in Path(ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.stat().st_size < 1_000_000, path
