"""The matrix of requests that pages of other sites can make."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from bokeh_server.blueprint import BokehServer
from bokeh_server.blueprint.foreign import (
    SAFE_METHODS,
    Names,
    check_reader,
    check_request,
    machine_names,
)

HOST = "plots.example.org"
OWN = f"http://{HOST}"
GIVEN = Names((HOST,))


def headers(host: str, origin: str | None = None, site: str | None = None) -> Headers:
    """What a request carries."""
    given = {"Host": host, "Origin": origin, "Sec-Fetch-Site": site}
    return Headers({name: value for name, value in given.items() if value is not None})


@pytest.mark.parametrize(
    ("origin", "fetch_site", "allowed"),
    [
        (None, None, True),
        (None, "", True),
        (None, "none", True),
        (None, "same-origin", True),
        (None, "same-site", False),
        (None, "cross-site", False),
        (None, "something new", False),
        (OWN, None, True),
        (OWN, "same-origin", True),
        (OWN + ":80", None, True),
        ("https://plots.example.org:80", None, True),
        # a proxy has ended TLS
        ("https://plots.example.org", None, True),
        ("https://plots.example.org:443", "same-origin", True),
        ("https://plots.example.org:8443", None, False),
        ("HTTP://PLOTS.example.ORG", None, True),
        (OWN + ":8080", None, False),
        ("http://evil.example", None, False),
        ("http://evil.example", "same-origin", False),
        ("http://plots.example.org.evil.example", None, False),
        ("http://evil-plots.example.org", None, False),
        ("http://example.org", "same-site", False),
        ("null", None, False),
        ("null", "cross-site", False),
        ("", None, False),
        ("file://", None, False),
        ("http://", None, False),
        ("plots.example.org", None, False),
        ("http://plots.example.org/path", None, False),
        ("http://plots.example.org:99999", None, False),
        ("http://[::1", None, False),
        ("chrome-extension://plots.example.org", None, False),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "ODD"])
def test_changes_only_from_pages_of_this_server(
    method: str, origin: str | None, fetch_site: str | None, allowed: bool
) -> None:
    """What changes something is taken from our pages and from programs, from nobody else."""
    decision = check_request(method, headers(HOST, origin, fetch_site), GIVEN)
    assert bool(decision) is allowed
    assert decision.reason


@pytest.mark.parametrize("method", sorted(SAFE_METHODS))
def test_whoever_may_look(method: str) -> None:
    """Requests that change nothing are not looked at: other sites cannot read the answers."""
    assert check_request(method, headers(HOST, "http://evil.example", "cross-site"), Names())


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("localhost:5006", "http://localhost:5006", True),
        ("localhost:5006", "http://localhost:5007", False),
        ("[::1]:5006", "http://[::1]:5006", True),
        ("127.0.0.1:5006", "http://localhost:5006", False),
        ("192.168.7.9:5006", "http://192.168.7.9:5006", True),
        ("", "http://localhost", False),
    ],
)
def test_ports_and_addresses_count(host: str, origin: str, allowed: bool) -> None:
    """Another port is another site, and so is another name of the same machine."""
    assert bool(check_request("POST", headers(host, origin), Names())) is allowed


@pytest.mark.parametrize(
    ("names", "origin", "allowed"),
    [
        (Names(), "http://plots.example.org:5006", False),
        (Names(("plots.example.org",)), "http://plots.example.org:5006", True),
        (Names(("*.example.org",)), "http://plots.example.org:5006", True),
        (Names(own=("plots.example.org",)), "http://plots.example.org:5006", True),
        # a name of ours is not a page of another port; an allowed page is named with its port
        (Names(own=("dashboard.corp",)), "http://dashboard.corp", False),
        (Names(("dashboard.corp",)), "http://dashboard.corp", True),
        (Names(("dashboard.corp:8080",)), "http://dashboard.corp:8080", True),
        (Names(("dashboard.corp",)), "http://evil.example", False),
    ],
)
def test_the_rule_of_the_sockets_holds_for_requests(
    names: Names, origin: str, allowed: bool
) -> None:
    """Pages that were allowed may write; one at our address whose name we were not told may not."""
    decision = check_request("DELETE", headers("plots.example.org:5006", origin), names)
    assert bool(decision) is allowed
    if not allowed:
        assert "--allow-websocket-origin" in decision.reason


@pytest.mark.parametrize(
    "sign",
    [
        {"Accept-Language": "en"},
        {"Accept-Language": ""},
        {"User-Agent": "Mozilla/5.0"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.example:5006"},
    ],
)
def test_a_browser_is_known_by_what_pages_cannot_leave_out(sign: dict[str, str]) -> None:
    """Under a name that may be another site's, only programs may look or change something."""
    asked = Headers({"Host": "evil.example:5006", **sign})
    assert not check_reader(asked, Names())
    assert not check_request("POST", asked, Names())
    assert check_reader(asked, Names(("evil.example:5006",)))
    script = Headers({"Host": "labserver:5006", "User-Agent": "curl/8.5.0", "Accept": "*/*"})
    assert check_reader(script, Names())
    assert check_request("POST", script, Names())


