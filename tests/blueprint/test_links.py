"""Share links in browsers: their cookies, what they open, and how soon they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from werkzeug.serving import make_server

from bokeh_server.blueprint import BokehServer
from support.bokeh_socket import BokehSocket
from support.documents import doc_json, set_value

PASSWORD = "correct horse"
OURS = {"Sec-Fetch-Site": "same-origin"}
#: rights that are taken back are noticed within this.
SOON_SECONDS = 8.0


@pytest.fixture
def app(tmp_path: Path, database: str) -> Iterator[Flask]:
    """A server for several people."""
    made = Flask("host")
    server = BokehServer(made, data_dir=tmp_path / "data", database=database, multi_user=True)
    yield made
    server.close()


@pytest.fixture
def owner(app: Flask) -> FlaskClient:
    """The owner's browser."""
    return enter(app, "owner")


@pytest.fixture
def docid(owner: FlaskClient) -> str:
    """A document of the owner's, after two changes."""
    made: str = owner.post("/bokeh/doc/", json={"title": "line"}).get_json()["docid"]
    assert owner.put(f"/bokeh/doc/{made}/content", json={"doc": doc_json()}).status_code == 200
    change(owner, made, 2)
    return made


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    """The app on a port, by threads."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def enter(app: Flask, name: str) -> FlaskClient:
    """Make an account in a browser."""
    client = app.test_client()
    form = {"username": name, "password": PASSWORD}
    assert client.post("/bokeh/register", data=form, headers=OURS).status_code == 303
    return client


def change(client: FlaskClient, docid: str, value: int, **options: Any) -> Any:
    """Set the slider; the status."""
    body = {"events": set_value(value).events}
    return client.post(f"/bokeh/doc/{docid}/changes", json=body, **options).status_code


def make(owner: FlaskClient, docid: str, **wish: Any) -> dict[str, Any]:
    """A new link."""
    answer = owner.post(f"/bokeh/doc/{docid}/links", json=wish)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    made: dict[str, Any] = answer.get_json()
    return made


def follow(client: FlaskClient, url: str, **options: Any) -> Any:
    """Follow a link as its page does."""
    path, _, secret = url.partition("/bokeh/")[2].partition("#")
    options.setdefault("headers", OURS)
    return client.post(f"/bokeh/{path}", json={"secret": secret}, **options)


def test_what_is_made_and_listed(owner: FlaskClient, docid: str) -> None:
    """A secret is shown once, and the list says what there is; nonsense is refused."""
    link = make(owner, docid, title=" class ", days=0.5)
    assert link["url"].startswith(f"http://localhost/bokeh/link/{link['id']}#bkl_")
    key = make(owner, docid, kind="key", role="editor")
    assert key["key"].startswith(f"bkd_{key['id']}_")
    listed = owner.get(f"/bokeh/doc/{docid}/links").get_json()["links"]
    assert [(each["kind"], each["role"], each["title"]) for each in listed] == [
        ("key", "editor", ""),
        ("link", "viewer", "class"),
    ]
    assert listed[1] == {name: value for name, value in link.items() if name != "url"}
    text = owner.get(f"/bokeh/doc/{docid}/links").get_data(as_text=True)
    assert link["url"].partition("#")[2] not in text
    for wrong in (
        {"kind": "door"},
        {"role": "owner"},
        {"title": "x" * 256},
        {"title": 3},
        {"days": 0},
        {"days": -1},
        {"days": "7"},
        {"days": True},
        {"days": 1e9},
        {"revision": -1},
        {"revision": "1"},
        {"revision": True},
        {"revision": 1, "role": "editor"},
        {"revision": 1, "kind": "key"},
    ):
        assert owner.post(f"/bokeh/doc/{docid}/links", json=wrong).status_code == 400, wrong
    assert owner.post(f"/bokeh/doc/{docid}/links", json={"revision": 99}).status_code == 404
    assert len(owner.get(f"/bokeh/doc/{docid}/links").get_json()["links"]) == 2
    assert owner.delete(f"/bokeh/doc/{docid}/links/nothing").status_code == 404


def test_the_page_of_a_link_says_nothing(app: Flask, owner: FlaskClient, docid: str) -> None:
    """It is the same for every link, tells no other site of itself, and lets nothing in."""
    link = make(owner, docid)
    client = app.test_client()
    answer = client.get(f"/bokeh/link/{link['id']}")
    assert answer.data == client.get("/bokeh/link/nothing").data
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers


def test_a_links_cookie(app: Flask, owner: FlaskClient, docid: str) -> None:
    """No script reads it, no other site sends it, and over HTTPS no other host can set it."""
    link = make(owner, docid, role="editor", days=1)
    client = app.test_client()
    answer = follow(client, link["url"])
    assert answer.get_json() == {"url": f"/bokeh/doc/{docid}/show"}
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith(f"bokeh-server-link-{link['id']}=bkl_")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    age = int(cookie.partition("Max-Age=")[2].partition(";")[0])
    assert 86000 < age <= 86400
    assert change(client, docid, 3) == 200
    last = owner.get(f"/bokeh/doc/{docid}/changes").get_json()["changes"][-1]
    assert last["actor"] == f"link {link['id']}"
    secure = app.test_client()
    base = "https://localhost"
    answer = follow(secure, link["url"], base_url=base, headers=OURS | {"Origin": base})
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-bokeh-server-link-")
    assert "Secure" in cookie
    assert secure.get(f"/bokeh/doc/{docid}/", base_url=base).status_code == 200
    secret = link["url"].partition("#")[2]
    planted = app.test_client()
    header = {"Cookie": f"bokeh-server-link-{link['id']}={secret}"}
    assert planted.get(f"/bokeh/doc/{docid}/", base_url=base, headers=header).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "null"},
    ],
)
def test_other_sites_do_nothing_with_a_links_cookie(
    app: Flask, owner: FlaskClient, docid: str, headers: dict[str, str]
) -> None:
    """They change nothing, and follow no link for somebody; without an origin they read nothing."""
    link = make(owner, docid, role="editor")
    client = app.test_client()
    assert follow(app.test_client(), link["url"], headers=headers).status_code == 403
    assert follow(app.test_client(), link["url"], headers={}).status_code == 403
    assert follow(client, link["url"]).status_code == 200
    assert change(client, docid, 9, headers=headers) == 403
    if headers.get("Origin") != "https://evil.example":
        assert client.get(f"/bokeh/doc/{docid}/", headers=headers).status_code == 404


def test_wrong_secrets(app: Flask, owner: FlaskClient, docid: str) -> None:
    """They open nothing, are answered alike, and not without end; a good one is always followed."""
    link, other = make(owner, docid), make(owner, docid)
    path, _, secret = link["url"].partition("#")
    client = app.test_client()
    wrong = (
        "",
        secret[:-1],
        secret.swapcase(),
        other["url"].partition("#")[2],
        "bkl_" + "a" * 43,
        "é",
        "x" * 10_000,
    )
    answers = {follow(client, f"{path}#{each}").get_data(as_text=True) for each in wrong}
    assert len(answers) == 1
    assert follow(client, f"{path}x#{secret}").status_code == 404
    key = make(owner, docid, kind="key")
    assert follow(client, f"/bokeh/link/{key['id']}#{key['key']}").status_code == 404
    header = {"Authorization": f"Bearer {secret}"}
    assert client.get(f"/bokeh/doc/{docid}/", headers=header).status_code == 401
    found = [follow(client, f"{path}#bkl_{number}") for number in range(110)]
    assert {each.status_code for each in found} == {404, 429}
    assert int(found[-1].headers["Retry-After"]) > 0
    assert follow(client, link["url"]).status_code == 200


def test_many_links_in_one_browser(app: Flask, owner: FlaskClient, docid: str) -> None:
    """Each opens its document; there are at most so many, and those that ended are dropped."""
    client = app.test_client()
    made = []
    for number in range(20):
        other = owner.post("/bokeh/doc/", json={"title": f"{number}"}).get_json()["docid"]
        made.append((other, make(owner, other)))
        assert follow(client, made[-1][1]["url"]).status_code == 200
    statuses = [client.get(f"/bokeh/doc/{each}/").status_code for each, _ in made]
    assert statuses.count(200) == 16
    assert statuses[-1] == 200
    kept = [pair for pair, status in zip(made, statuses, strict=True) if status == 200]
    ended, link = kept[0]
    assert owner.delete(f"/bokeh/doc/{ended}/links/{link['id']}").status_code == 204
    assert client.get(f"/bokeh/doc/{ended}/").status_code == 404
    answer = follow(client, make(owner, docid)["url"])
    dropped = [each for each in answer.headers.getlist("Set-Cookie") if "Max-Age=0" in each]
    assert [link["id"] in each for each in dropped] == [True]


def test_the_larger_right_counts(app: Flask, owner: FlaskClient, docid: str) -> None:
    """Who is logged in keeps what they are, signs with their name, and forgets links at logout."""
    viewer = enter(app, "viewer")
    assert (
        owner.put(f"/bokeh/doc/{docid}/grants/viewer", json={"role": "viewer"}).status_code == 200
    )
    assert change(viewer, docid, 5) == 403
    follow(viewer, make(owner, docid, role="editor")["url"])
    assert change(viewer, docid, 5) == 200
    last = owner.get(f"/bokeh/doc/{docid}/changes").get_json()["changes"][-1]
    assert last["actor"] == "viewer"
    follow(owner, make(owner, docid)["url"])
    assert owner.get(f"/bokeh/doc/{docid}/links").status_code == 200
    answer = viewer.post("/bokeh/logout", json={}, headers=OURS)
    assert any("bokeh-server-link-" in each for each in answer.headers.getlist("Set-Cookie"))
    assert viewer.get(f"/bokeh/doc/{docid}/").status_code == 404


def test_a_token_comes_without_links(app: Flask, owner: FlaskClient, docid: str) -> None:
    """A request with a token or a key has the rights of that alone."""
    stranger = enter(app, "stranger")
    token = stranger.post("/bokeh/account/tokens", json={"title": "t"}).get_json()["token"]
    follow(stranger, make(owner, docid, role="editor")["url"])
    assert change(stranger, docid, 5) == 200
    bearer = {"Authorization": f"Bearer {token}"}
    assert change(stranger, docid, 6, headers=bearer) == 404
    key = {"Authorization": f"Bearer {make(owner, docid, kind='key')['key']}"}
    assert change(stranger, docid, 7, headers=key) == 403
    assert change(owner, docid, 7, headers=key) == 403
    assert owner.get("/bokeh/userinfo/", headers=key).status_code == 403


def test_a_key_finds_its_document(owner: FlaskClient, docid: str) -> None:
    """By its title or without; and no other, of whoever's."""
    owner.post("/bokeh/doc/", json={"title": "other"})
    key = {"Authorization": f"Bearer {make(owner, docid, kind='key')['key']}"}
    for query in ("", "?title=line"):
        assert owner.get(f"/bokeh/doc/{query}", headers=key).get_json()["docid"] == docid
    for title in ("other", "nothing"):
        assert owner.get(f"/bokeh/doc/?title={title}", headers=key).status_code == 404


