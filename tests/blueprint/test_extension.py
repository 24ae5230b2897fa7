"""The extension in somebody's app: settings, several apps, forks, the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from flask import Flask

from bokeh_server.blueprint import BokehServer, State
from bokeh_server.errors import ConfigurationError


def state_of(app: Flask) -> State:
    """The state of the extension in an app."""
    state: State = app.extensions["bokeh_server"]
    return state


def test_importing_and_adding_it_opens_and_starts_nothing(tmp_path: Path) -> None:
    """No database, thread or gevent before a request needs it."""
    code = """
import sys, threading
from flask import Flask
from bokeh_server import BokehServer
app = Flask("a")
BokehServer(app, data_dir=sys.argv[1])
assert threading.active_count() == 1
assert not {"gevent", "bokeh.models", "tornado", "bokeh_server.documents"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "data")], check=True, timeout=60)
    assert not (tmp_path / "data").exists()


def test_settings_come_from_keywords_then_config_then_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source is used where no better one says anything."""
    monkeypatch.setenv("BOKEH_SERVER_DATA_DIR", str(tmp_path / "environment"))
    monkeypatch.setenv("BOKEH_SERVER_MAX_BODY_SIZE", "1MB")
    monkeypatch.setenv("BOKEH_SERVER_URL_PREFIX", "environment")
    app = Flask("a")
    app.config["BOKEH_SERVER_URL_PREFIX"] = "config"
    app.config["BOKEH_SERVER_MAX_BODY_SIZE"] = "2MB"
    BokehServer(app, url_prefix="/keyword/")
    settings = state_of(app).settings
    assert settings.url_prefix == "/keyword"
    assert settings.max_body_size == 2 * 2**20
    assert settings.data_dir == tmp_path / "environment"


def test_a_setting_that_is_wrong_is_named() -> None:
    """Before anything is served."""
    with pytest.raises(ConfigurationError, match="max_body_size"):
        BokehServer(Flask("a"), max_body_size="much")
    with pytest.raises(ConfigurationError, match="no setting"):
        BokehServer(Flask("a"), prefix="/x")


def test_one_app_takes_it_once(tmp_path: Path) -> None:
    """A second time is a mistake, and says so."""
    app = Flask("a")
    BokehServer(app, data_dir=tmp_path)
    with pytest.raises(ConfigurationError, match="already has one"):
        BokehServer(app, data_dir=tmp_path, url_prefix="/other")


def test_two_apps_have_nothing_in_common(tmp_path: Path) -> None:
    """Databases, prefixes and keys are each app's own; one extension may serve both."""
    server = BokehServer()
    apps = [Flask(name) for name in "ab"]
    for app in apps:
        app.config["BOKEH_SERVER_DATA_DIR"] = str(tmp_path / app.name)
        app.config["BOKEH_SERVER_URL_PREFIX"] = f"/{app.name}"
        server.init_app(app)
    a, b = (app.test_client() for app in apps)
    docid = a.post("/a/bokeh/doc/", json={"title": "mine"}).get_json()["docid"]
    assert b.get(f"/b/bokeh/doc/{docid}/").status_code == 404
    assert b.get("/a/bokeh/ping").status_code == 404
    assert state_of(apps[0]).secret != state_of(apps[1]).secret
    assert state_of(apps[0]).engine is not state_of(apps[1]).engine
    server.close()


def test_closing_is_for_good_and_may_be_repeated(tmp_path: Path) -> None:
    """What is stored is there for the next; the closed one says that it is closed."""
    first = Flask("a")
    server = BokehServer(first, data_dir=tmp_path)
    client = first.test_client()
    client.post("/bokeh/doc/", json={"title": "kept"})
    server.close()
    server.close()
    closed = client.get("/bokeh/userinfo/")
    assert closed.status_code == 503
    assert closed.get_json()["error"] == "unavailable"
    assert "this server was closed" in closed.get_json()["detail"]
    second = Flask("b")
    again = BokehServer(second, data_dir=tmp_path)
    docs = second.test_client().get("/bokeh/userinfo/").get_json()["docs"]
    assert [doc["title"] for doc in docs] == ["kept"]
    again.close()


def test_parts_are_made_once_however_many_ask(tmp_path: Path) -> None:
    """Requests that come together share one engine."""
    app = Flask("a")
    server = BokehServer(app, data_dir=tmp_path)
    engines: list[object] = []
    threads = [
        threading.Thread(target=lambda: engines.append(state_of(app).engine)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, engines))) == 1
    server.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_worker_makes_its_own_parts(tmp_path: Path) -> None:
    """A server that forks after the first request leaves no worker with its parent's threads."""
    code = """
import os, sys
from flask import Flask
from bokeh_server import BokehServer
app = Flask("a")
BokehServer(app, data_dir=sys.argv[1])
client = app.test_client()
docid = client.post("/bokeh/doc/", json={"title": "before"}).get_json()["docid"]
state = app.extensions["bokeh_server"]
engine = state.engine
child = os.fork()
if child == 0:
    assert state.engine is not engine
    made = client.post("/bokeh/doc/", json={"title": "in the worker"})
    titles = {doc["title"] for doc in client.get("/bokeh/userinfo/").get_json()["docs"]}
    state.close()
    os._exit(0 if titles == {"before", "in the worker"} else 3)
assert os.waitpid(child, 0)[1] == 0
assert state.engine is engine
assert client.get(f"/bokeh/doc/{docid}/").status_code == 200
"""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], check=True, timeout=60
    )


def test_an_error_of_ours_is_a_500_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says that it is the server's fault and where to look; details are in the log."""
    app = Flask("a")
    server = BokehServer(app, data_dir=tmp_path)

    def fail(*args: object) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(state_of(app).engine, "list", fail)
    answer = app.test_client().get("/bokeh/userinfo/")
    assert answer.status_code == 500
    assert answer.get_json()["error"] == "error"
    assert "1234" not in answer.get_data(as_text=True)
    server.close()
