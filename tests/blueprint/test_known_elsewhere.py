"""People whom a proxy or the host app knows: sharing with them, their tokens, disabling them."""

from __future__ import annotations

import timeit
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server.blueprint import BokehServer
from bokeh_server.blueprint.state import EXTENSION

HEADER = "X-Forwarded-User"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """An app behind a proxy that says who people are; closed afterwards."""
    found = Flask("host")
    database = f"sqlite:///{tmp_path / 'bokeh.sqlite'}"
    server = BokehServer(
        found,
        data_dir=tmp_path,
        database=database,
        multi_user=True,
        user_header=HEADER,
        trusted_proxies=1,
    )
    yield found
    server.close()


def known_as(app: Flask, name: str) -> FlaskClient:
    """A browser, or a script, of somebody behind the proxy."""
    client = app.test_client()
    client.environ_base[f"HTTP_{HEADER.upper().replace('-', '_')}"] = name
    return client


def new_document(client: FlaskClient) -> str:
    """Make an empty document."""
    return str(client.post("/bokeh/doc/", json={"title": "line"}).get_json()["docid"])


def test_a_right_for_somebody_who_was_never_here(app: Flask) -> None:
    """They have it when they come, and no name that nobody can have is made somebody."""
    ada, grace = known_as(app, "ada"), known_as(app, "grace")
    docid = new_document(ada)
    grants = f"/bokeh/doc/{docid}/grants"
    assert grace.get(f"/bokeh/doc/{docid}/").status_code == 404
    assert ada.put(f"{grants}/Grace", json={"role": "viewer"}).status_code == 200
    assert grace.get(f"/bokeh/doc/{docid}/").status_code == 200
    for name in ("defaultuser", "x" * 256, "a%00b"):
        assert ada.put(f"{grants}/{name}", json={"role": "viewer"}).status_code == 404
    assert [each["username"] for each in ada.get(grants).get_json()["grants"]] == ["grace"]


def test_tokens_beside_another_login(app: Flask) -> None:
    """They are made, listed and revoked where there is no login page, by their owner alone."""
    ada, grace = known_as(app, "ada"), known_as(app, "grace")
    made = ada.post("/bokeh/account/tokens", json={"title": "laptop"})
    assert made.status_code == 200
    by_token = {"Authorization": f"Bearer {made.get_json()['token']}"}
    script = app.test_client()
    assert script.get("/bokeh/userinfo/", headers=by_token).get_json()["username"] == "ada"
    (token,) = ada.get("/bokeh/account/tokens").get_json()["tokens"]
    assert token["title"] == "laptop"
    assert grace.delete(f"/bokeh/account/tokens/{token['id']}").status_code == 404
    assert ada.delete(f"/bokeh/account/tokens/{token['id']}").status_code == 204
    assert script.get("/bokeh/userinfo/", headers=by_token).status_code == 401


def test_who_is_disabled_is_nobody_though_the_proxy_knows_them(app: Flask) -> None:
    """Until they are enabled again; to ask that of every request costs microseconds."""
    ada, accounts = known_as(app, "ada"), app.extensions[EXTENSION].accounts
    docid = new_document(ada)
    accounts.disable("ada", True)
    assert ada.get("/bokeh/userinfo/").status_code == 401
    assert ada.get(f"/bokeh/doc/{docid}/").status_code == 404
    accounts.disable("ada", False)
    assert ada.get(f"/bokeh/doc/{docid}/").status_code == 200
    assert timeit.timeit(lambda: accounts.is_disabled("ada"), number=1000) / 1000 < 20e-6
