"""``bokeh-server secret``: a new key, printed or put in the place of the server's."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from support.browser import Api
from support.command import run_command
from support.rawsocket import RawClient
from support.server import RunningServer, running_server


def test_a_key_is_printed(tmp_path: Path) -> None:
    """One line, another each time, and nothing is written anywhere."""
    said = [run_command(tmp_path, "secret") for _ in range(2)]
    assert [each.returncode for each in said] == [0, 0]
    keys = {each.stdout for each in said}
    assert len(keys) == 2
    assert all(len(key) > 60 and key.count("\n") == 1 for key in keys)
    assert list(tmp_path.iterdir()) == []


def test_a_given_key_is_changed_where_it_is_given(tmp_path: Path) -> None:
    """The command says where, writes no file that nobody would read, and tells no key."""
    done = run_command(tmp_path, "secret", "rotate", BOKEH_SERVER_SECRET_KEY="hush hush hush")
    assert done.returncode == 1
    assert "environment variable BOKEH_SERVER_SECRET_KEY" in done.stderr
    assert "former_secret_keys" in done.stderr
    assert "hush" not in done.stderr + done.stdout
    assert list(tmp_path.iterdir()) == []


def opens(server: RunningServer, docid: str, ticket: str) -> bool:
    """Whether a frame with this ticket gets a live connection."""
    headers: dict[str, str | None] = {
        "Origin": "null",
        "Sec-WebSocket-Protocol": f"bokeh, {ticket}",
    }
    with RawClient(server.port, f"/bokeh/doc/{docid}/ws", headers) as client:
        return client.status == 101


@pytest.mark.parametrize("grace", ["1", "0"])
def test_a_running_server_takes_up_the_new_key(tmp_path: Path, grace: str) -> None:
    """Pages that are open connect again during the grace and not without one.

    Whoever is logged in stays so either way: logins are in the database and need no key.
    """
    with running_server("-m", data_dir=tmp_path / "data") as server:
        api = Api(server.url)
        api.enter("ada")
        docid = api.make("kept")
        form = {"username": "ada", "password": "correct horse"}
        browser = requests.Session()
        where = {"Sec-Fetch-Site": "same-origin"}
        browser.post(f"{server.url}/bokeh/login", data=form, headers=where, timeout=30)
        path = f"{server.url}/bokeh/doc/{docid}/ticket?kind=frame"
        before = browser.get(path, timeout=30).json()["ticket"]
        done = run_command(
            tmp_path, "secret", "rotate", "--grace", grace, "--data-dir", str(server.data_dir)
        )
        assert done.returncode == 0, done.stderr
        answer = browser.get(path, timeout=30)
        assert answer.status_code == 200, "still logged in"
        assert opens(server, docid, answer.json()["ticket"])
        assert opens(server, docid, before) is (grace == "1")
        server.restart()
        assert browser.get(path, timeout=30).status_code == 200
        assert opens(server, docid, before) is (grace == "1")
        browser.close()
        api.close()