def test_the_page_of_a_pinned_link(app: Flask, owner: FlaskClient, docid: str) -> None:
    """It shows its revision, and nothing of what came before or after."""
    client = app.test_client()
    answer = follow(client, make(owner, docid, revision=1)["url"])
    assert answer.get_json() == {"url": f"/bokeh/doc/{docid}/show?revision=1"}
    page = client.get(f"/bokeh/doc/{docid}/show?revision=1").get_data(as_text=True)
    assert "<strong>Revision 1</strong>" in page
    for hidden in (" of 2", "history-button", 'rel="next"', 'rel="prev"', ">Live<", 'id="restore"'):
        assert hidden not in page, hidden
    page = owner.get(f"/bokeh/doc/{docid}/show?revision=1").get_data(as_text=True)
    assert "</strong> of 2" in page
    frame = app.test_client()
    for query in ("?revision=1", "", "?revision=2", "?revision=0"):
        given = client.get(f"/bokeh/doc/{docid}/ticket?kind=frame&revision=1").get_json()
        headers = {"Bokeh-Ticket": given["ticket"], "Origin": "null"}
        answer = frame.get(f"/bokeh/doc/{docid}/content{query}", headers=headers)
        assert answer.status_code == (200 if query == "?revision=1" else 403), query
    assert client.get(f"/bokeh/doc/{docid}/gone?revision=1").status_code == 404


