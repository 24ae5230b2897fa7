"""Registering, logging in and out over HTTP: cookies, forms, JSON, and what pages may not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server.blueprint import BokehServer
from bokeh_server.blueprint.people.form_pages import local_address
from bokeh_server.errors import ConfigurationError

ADA = {"username": "ada", "password": "correct horse"}
OURS = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
COOKIE = "bokeh-server-login"


def make(tmp_path: Path, **settings: Any) -> tuple[Flask, BokehServer]:
    """An app with accounts."""
    app = Flask("host")
    database = f"sqlite:///{tmp_path / 'bokeh.sqlite'}"
    return app, BokehServer(app, data_dir=tmp_path, database=database, multi_user=True, **settings)


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Flask]:
    """An app with accounts; closed afterwards."""
    app, server = make(tmp_path)
    yield app
    server.close()


def enter(client: FlaskClient, way: str = "register", **more: str) -> Any:
    """Send a form as a page of ours does."""
    return client.post(f"/bokeh/{way}", data={**ADA, **more}, headers=OURS)


def name_of(client: FlaskClient) -> str | None:
    """Who the server takes a browser for."""
    answer = client.get("/bokeh/userinfo/")
    return answer.get_json()["username"] if answer.status_code == 200 else None


def test_a_browser_is_logged_in_until_it_logs_out(people: Flask) -> None:
    """Its cookie is for the server alone; what it held is good for nothing afterwards."""
    client = people.test_client()
    answer = enter(client, next="/bokeh/account")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/bokeh/account")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert name_of(client) == "ada"
    secret = client.get_cookie(COOKIE)
    assert secret is not None
    assert client.post("/bokeh/logout", headers=OURS).status_code == 200
    assert name_of(client) is None
    client.set_cookie(COOKIE, secret.value)
    assert name_of(client) is None


def test_over_https_no_other_host_can_set_the_cookie(people: Flask) -> None:
    """There it is Secure and has the prefix that keeps it to this host and its root."""
    client = people.test_client()
    form = {"data": ADA, "headers": OURS, "base_url": "https://localhost/"}
    cookie = client.post("/bokeh/register", **form).headers["Set-Cookie"]
    assert cookie.startswith(f"__Host-{COOKIE}=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert "Domain" not in cookie


def test_https_is_believed_of_a_trusted_proxy_alone(people: Flask) -> None:
    """A header that anybody may send makes no cookie Secure, and none without it."""
    headers = {**OURS, "X-Forwarded-Proto": "https"}
    answer = people.test_client().post("/bokeh/register", data=ADA, headers=headers)
    assert "Secure" not in answer.headers["Set-Cookie"]


def test_a_login_is_a_new_one(people: Flask) -> None:
    """What somebody planted before the login is not what is logged in, and ends what was."""
    client = people.test_client()
    client.set_cookie(COOKIE, "planted" * 6)
    enter(client)
    first = client.get_cookie(COOKIE)
    assert first is not None
    assert first.value != "planted" * 6
    enter(client, "login")
    second = client.get_cookie(COOKIE)
    assert second is not None
    other = people.test_client()
    other.set_cookie(COOKIE, first.value)
    assert (name_of(other), name_of(client)) == (None, "ada")


def test_two_cookies_of_the_name_are_none(people: Flask) -> None:
    """One of them was planted by another host of the site, and nobody knows which."""
    client = people.test_client()
    enter(client)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    header = f"{COOKIE}={cookie.value}; {COOKIE}=other"
    alone = people.test_client(use_cookies=False)
    for value, status in ((f"{COOKIE}={cookie.value}", 200), (header, 401)):
        answer = alone.get("/bokeh/userinfo/", headers={"Cookie": value})
        assert answer.status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_a_page_of_another_origin_is_nobody(people: Flask, headers: dict[str, str]) -> None:
    """Even where its browser sends the cookie, what it reads is what nobody may read."""
    client = people.test_client()
    enter(client)
    assert client.get("/bokeh/userinfo/", headers=headers).status_code in (401, 403)


@pytest.mark.parametrize("way", ["login", "register", "logout"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost"}, 303),
    ],
)
def test_no_other_site_logs_anybody_in_or_out(
    people: Flask, way: str, headers: dict[str, str], status: int
) -> None:
    """A form of another site is refused, so nobody works in somebody else's account."""
    client = people.test_client()
    enter(client)
    form = {**ADA, "username": "ada" if way == "login" else "bob"}
    answer = client.post(f"/bokeh/{way}", data=form, headers=headers)
    assert answer.status_code == status
    assert (name_of(client) == "ada") is (status == 403 or way == "login")


def test_a_form_of_no_page_logs_nobody_in(people: Flask) -> None:
    """Browsers say where a form comes from; who does not is no browser and gets no cookie."""
    answer = people.test_client().post("/bokeh/register", data=ADA)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


