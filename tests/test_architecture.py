"""The rooms and what each may import: the table of docs/internals.md, enforced."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from support.modules import LINKED, PACKAGE, ROOT, find_modules

MOST_LINES = 450

#: the standard library, and the types of WSGI that only type checkers know.
STANDARD = frozenset(sys.stdlib_module_names) | {"_typeshed"}
BASE = {
    "bokeh_server.errors",
    "bokeh_server.blocking",
    "bokeh_server.crew",
    "bokeh_server.readable",
    "bokeh_server.remembered",
    "bokeh_server.sites",
    "bokeh_server.tags",
}

#: modules of the blueprint that its rooms build on.
FLOOR = {
    f"bokeh_server.blueprint.{name}"
    for name in (
        "assets",
        "bodies",
        "followed",
        "foreign",
        "rendering",
        "sock",
        "state",
        "static_files",
        "usercontent",
        "wishes",
    )
}

#: room -> what its modules may import besides themselves and the standard library.
#: A name allows the module and everything in it.
ALLOWED: dict[str, set[str]] = {
    "bokeh_server": {
        "bokeh_server.apps",
        "bokeh_server.blueprint",
        "bokeh_server.client",
        "bokeh_server.cli.main",
        "bokeh_server.serving",
    },
    "bokeh_server.errors": set(),
    "bokeh_server.blocking": set(),
    "bokeh_server.crew": set(),
    "bokeh_server.remembered": {"bokeh_server.errors"},
    "bokeh_server.sites": {"bokeh_server.errors"},
    "bokeh_server.readable": set(),
    "bokeh_server.tags": set(),
    "bokeh_server.unsent": set(),
    "bokeh_server.secret_keys": {"bokeh_server.errors"},
    "bokeh_server.parsers": set(),
    "bokeh_server.app_settings": {"bokeh_server.parsers"},
    "bokeh_server.config": {
        "bokeh_server.app_settings",
        "bokeh_server.errors",
        "bokeh_server.parsers",
    },
    "bokeh_server.permissions": {"bokeh_server.errors"},
    "bokeh_server.protocol": BASE | {"numpy", "orjson"},
    "bokeh_server.channels": BASE | {"bokeh_server.protocol", "psycopg", "redis"},
    "bokeh_server.storage": BASE
    | {"bokeh_server.permissions", "bokeh_server.migrations", "sqlalchemy", "alembic"},
    "bokeh_server.migrations": BASE | {"bokeh_server.storage", "sqlalchemy", "alembic"},
    "bokeh_server.accounts": BASE
    | {"bokeh_server.permissions", "bokeh_server.storage", "argon2"},
    "bokeh_server.documents": BASE
    | {
        "bokeh_server.permissions",
        "bokeh_server.protocol",
        "bokeh_server.channels",
        "bokeh_server.storage",
        "orjson",
    },
    "bokeh_server.sockets": BASE
    | {
        "bokeh_server.channels",
        "bokeh_server.permissions",
        "bokeh_server.protocol",
        "gevent",
        "orjson",
        "wsproto",
    },
    "bokeh_server.apps": BASE
    | {
        "bokeh_server.channels",
        "bokeh_server.protocol",
        "bokeh_server.sockets",
        "bokeh",
        "orjson",
    },
    "bokeh_server.greenlets": {"gevent"},
    "bokeh_server.app_worker": {
        "bokeh_server.apps",
        "bokeh_server.errors",
        "bokeh_server.greenlets",
        "gevent",
    },
    "bokeh_server.blueprint": BASE
    | {
        "bokeh_server.apps",
        "bokeh_server.config",
        "bokeh_server.permissions",
        "bokeh_server.protocol",
        "bokeh_server.secret_keys",
        "bokeh_server.channels",
        "bokeh_server.storage",
        "bokeh_server.documents",
        "bokeh_server.accounts",
        "bokeh_server.sockets",
        "bokeh",
        "PIL",
        "brotli",
        "flask",
        "flask_sock",
        "werkzeug",
        "jinja2",
        "markupsafe",
        "itsdangerous",
        "orjson",
        "tornado",
    },
    "bokeh_server.blueprint.people": BASE
    | FLOOR
    | {
        "bokeh_server.accounts",
        "bokeh_server.apps",
        "bokeh_server.config",
        "bokeh_server.documents",
        "bokeh_server.permissions",
        "bokeh_server.sockets",
        "bokeh_server.storage",
        "flask",
        "tornado",
        "werkzeug",
    },
    "bokeh_server.blueprint.documents": BASE
    | FLOOR
    | {
        "bokeh_server.blueprint.people",
        "bokeh_server.channels",
        "bokeh_server.documents",
        "bokeh_server.permissions",
        "bokeh_server.protocol",
        "bokeh_server.sockets",
        "bokeh_server.storage",
        "PIL",
        "flask",
        "orjson",
        "werkzeug",
    },
    "bokeh_server.blueprint.applications": BASE
    | FLOOR
    | {
        "bokeh_server.apps",
        "bokeh_server.blueprint.people",
        "bokeh_server.config",
        "bokeh_server.permissions",
        "bokeh_server.sockets",
        "bokeh_server.storage",
        "bokeh",
        "flask",
        "jinja2",
        "werkzeug",
    },
    "bokeh_server.client": BASE
    | {
        "bokeh_server.protocol",
        "bokeh",
        "numpy",
        "orjson",
        "pandas",
        "requests",
        "wsproto",
        "IPython",
    },
    "bokeh_server.httpd": {"bokeh_server.unsent", "gevent", "werkzeug"},
    "bokeh_server.serving": BASE
    | {
        "bokeh_server.apps",
        "bokeh_server.blueprint",
        "bokeh_server.config",
        "bokeh_server.httpd",
        "bokeh_server.unsent",
        "bokeh",
        "flask",
        "werkzeug",
    },
    "bokeh_server.server": BASE
    | {
        "bokeh_server.apps",
        "bokeh_server.blueprint",
        "bokeh_server.config",
        "bokeh_server.httpd",
        "bokeh_server.serving",
        "bokeh",
        "click",
        "flask",
        "gevent",
        "werkzeug",
    },
    "bokeh_server.cli": BASE
    | {
        "bokeh_server.apps",
        "bokeh",
        "bokeh_server.config",
        "bokeh_server.parsers",
        "bokeh_server.permissions",
        "bokeh_server.protocol",
        "bokeh_server.documents",
        "bokeh_server.accounts",
        "bokeh_server.greenlets",
        "bokeh_server.secret_keys",
        "bokeh_server.server",
        "bokeh_server.storage",
        "click",
        "gevent",
        "orjson",
    },
}  # fmt: skip
#: what scripts import is the client under other names.
CLIENT_FACES = {"bokeh_server.plotting", "bokeh_server.embed", "bokeh_server.io"}
ALLOWED["bokeh_server.client"] |= CLIENT_FACES
#: everybody may know our version.
VERSION = "bokeh_server.__version__"

#: module -> packages that importing it must not load.
NOT_LOADED = {
    "bokeh_server": "flask gevent tornado sqlalchemy bokeh numpy",
    "bokeh_server.errors": "flask gevent tornado sqlalchemy bokeh numpy orjson",
    "bokeh_server.config": "flask gevent tornado sqlalchemy bokeh numpy orjson platformdirs",
    "bokeh_server.permissions": "flask gevent tornado sqlalchemy bokeh numpy orjson",
    "bokeh_server.protocol": "flask gevent tornado sqlalchemy bokeh wsproto",
    "bokeh_server.channels": "flask gevent tornado sqlalchemy bokeh psycopg redis",
    "bokeh_server.documents": "flask gevent tornado bokeh",
    "bokeh_server.accounts": "flask gevent tornado bokeh numpy",
    "bokeh_server.storage": "flask gevent tornado bokeh numpy",
    "bokeh_server.sockets": "flask gevent tornado sqlalchemy bokeh flask_sock",
    "bokeh_server.apps": "flask gevent tornado sqlalchemy",
    "bokeh_server.client": "flask gevent sqlalchemy alembic click",
    "bokeh_server.plotting": "flask gevent sqlalchemy alembic click",
    "bokeh_server.embed": "flask gevent sqlalchemy alembic click",
    "bokeh_server.serving": "gevent bokeh.document",
    "bokeh_server.server": "tornado bokeh.document bokeh.models",
    "bokeh_server.blueprint": "gevent tornado click.testing",
    "bokeh_server.cli.commands": "flask gevent tornado sqlalchemy bokeh",
}


MODULES = find_modules()


def room_of(module: str) -> str:
    """The longest row of the table that a module belongs to."""
    if module in CLIENT_FACES:
        return "bokeh_server.client"
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    room = next((name for name in names if name in ALLOWED), "")
    top_level = room == PACKAGE and module not in {PACKAGE, f"{PACKAGE}.__main__"}
    assert room, f"{module} belongs to no room: add it to the table"
    assert not top_level, f"{module} belongs to no room: add it to the table"
    return room


def imports(path: Path) -> list[tuple[int, str]]:
    """Line and full name of everything a module imports, wherever in it the import stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def may_import(room: str, name: str) -> bool:
    """Whether the table lets a room import a name."""
    inside = (room, *ALLOWED[room]) if room != PACKAGE else ALLOWED[room]
    if name.split(".")[0] in STANDARD or name == VERSION:
        return True
    return any(name == each or name.startswith(f"{each}.") for each in inside)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    """The import directions of the design hold for every import, local ones included."""
    room = room_of(module)
    wrong = [
        f"line {line}: {name}"
        for line, name in imports(MODULES[module])
        if not may_import(room, name) and not _is_package_of(name, room)
    ]
    assert not wrong, f"{module} (room {room}) may not import: {wrong}"


