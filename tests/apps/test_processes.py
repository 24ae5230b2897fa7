"""Two whole servers, where a page comes from one and its socket reaches the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from support.app_client import app_socket, open_app_page
from support.server import running_server

pytest.importorskip("gevent", reason="gevent is not installed: pip install gevent")

MAIN = """
import os
from bokeh.io import curdoc
from bokeh.models import Div

context = curdoc().session_context
asked = context.request.arguments["name"][0].decode()
agent = context.request.headers["User-Agent"]
said = context.token_payload["said"]
curdoc().add_root(Div(name="asked", text=f"{asked} {agent} {said} {os.environ['WHICH']}"))
curdoc().add_root(Div(name="id", text=context.id))
"""
HOOKS = """
def process_request(request):
    return {"said": "by the hook of " + request.arguments["name"][0].decode()}
"""


def test_a_socket_that_reaches_another_process_finds_the_pages_request(tmp_path: Path) -> None:
    """The token has in it what the session is made of; a stranger's key is not taken."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text(MAIN)
    (folder / "app_hooks.py").write_text(HOOKS)
    key = {"BOKEH_SERVER_SECRET_KEY": "the same key for both of these servers"}
    options = (str(folder), "--session-ids", "signed")
    with (
        running_server(*options, env={**key, "WHICH": "first"}) as first,
        running_server(*options, env={**key, "WHICH": "second"}) as second,
    ):
        url, other = f"{first.url}/app", f"{second.url}/app"
        headers = {"User-Agent": "Browser/1"}
        token = open_app_page(f"{url}?name=ada", headers=headers)
        with app_socket(url, token) as near, app_socket(other, token) as far:
            asked = "ada Browser/1 by the hook of ada"
            assert near.text_of("asked") == f"{asked} first"
            assert far.text_of("asked") == f"{asked} second"
            assert far.text_of("id") == near.text_of("id")
            assert far.opened != near.opened, "a page can tell that it is another session"
        forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
        with pytest.raises(InvalidStatus, match="403"), app_socket(other, forged):
            pass
