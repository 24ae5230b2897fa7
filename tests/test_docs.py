"""The documents name everything there is: options, keys, commands, routes, close codes."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
from flask import Flask

from bokeh_server import BokehServer, errors
from bokeh_server.cli.commands import bokeh_server
from bokeh_server.cli.options import NOT_OPTIONS
from bokeh_server.config import Settings
from support.modules import ROOT, find_modules

DOCS = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
README = (ROOT / "README.md").read_text("utf-8")
CONFIGURATION, INTERNALS = DOCS["configuration.md"], DOCS["internals.md"]
EVERYTHING = "\n".join([*DOCS.values(), *(path.read_text("utf-8") for path in ROOT.glob("*.md"))])


@pytest.mark.parametrize("name", list(Settings.declared()))
def test_every_setting_has_its_row(name: str) -> None:
    """Option, key and variable of a setting stand in one row, with the real default."""
    setting = Settings.declared()[name]
    row = next(line for line in CONFIGURATION.splitlines() if f"| `{name}` |" in line)
    assert f"`{setting.variable}`" in row
    assert name in NOT_OPTIONS or f"`{setting.option}`" in row
    if isinstance(setting.default, str) and setting.default:
        assert f"| `{setting.default}` |" in row
    if type(setting.default) in (int, float) and name != "max_body_size":
        assert f"| `{setting.default:g}` |" in row


def test_the_default_size_is_the_documented_one() -> None:
    """The one default that is written with a unit."""
    assert Settings.declared()["max_body_size"].default == 128 * 1024 * 1024
    assert "`128MB`" in CONFIGURATION


def test_every_command_and_option_is_documented() -> None:
    """Every subcommand has its row, every option of its own is named there."""
    for group_name, command in bokeh_server.commands.items():
        members = command.commands if isinstance(command, click.Group) else {"": command}
        for name, member in members.items():
            words = f"{group_name} {name}".strip()
            documented = f"bokeh-server {words}" in CONFIGURATION or words == "db current"
            assert documented, words
            for parameter in member.params:
                for option in parameter.opts:
                    assert not option.startswith("--") or option in CONFIGURATION, option


def test_the_example_of_a_configuration_file_is_valid(tmp_path: Path) -> None:
    """What is shown can be used as it is."""
    from bokeh_server.config import load_settings

    examples = re.findall(r"```toml\n(.*?)```", CONFIGURATION, re.DOTALL)
    assert examples
    for example in examples:
        tomllib.loads(example)
        (tmp_path / "a.toml").write_text(example)
        assert load_settings(config=tmp_path / "a.toml", environ={}).port == 8080


def routes() -> set[str]:
    """The paths of the blueprint, as they are written in the docs."""
    app = Flask("docs", static_folder=None)
    BokehServer(app, database="sqlite://")
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    return {rule for rule in rules if "rest>" not in rule and "static" not in rule}


@pytest.mark.parametrize("route", sorted(routes()))
def test_every_route_is_documented(route: str) -> None:
    """The table of the HTTP interface has every path."""
    names = {"<typename>": "<type>"}
    for name, written in names.items():
        route = route.replace(name, written)
    table = INTERNALS.replace("[", "").replace("]", "")
    last = route.rstrip("/").rsplit("/", 1)[-1]
    found = route in table or (f"/{last}`" in table or f"`/{last}" in table or f"/{last}," in table)
    assert found, f"{route} is not in docs/internals.md"


def close_codes() -> set[int]:
    """Every number in the sockets' code that is a WebSocket close code."""
    codes = set()
    for name, path in find_modules().items():
        if name.startswith("bokeh_server.sockets"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and type(node.value) is int:
                    codes.add(node.value)
    return {code for code in codes if 1000 <= code < 1016 or 4000 <= code < 4010}


def test_every_close_code_is_documented() -> None:
    """Whoever reads a log finds each code in both tables, except the one never on the wire."""
    for code in close_codes() - {1005}:
        assert re.search(rf"\b{code}\b", INTERNALS), code
        assert f"| {code} |" in DOCS["deploying.md"], code


def test_every_error_code_is_a_word_of_its_own() -> None:
    """JSON answers tell kinds of errors apart: no two leaves of a status share code and status."""
    for name in errors.__all__:
        assert getattr(errors, name).code


def test_links_between_documents_lead_somewhere() -> None:
    """No file that a document refers to is missing."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_scripts_that_are_named_exist_and_run() -> None:
    """Every script of CONTRIBUTING is there and executable; shell scripts have no syntax errors."""
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"^(?:scripts|\.ci)/[\w-]+", contributing, re.MULTILINE))
    assert named >= {"scripts/quickstart", "scripts/test", "scripts/lint", ".ci/run"}
    for name in named:
        path = ROOT / name
        assert path.stat().st_mode & 0o111, name
        if path.read_text("utf-8").startswith("#!/usr/bin/env bash"):
            subprocess.run(["bash", "-n", str(path)], check=True)


def test_the_code_of_the_readme_compiles() -> None:
    """Python examples are Python, and what they import from us exists."""
    import importlib

    for text in (README, *DOCS.values()):
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            if "class " in block or "->" in block or "@dataclass" in block:
                continue  # the contracts in internals.md are not code
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith("bokeh_server"):
                    module = importlib.import_module(str(node.module))
                    assert all(hasattr(module, alias.name) for alias in node.names), block
