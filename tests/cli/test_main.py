"""The entry of the command: when gevent takes over the standard library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bokeh_server import parsers
from bokeh_server.cli.commands import bokeh_server
from bokeh_server.cli.main import FLAGS, SUBCOMMANDS, serves
from bokeh_server.cli.options import NOT_OPTIONS
from bokeh_server.config import Settings


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", True),
        ("--port 5007", True),
        ("--data-dir docs", True),
        ("--database config --debug", True),
        ("--url-prefix=docs", True),
        ("--debug docs list", False),
        ("--data-dir x docs list", False),
        ("--port=5 db upgrade", False),
        ("config", False),
        ("--help", False),
        ("--port 0 --version", False),
    ],
)
def test_only_a_server_is_patched(line: str, expected: bool) -> None:
    """A word that is an option's value is not taken for a subcommand."""
    assert serves(line.split()) is expected


def test_flags_and_subcommands_are_those_of_the_command() -> None:
    """The list that is needed before anything may be imported agrees with the real options."""
    flags = {each.option for each in Settings.declared().values() if each.parse is parsers.flag}
    assert {f"--{no}{flag[2:]}" for flag in flags for no in ("", "no-")} == FLAGS - {
        "--glob",
        "--use-xheaders",
    }
    assert set(bokeh_server.commands) == SUBCOMMANDS


def test_every_setting_is_an_option() -> None:
    """No setting lacks an option, but for the one that must not be in a list of processes."""
    options = {each.name for each in bokeh_server.params}
    assert set(Settings.declared()) - options == NOT_OPTIONS


def test_gevent_patches_before_anything_is_imported() -> None:
    """When the modules of a server are imported, their sockets and locks are gevent's."""
    script = (
        "import sys; sys.argv = ['bokeh-server', '--log-level', 'loud']\n"
        "before = set(sys.modules)\n"
        "from bokeh_server.cli.main import main\n"
        "early = {m for m in set(sys.modules) - before if not m.startswith('bokeh_server')}\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "from gevent import monkey\n"
        "assert monkey.is_module_patched('threading') and monkey.is_module_patched('socket')\n"
        "print(sorted(early & {'ssl', 'socket', 'threading', 'flask', 'click', 'sqlalchemy'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_version_and_module(tmp_path: Path) -> None:
    """``python -m bokeh_server --version`` names our release and Bokeh's."""
    command = [sys.executable, "-m", "bokeh_server", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.startswith("bokeh-server 0.")
    assert "(bokeh 3." in done.stdout