# --- sockets -----------------------------------------------------------------------------------


def frame_socket(client: FlaskClient, port: int, docid: str) -> Any:
    """The socket of a frame in somebody's page."""
    path = f"/bokeh/doc/{docid}/ticket?kind=frame"
    ticket = client.get(path).get_json()["ticket"]
    url = f"ws://127.0.0.1:{port}/bokeh/doc/{docid}/ws"
    return connect(url, subprotocols=["bokeh", ticket], origin="null")  # type: ignore[list-item,arg-type]


def test_a_page_leads_to_the_revision_that_a_link_shows(
    app: Flask, owner: FlaskClient, docid: str
) -> None:
    """Whoever leaves it out of the address gets there; programs, and who may see all, do not."""
    client, page = app.test_client(), {"Accept": "text/html"}
    path = f"/bokeh/doc/{docid}/show"
    follow(client, make(owner, docid, revision=0)["url"])
    follow(client, make(owner, docid, revision=1)["url"])
    for asked in ("", "?strict=true", "?strict=true&x=%26"):
        answer = client.get(path + asked, headers=page)
        assert answer.status_code == 302
        kept = asked and asked[1:] + "&"
        assert answer.headers["Location"] == f"?{kept}revision=1"
        assert client.get(path + answer.headers["Location"], headers=page).status_code == 200
    assert client.get(f"/bokeh/doc/{docid}/s", headers=page).headers["Location"] == "?revision=1"
    assert client.get(f"{path}?revision=2", headers=page).status_code == 403
    assert client.get(path, headers={"Accept": "application/json"}).status_code == 403
    assert client.get(f"/bokeh/doc/{docid}/content").status_code == 403
    assert owner.get(path, headers=page).status_code == 200
    assert app.test_client().get(path, headers=page).status_code in (302, 303, 401)
    follow(client, make(owner, docid)["url"])
    assert client.get(path, headers=page).status_code == 200