LOCAL = ["/", "/bokeh/", "/bokeh/doc/a/show?public=true", "/plots/bokeh/", "/a%20b", "/a?next=//x"]
ELSEWHERE = [
    "", "x", "bokeh/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "http://evil.example", "https:evil.example", "javascript:alert(1)", "HTTP://evil.example",
    "/\t/evil.example", "/\n/evil.example", " /bokeh/", "/bokeh/\r\nSet-Cookie: a=b", "/\x00",
    "data:text/html,x", "/ /evil.example", "/bokeh/\u2028", "/" + "a" * 3000, "@evil.example",
    "%2f%2fevil.example", "/\\/evil.example", "\t//evil.example",
]  # fmt: skip


@pytest.mark.parametrize("given", ELSEWHERE)
def test_nobody_is_led_elsewhere(people: Flask, given: str) -> None:
    """After the login every address that might be of another site leads to the documents."""
    assert local_address(given) is None
    answer = enter(people.test_client(), next=given)
    assert answer.headers["Location"] == "/bokeh/"


@pytest.mark.parametrize("given", LOCAL)
def test_people_come_back_to_where_they_were(people: Flask, given: str) -> None:
    """An address of ours is gone to after the login."""
    assert enter(people.test_client(), next=given).headers["Location"] == given


def test_a_page_that_takes_a_login_leads_there_and_back(people: Flask) -> None:
    """Whether the document is there or not: nobody learns that from where they are sent."""
    client = people.test_client()
    for path in ("/bokeh/", "/bokeh/account", "/bokeh/doc/nothing/show?public=true"):
        answer = client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 302
        login = answer.headers["Location"]
        assert login.startswith("/bokeh/login?next=%2Fbokeh%2F")
        page = client.get(login, headers={"Accept": "text/html"}).get_data(as_text=True)
        assert f'name="next" value="{path}"' in page


def test_what_was_wrong_is_said_on_the_page(people: Flask) -> None:
    """The form comes back with what was typed, but never the password, and nothing is markup."""
    client = people.test_client()
    bad = {"username": '"><script>x</script>', "password": "very secret word"}
    answer = client.post("/bokeh/login", data=bad, headers=OURS)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 401
    assert "The name or the password is wrong" in page
    assert "very secret word" not in page
    assert "<script>x" not in page
    assert answer.headers["Cache-Control"] == "private, no-store"
    policy = answer.headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy


def test_a_small_token_ends_itself_alone(people: Flask) -> None:
    """One that may only read sees no other tokens, revokes none, and may be given up."""
    client = people.test_client()
    enter(client)
    for scope in ("own", "read"):
        client.post("/bokeh/account/tokens", json={"title": scope, "scope": scope})
    found = client.get("/bokeh/account/tokens").get_json()["tokens"]
    ids = {each["title"]: each["id"] for each in found}
    small = client.post(
        "/bokeh/account/tokens", json={"title": "small", "scope": "read"}
    ).get_json()
    script, headers = people.test_client(), {"Authorization": f"Bearer {small['token']}"}
    assert script.get("/bokeh/account/tokens", headers=headers).status_code == 403
    assert script.get("/bokeh/account", headers=headers).status_code == 403
    for other in ids.values():
        answer = script.delete(f"/bokeh/account/tokens/{other}", headers=headers)
        assert answer.status_code == 403
    own = small["token"].removeprefix("bks_").partition("_")[0]
    assert script.delete(f"/bokeh/account/tokens/{own}", headers=headers).status_code == 204
    assert script.get("/bokeh/userinfo/", headers=headers).status_code == 401
    left = client.get("/bokeh/account/tokens").get_json()["tokens"]
    assert {each["title"] for each in left} == {"own", "read"}


def test_scripts_get_a_token(people: Flask) -> None:
    """JSON is answered with a token, and with no cookie."""
    client = people.test_client()
    answer = client.post("/bokeh/register", json=ADA)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    token = answer.get_json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/bokeh/userinfo/", headers=headers).get_json()["username"] == "ada"
    token_id = client.get("/bokeh/account/tokens", headers=headers).get_json()["tokens"][0]["id"]
    assert token_id in token
    assert client.delete(f"/bokeh/account/tokens/{token_id}", headers=headers).status_code == 204
    assert client.get("/bokeh/userinfo/", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": None, "password": None},
        {"username": ["ada"], "password": {"a": 1}},
        {"username": "ada\x00", "password": "correct horse"},
        {"username": "a" * 300, "password": "correct horse"},
        {"username": "ada", "password": "a" * 10_000},
        {"username": "defaultuser", "password": "correct horse"},
        {"username": "ada", "password": "short"},
    ],
)
def test_what_is_no_account_is_refused(people: Flask, body: dict[str, object]) -> None:
    """Anything may come as a name and a password; the answer is a clear 4xx."""
    client = people.test_client()
    assert client.post("/bokeh/register", json=body).status_code == 400
    assert client.post("/bokeh/login", json=body).status_code == 401