def test_what_this_machine_is_called() -> None:
    """Its own name, in full or short, and as its neighbours find it."""
    assert machine_names("lab.corp.example") == ("lab.corp.example", "lab", "lab.local")
    assert machine_names("lab") == ("lab", "lab", "lab.local")
    assert machine_names("") == ()


LISTS = ("/", "/bokeh/", "/bokeh/userinfo/", "/bokeh/doc/?title=stored")
BROWSER = {"Accept-Language": "en", "User-Agent": "Mozilla/5.0"}


def test_a_rebound_name_shows_and_changes_nothing(client: FlaskClient, docid: str) -> None:
    """A page of evil.example that points at us learns of no document, and can make none."""
    rebound = {"Host": "evil.example:5006", **BROWSER}
    for path in LISTS:
        answer = client.get(path, headers=rebound)
        assert answer.status_code == 403, path
        assert docid not in answer.get_data(as_text=True)
        assert "--allow-websocket-origin evil.example:5006" in answer.get_json()["detail"]
    own = {**rebound, "Origin": "http://evil.example:5006"}
    assert client.post("/bokeh/doc/", json={"title": "x"}, headers=own).status_code == 403
    assert client.delete(f"/bokeh/doc/{docid}/", headers=own).status_code == 403
    assert client.get(f"/bokeh/doc/{docid}/").status_code == 200


def test_scripts_and_pages_by_another_name(client: FlaskClient, docid: str) -> None:
    """In a network, programs do everything by any name; whoever was given a link can open it."""
    name = {"Host": "labserver:5006"}
    for path in LISTS:
        assert client.get(path, headers=name).status_code == 200
    assert client.post("/bokeh/doc/", json={"title": "x"}, headers=name).status_code == 201
    page = client.get(f"/bokeh/doc/{docid}/show", headers={**name, **BROWSER})
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("config", "overrides"),
    [
        ({"TRUSTED_HOSTS": ["plots.example.org"]}, {}),
        ({"TRUSTED_HOSTS": [".example.org"]}, {}),
        ({}, {"trusted_host": ["plots.example.org"]}),
        ({}, {"allow_websocket_origin": ["plots.example.org:5006"]}),
    ],
)
def test_a_host_app_says_what_it_is_called(
    tmp_path: Path, config: dict[str, object], overrides: dict[str, object]
) -> None:
    """By Flask's own setting or by one of ours."""
    app = Flask("host")
    app.config.update(config)
    server = BokehServer(app, data_dir=tmp_path, **overrides)
    client = app.test_client()
    named = {"Host": "plots.example.org:5006", **BROWSER}
    own = {**named, "Origin": "http://plots.example.org:5006"}
    made = client.post("/bokeh/doc/", json={"title": "x"}, headers=own)
    assert made.status_code == 201
    assert client.get("/bokeh/", headers=named).status_code == 200
    assert client.get(f"/bokeh/doc/{made.json['docid']}/ticket", headers=named).status_code == 200
    rebound = {"Host": "evil.example:5006", **BROWSER}
    assert client.get("/bokeh/", headers=rebound).status_code in (400, 403)
    server.close()