def test_the_feed_of_a_gallery_ends_with_its_login(
    app: Flask, owner: FlaskClient, port: int
) -> None:
    """Soon after it, though nothing happens that it could be told of; others go on."""
    other = enter(app, "other")

    def feed(client: FlaskClient) -> Any:
        cookies = client._cookies  # type: ignore[attr-defined]
        held = "; ".join(f"{each.key}={each.value}" for each in cookies.values())
        return connect(
            f"ws://127.0.0.1:{port}/bokeh/ws",
            additional_headers={"Cookie": held},
            origin=f"http://127.0.0.1:{port}",  # type: ignore[arg-type]
        )

    with feed(owner) as ends, feed(other) as stays:
        assert "hello" in ends.recv(timeout=SOON_SECONDS)
        assert "hello" in stays.recv(timeout=SOON_SECONDS)
        assert owner.post("/bokeh/logout", headers=OURS).status_code == 200
        assert close_code(ends) == 4003
        with pytest.raises(TimeoutError):
            stays.recv(timeout=0.1)


def close_code(plain: Any) -> int:
    """Wait for the server to close a connection."""
    deadline = time.monotonic() + SOON_SECONDS
    try:
        while True:
            plain.recv(timeout=max(0.0, deadline - time.monotonic()))
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


def by_link(app: Flask, owner: FlaskClient, docid: str) -> tuple[FlaskClient, Callable[[], Any]]:
    """Somebody with a link, which is revoked."""
    client, link = app.test_client(), make(owner, docid)
    follow(client, link["url"])
    return client, lambda: owner.delete(f"/bokeh/doc/{docid}/links/{link['id']}")


def by_grant(app: Flask, owner: FlaskClient, docid: str) -> tuple[FlaskClient, Callable[[], Any]]:
    """A viewer, who is one no more."""
    client, path = enter(app, "viewer"), f"/bokeh/doc/{docid}/grants/viewer"
    owner.put(path, json={"role": "viewer"})
    return client, lambda: owner.delete(path)


def by_login(app: Flask, owner: FlaskClient, docid: str) -> tuple[FlaskClient, Callable[[], Any]]:
    """A viewer, who logs out elsewhere."""
    client, _ = by_grant(app, owner, docid)
    return client, lambda: client.post("/bokeh/logout", json={}, headers=OURS)


