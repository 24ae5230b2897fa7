"""Upgrades that are killed, and several at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bokeh_server.storage.schema import head_revision
from bokeh_server.storage.upgrade import current
from support.history import FILLERS
from support.revisions import check_kept, make_old

OLD = [revision for revision in FILLERS if revision != head_revision()]

#: kills an upgrade before the first of its statements that change something, before the second, …
#: and before its commit, until one runs to its end.
KILLER = """
import os, signal, sys
from sqlalchemy import Engine, event
from bokeh_server.storage.upgrade import current, upgrade
from support.revisions import count_rows

CHANGING = {"CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "COMMIT"}
url = sys.argv[1]
before = current(url), count_rows(url)

def attempt(at):
    def hear(_connection, _cursor=None, statement="COMMIT", *_):
        hear.seen += statement.split()[0] in CHANGING
        if hear.seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
    hear.seen = 0
    for name in ("before_cursor_execute", "commit"):
        event.listen(Engine, name, hear)
    upgrade(url)
    os._exit(0)

at = 0
while True:
    at += 1
    child = os.fork()
    if not child:
        attempt(at)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        break
    assert os.WIFSIGNALED(status), status
    assert (current(url), count_rows(url)) == before, at
print(at - 1)
"""

#: upgrades slowly, so that several meet.
SLOW = """
import sys, time
from sqlalchemy import Engine, event
from bokeh_server.storage.upgrade import upgrade
event.listen(Engine, "before_cursor_execute", lambda *_: time.sleep(0.02))
upgrade(sys.argv[1], print)
"""


def start(program: str, url: str) -> subprocess.Popen[str]:
    """Run a program of this module on a database."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""},
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What it printed."""
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    return out


@pytest.mark.parametrize("revision", OLD)
def test_a_killed_upgrade_changed_nothing(database_url: str, revision: str) -> None:
    """Killed before any of its statements or its commit, an upgrade can be run again."""
    documents = make_old(database_url, revision)
    kills = int(finish(start(KILLER, database_url)))
    assert kills > 10
    assert current(database_url) == head_revision()
    check_kept(database_url, documents)


@pytest.mark.parametrize("revision", OLD)
def test_several_may_upgrade_at_once(database_url: str, revision: str) -> None:
    """Of three processes that begin together one upgrades, the others wait and find it done."""
    documents = make_old(database_url, revision)
    processes = [start(SLOW, database_url) for _ in range(3)]
    said = [finish(process) for process in processes]
    assert sum("Upgraded from" in text or "already" in text for text in said) == 3
    check_kept(database_url, documents)