def test_too_many_tries_are_told_when_to_come_again(people: Flask) -> None:
    """After ten wrong passwords the right one has to wait as well; another name has not."""
    client = people.test_client()
    enter(client)
    client.post("/bokeh/register", json={**ADA, "username": "bob"})
    wrong = {**ADA, "password": "wrong password"}
    statuses = [client.post("/bokeh/login", json=wrong).status_code for _ in range(10)]
    assert statuses == [401] * 10
    answer = client.post("/bokeh/login", json=ADA)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert client.post("/bokeh/login", json={**ADA, "username": "bob"}).status_code == 200


def test_changing_the_password_ends_other_logins(people: Flask) -> None:
    """The browser that does it stays logged in; every other one is nobody at once."""
    here, there = people.test_client(), people.test_client()
    enter(here)
    enter(there, "login")
    new = {"current": "correct horse", "password": "battery staple"}
    wrong = {**new, "current": "wrong horse"}
    assert here.post("/bokeh/account/password", data=wrong, headers=OURS).status_code == 401
    assert name_of(there) == "ada"
    assert here.post("/bokeh/account/password", data=new, headers=OURS).status_code == 303
    assert (name_of(here), name_of(there)) == ("ada", None)
    assert there.post("/bokeh/login", json=ADA).status_code == 401


def test_invitations(tmp_path: Path) -> None:
    """A code lets one person register, once."""
    app, server = make(tmp_path, registration="invitation")
    with app.app_context():
        from datetime import timedelta

        code = app.extensions["bokeh_server"].accounts.invite(timedelta(days=1))
    client = app.test_client()
    page = client.get("/bokeh/register", headers={"Accept": "text/html"}).get_data(as_text=True)
    assert 'name="invitation"' in page
    for invitation, status in (("", 403), ("x", 403), (code, 200), (code, 403)):
        body = {"username": f"ada{status}", "password": "correct horse", "invitation": invitation}
        assert client.post("/bokeh/register", json=body).status_code == status
    server.close()


def test_nobody_registers_where_that_is_closed(tmp_path: Path) -> None:
    """The page says so, and so does the answer."""
    app, server = make(tmp_path, registration="closed")
    client = app.test_client()
    assert client.post("/bokeh/register", json=ADA).status_code == 403
    page = client.get("/bokeh/register", headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "takes no new accounts" in page
    server.close()


def test_a_proxy_says_who_people_are(tmp_path: Path) -> None:
    """Behind a trusted proxy its header is believed, two of them are not; there are no forms."""
    app, server = make(tmp_path, user_header="X-Forwarded-User", trusted_proxies=1)
    client = app.test_client()
    headers = [("X-Forwarded-User", "Ada")]
    found = client.get("/bokeh/userinfo/", headers=headers).get_json()
    assert found["username"] == "ada"
    twice = [*headers, ("X-Forwarded-User", "bob")]
    for given in ([], twice, [("X-Forwarded-User", "defaultuser")]):
        assert client.get("/bokeh/userinfo/", headers=given).status_code == 401
    assert client.post("/bokeh/register", json=ADA).status_code == 404
    server.close()


def test_an_app_says_who_people_are(tmp_path: Path) -> None:
    """A host app with its own login gives the name, and ours is not asked for."""
    names: list[str | None] = ["ada", None]
    app, server = make(tmp_path, current_user=lambda: names[0])
    client = app.test_client()
    assert client.get("/bokeh/userinfo/").get_json()["username"] == "ada"
    names.pop(0)
    assert client.get("/bokeh/userinfo/").status_code == 401
    assert client.get("/bokeh/login").status_code == 404
    server.close()


def test_settings_by_which_anybody_is_anybody_are_refused(tmp_path: Path) -> None:
    """A header that no proxy guards, and a hook that nothing asks."""
    with pytest.raises(ConfigurationError, match="no proxy"):
        make(tmp_path, user_header="X-Forwarded-User")
    with pytest.raises(ConfigurationError, match="multi_user is off"):
        BokehServer(Flask("a"), data_dir=tmp_path, current_user=lambda: None)


def test_a_server_without_accounts_has_no_such_pages(client: FlaskClient) -> None:
    """In single-user mode nothing asks for a login, and there is none."""
    for path in ("login", "register", "account"):
        assert client.get(f"/bokeh/{path}").status_code == 404
    assert client.post("/bokeh/login", json=ADA).status_code == 404
    assert client.get("/bokeh/userinfo/").get_json()["username"] == "defaultuser"