def by_publishing(
    app: Flask, owner: FlaskClient, docid: str
) -> tuple[FlaskClient, Callable[[], Any]]:
    """Anybody, of a document that is published no more."""
    owner.post(f"/bokeh/{docid}/publish")
    return app.test_client(), lambda: owner.post(f"/bokeh/{docid}/unpublish")


def by_token(app: Flask, owner: FlaskClient, docid: str) -> tuple[FlaskClient, Callable[[], Any]]:
    """The owner's own script, whose token is revoked."""
    made = owner.post("/bokeh/account/tokens", json={"title": "t"}).get_json()["token"]
    token_id = owner.get("/bokeh/account/tokens").get_json()["tokens"][0]["id"]
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {made}"
    return client, lambda: owner.delete(f"/bokeh/account/tokens/{token_id}")


@pytest.mark.parametrize("way", [by_link, by_grant, by_login, by_publishing, by_token])
def test_who_may_look_no_more_is_sent_away(
    app: Flask, owner: FlaskClient, docid: str, port: int, way: Any
) -> None:
    """A socket that only reads ends soon after what it was opened by; the owner's stays open."""
    client, end = way(app, owner, docid)
    with frame_socket(client, port, docid) as plain, frame_socket(owner, port, docid) as mine:
        BokehSocket(plain).expect("ACK")
        stays = BokehSocket(mine)
        stays.expect("ACK")
        end()
        assert close_code(plain) == 4003
        stays.pull()


def test_changes_are_signed_with_the_link_to_their_document(
    app: Flask, owner: FlaskClient, docid: str
) -> None:
    """A browser that holds several signs with none of another document's."""
    other = owner.post("/bokeh/doc/", json={"title": "another"}).get_json()["docid"]
    client = app.test_client()
    links = {each: make(owner, each, role="editor") for each in (other, docid)}
    for link in links.values():
        follow(client, link["url"])
    body = {"events": set_value(9).events}
    assert client.post(f"/bokeh/doc/{docid}/changes", json=body, headers=OURS).status_code == 200
    last = owner.get(f"/bokeh/doc/{docid}/changes").get_json()["changes"][-1]
    assert last["actor"] == f"link {links[docid]['id']}"


def test_of_too_many_links_the_oldest_goes(app: Flask, owner: FlaskClient, docid: str) -> None:
    """A browser holds sixteen; one that it follows then takes the place of the first."""
    client = app.test_client()
    made = [make(owner, docid) for _ in range(18)]
    for link in made:
        assert follow(client, link["url"]).status_code == 200
    prefix = "bokeh-server-link-"
    held = [each.key.removeprefix(prefix) for each in client._cookies.values()]
    assert sorted(held) == sorted(link["id"] for link in made[2:])


def test_a_revoked_token_writes_no_more(
    app: Flask, owner: FlaskClient, docid: str, port: int
) -> None:
    """Nor by the ticket of a frame that was got with it while it was good."""
    client, revoke = by_token(app, owner, docid)
    with frame_socket(client, port, docid) as plain:
        socket = BokehSocket(plain)
        socket.expect("ACK")
        socket.ask("PATCH-DOC", {"events": set_value(7).events}, "OK")
        before = owner.get(f"/bokeh/doc/{docid}/").get_json()["seq"]
        assert revoke().status_code == 204
        socket.send("PATCH-DOC", {"events": set_value(8).events})
        assert close_code(plain) == 4003
    assert owner.get(f"/bokeh/doc/{docid}/").get_json()["seq"] == before


def test_a_revoked_link_writes_no_more(
    app: Flask, owner: FlaskClient, docid: str, port: int
) -> None:
    """Its next change closes the socket, at once where it was revoked in the same process."""
    client, link = app.test_client(), make(owner, docid, role="editor")
    follow(client, link["url"])
    with frame_socket(client, port, docid) as plain:
        socket = BokehSocket(plain)
        socket.expect("ACK")
        socket.ask("PATCH-DOC", {"events": set_value(7).events}, "OK")
        owner.delete(f"/bokeh/doc/{docid}/links/{link['id']}")
        socket.send("PATCH-DOC", {"events": set_value(8).events})
        assert close_code(plain) == 4003
    changes = owner.get(f"/bokeh/doc/{docid}/changes").get_json()["changes"]
    assert [each["actor"] for each in changes[-2:]] == ["owner", f"link {link['id']}"]