def _is_package_of(name: str, room: str) -> bool:
    """``from bokeh_server import parsers`` names a module of an allowed room."""
    return any(name == each for each in ALLOWED[room])


@pytest.mark.parametrize("module", sorted(NOT_LOADED))
def test_a_low_room_loads_nothing_heavy(module: str) -> None:
    """Imported in a fresh interpreter, a room loads no package it must work without."""
    forbidden = NOT_LOADED[module].split()
    script = f"import sys, {module}; print(*[m for m in {forbidden} if m in sys.modules])"
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_is_too_long(module: str) -> None:
    """A module is split by subject before it gets too long to keep in mind."""
    lines = len(MODULES[module].read_text("utf-8").splitlines())
    assert lines <= MOST_LINES, f"{module} has {lines} lines"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_is_left_unfinished(module: str) -> None:
    """No marker of unfinished work, and annotations are never evaluated at import."""
    text = MODULES[module].read_text("utf-8")
    for word in ("TODO", "FIXME", "XXX", "NotImplementedError", "breakpoint("):
        assert word not in text, word
    if text.strip() and module != "bokeh_server.__main__":
        body = ast.parse(text).body
        if any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in body):
            assert "from __future__ import annotations" in text


def test_the_links_are_there_and_lead_to_the_rooms() -> None:
    """Python, mypy and editors see one tree: the three folders are linked into the package."""
    for name in LINKED:
        link = ROOT / PACKAGE / name
        assert link.is_symlink(), name
        assert os.readlink(link) == f"../{name}"


def test_setup_cfg_lists_exactly_the_packages_there_are() -> None:
    """A folder that is not listed would be left out of the wheel without a word."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = config["options"]["packages"].split()
    there = sorted(name for name, path in MODULES.items() if path.name == "__init__.py")
    assert listed == there
    mapping = dict(
        line.split(" = ") for line in config["options"]["package_dir"].strip().splitlines()
    )
    assert mapping == {f"{PACKAGE}.{name}": name for name in LINKED}


def test_the_table_names_only_rooms_that_exist() -> None:
    """A row for a module that is gone would allow what nobody needs."""
    assert set(ALLOWED) <= set(MODULES)
