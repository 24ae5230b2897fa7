"""Who may do what: every route, for everybody, on private and published documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server.blueprint import BokehServer
from bokeh_server.permissions import Action
from bokeh_server.storage import ADMIN as ADMIN_RANK
from support.documents import doc_json, picture, set_value

#: what everybody needs of a document for a route of it.
READ, WRITE, OWN = Action.READ, Action.WRITE, Action.OWN
#: routes of no document: for everybody; for who is known; for a person, not a token;
#: for everybody, from a page of ours.
ALL, KNOWN, PERSON, PAGE, ADMIN = "all", "known", "person", "page", "admin"

#: endpoint and method -> who may.
TABLE: dict[tuple[str, str], Action | str] = {
    ("accept_login", "POST"): PAGE,  # with a code that was made for this
    ("account_page", "GET"): KNOWN,
    ("answer_script", "POST"): PERSON,
    ("append_change", "POST"): WRITE,
    ("ask_login", "POST"): ALL,
    ("autoload", "GET"): ALL,  # what it shows is decided inside, see below
    ("bokehjs", "GET"): ALL,
    ("change_password", "POST"): KNOWN,  # and by the password
    ("change_user", "PATCH"): ADMIN,
    ("changes", "GET"): READ,
    ("changes_socket", "GET"): WRITE,
    ("collect_login", "POST"): ALL,  # with a secret that was made for this
    ("collect_models", "POST"): WRITE,
    ("content", "GET"): READ,
    ("create_document", "POST"): KNOWN,
    ("delete_document", "DELETE"): OWN,
    ("document", "GET"): READ,
    ("document_events", "GET"): OWN,
    ("document_socket", "GET"): READ,
    ("download", "GET"): READ,
    ("events", "GET"): KNOWN,  # everybody's with ?all=1: test_admins.py
    ("find_document", "GET"): KNOWN,  # or a key, which finds its own, see below
    ("follow_link", "POST"): PAGE,  # with its secret
    ("frame", "GET"): ALL,  # the same for every docid: what it shows takes a ticket
    ("gallery", "GET"): KNOWN,
    ("grant", "PUT"): OWN,
    ("grants", "GET"): OWN,
    ("healthz", "GET"): ALL,
    ("history", "GET"): READ,
    ("home", "GET"): KNOWN,
    ("index", "GET"): KNOWN,
    ("index_socket", "GET"): KNOWN,
    ("keep_thumbnail", "PUT"): WRITE,
    ("link_page", "GET"): ALL,  # the same for every link: its secret is never sent with it
    ("links", "GET"): OWN,
    ("login", "POST"): ALL,
    ("login_page", "GET"): ALL,
    ("logout", "POST"): ALL,
    ("logout_everywhere", "POST"): PERSON,
    ("make_link", "POST"): OWN,
    ("make_token", "POST"): PERSON,
    ("model", "GET"): READ,
    ("models", "GET"): READ,
    ("models_of_type", "GET"): READ,
    ("offer_login", "POST"): KNOWN,  # and with a token of any scope but the whole, not
    ("offered_page", "GET"): ALL,
    ("own_file", "GET"): ALL,
    ("ping", "GET"): ALL,
    ("publish", "POST"): OWN,
    ("readyz", "GET"): ALL,
    ("register", "POST"): ALL,
    ("register_page", "GET"): ALL,
    ("remove_model", "DELETE"): WRITE,
    ("rename_document", "PATCH"): OWN,
    ("replace_content", "PUT"): WRITE,
    ("restore", "POST"): WRITE,
    ("revoke_grant", "DELETE"): OWN,
    ("revoke_link", "DELETE"): OWN,
    ("revoke_token", "DELETE"): KNOWN,
    ("script_page", "GET"): PERSON,
    ("set_attributes", "PATCH"): WRITE,
    ("set_attributes", "PUT"): WRITE,
    ("show_document", "GET"): READ,
    ("show_model", "GET"): READ,
    ("sites", "PUT"): OWN,
    ("thumbnail", "GET"): READ,
    ("ticket", "GET"): READ,
    ("tokens", "GET"): KNOWN,
    ("unpublish", "POST"): OWN,
    ("upsert_models", "POST"): WRITE,
    ("userinfo", "GET"): KNOWN,
    ("users", "GET"): ADMIN,
    ("viewers", "GET"): READ,
    ("viewers_socket", "GET"): READ,
}
#: what no other route takes.
NOTHING = {"nothing_there", "nothing_under", "no_socket"}

#: the most that somebody may do to the private document; ``None``: not even know of it.
MOST: dict[str, Action | None] = {
    "owner": OWN,
    "editor": WRITE,
    "viewer": READ,
    "stranger": None,
    "admin": None,
    "nobody": None,
    "owner's token": OWN,
    "owner's write token": WRITE,
    "owner's read token": READ,
    "editor's read token": READ,
    "stranger's token": None,
    "viewer link": READ,
    "editor link": WRITE,
    "stranger with a viewer link": READ,
    "editor with a viewer link": WRITE,
    "viewer key": READ,
    "editor key": WRITE,
    "link to another": None,
    "stranger with a link to another": None,
    "key of another": None,
}
#: those who hold a link or key: who they are besides, its kind and role, and whether it is for
#: another document.
HOLDERS = {
    "viewer link": ("nobody", "link", "viewer", False),
    "editor link": ("nobody", "link", "editor", False),
    "stranger with a viewer link": ("stranger", "link", "viewer", False),
    "editor with a viewer link": ("editor", "link", "viewer", False),
    "viewer key": ("nobody", "key", "viewer", False),
    "editor key": ("nobody", "key", "editor", False),
    "link to another": ("nobody", "link", "editor", True),
    "stranger with a link to another": ("stranger", "link", "editor", True),
    "key of another": ("nobody", "key", "editor", True),
}
#: what shows a single revision, and is therefore for holders of a link to that one, too.
OF_REVISIONS = {
    ("content", "GET"),
    ("download", "GET"),
    ("model", "GET"),
    ("models", "GET"),
    ("models_of_type", "GET"),
    ("show_document", "GET"),
    ("show_model", "GET"),
    ("ticket", "GET"),
}
BODIES: dict[tuple[str, str], Any] = {
    ("append_change", "POST"): {"events": set_value(5).events},
    ("keep_thumbnail", "PUT"): picture(),
    ("grant", "PUT"): {"role": "viewer"},
    ("make_link", "POST"): {"kind": "link", "role": "editor"},
    ("replace_content", "PUT"): {"doc": doc_json()},
    ("restore", "POST"): {"revision": 1},
    ("set_attributes", "PATCH"): {"value": 7},
    ("set_attributes", "PUT"): {"value": 8},
    ("sites", "PUT"): {"sites": ["https://example.org"]},
    ("upsert_models", "POST"): [],
}
VALUES = {"modelid": "s", "typename": "Slider", "username": "viewer"}


@dataclass
class World:
    """A server with people on it, each with a client that is logged in."""

    app: Flask
    clients: dict[str, FlaskClient] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    made: int = 0
    other: str = ""

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """Send a request as somebody."""
        headers = {"Accept": "application/json", **self.headers.get(who, {})}
        client = self.clients.get(who) or self.clients["nobody"]
        if isinstance(body, bytes):
            headers["Content-Type"] = "image/png"
            return client.open(path, method=method, data=body, headers=headers)
        return client.open(path, method=method, json=body, headers=headers)

    def make_link(self, docid: str, **wish: Any) -> dict[str, Any]:
        """Have the owner make a link or key."""
        answer = self.ask("owner", "POST", f"/bokeh/doc/{docid}/links", wish)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        made: dict[str, Any] = answer.get_json()
        return made

    def hand(self, who: str, docid: str, *, person: str, **wish: Any) -> None:
        """Have somebody hold a link or key of a document from now on."""
        made = self.make_link(docid, **wish)
        self.headers.pop(who, None)
        if made["kind"] == "key":
            self.headers[who] = {"Authorization": f"Bearer {made['key']}"}
            return
        client = self.app.test_client()
        cookie = self.clients[person].get_cookie("bokeh-server-login")
        if cookie is not None:
            client.set_cookie(cookie.key, cookie.value)
        path, _, secret = made["url"].removeprefix("http://localhost").partition("#")
        headers = {"Sec-Fetch-Site": "same-origin"}
        answer = client.post(path, json={"secret": secret}, headers=headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        self.clients[who] = client

    def prepare(self, who: str, docid: str) -> None:
        """Give somebody what they hold of this document, or of another."""
        if who in HOLDERS:
            person, kind, role, of_another = HOLDERS[who]
            given = self.other if of_another else docid
            self.hand(who, given, person=person, kind=kind, role=role)

    def link_id(self, docid: str) -> str:
        """The id of a link of a document."""
        return str(self.make_link(docid)["id"])

    def document(self, published: bool) -> str:
        """A new document of the owner's, with an editor and a viewer."""
        self.made += 1
        title = {"title": f"document {self.made}"}
        docid: str = self.ask("owner", "POST", "/bokeh/doc/", title).get_json()["docid"]
        done = [self.ask("owner", "PUT", f"/bokeh/doc/{docid}/content", {"doc": doc_json()})]
        for role in ("editor", "viewer"):
            path = f"/bokeh/doc/{docid}/grants/{role}"
            done.append(self.ask("owner", "PUT", path, {"role": role}))
        if published:
            done.append(self.ask("owner", "POST", f"/bokeh/{docid}/publish"))
        assert [each.status_code for each in done] == [200] * len(done)
        return docid


def enter(app: Flask, name: str) -> FlaskClient:
    """Register in a browser."""
    client = app.test_client()
    form = {"username": name, "password": "correct horse"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    answer = client.post("/bokeh/register", data=form, headers=headers)
    assert answer.status_code == 303
    return client


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Six people, and tokens of some of them."""
    folder: Path = tmp_path_factory.mktemp("rights")
    app = Flask("host")
    database = f"sqlite:///{folder / 'bokeh.sqlite'}"
    server = BokehServer(app, data_dir=folder, database=database, multi_user=True)
    found = World(app, {"nobody": app.test_client()})
    for name in ("owner", "editor", "viewer", "stranger", "admin"):
        found.clients[name] = enter(app, name)
    app.extensions["bokeh_server"].store.users.set_rank("admin", ADMIN_RANK)
    for who in MOST:
        if who.endswith("token"):
            name, _, scope = who.removesuffix(" token").partition("'s")
            body = {"title": "t", "scope": scope.strip() or "own"}
            token = found.ask(name, "POST", "/bokeh/account/tokens", body).get_json()["token"]
            found.headers[who] = {"Authorization": f"Bearer {token}"}
    found.other = found.document(
        False
    )  # so that no test is taken for the one that starts the engine's threads
    yield found
    server.close()


def routes() -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and address of every route of ours but sockets."""
    app = Flask("host")
    BokehServer(app, multi_user=True, database="sqlite://")
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            endpoint = rule.endpoint.removeprefix("bokeh_server.")
            if endpoint != rule.endpoint and endpoint not in NOTHING:
                yield endpoint, method, "" if rule.websocket else rule.rule


ROUTES = sorted(routes())


def test_every_route_has_a_row() -> None:
    """A new route fails here until the table says for whom it is."""
    assert {(endpoint, method) for endpoint, method, _ in ROUTES} == TABLE.keys()


OF_DOCUMENTS = [each for each in ROUTES if isinstance(TABLE[each[:2]], Action) and each[2]]


@pytest.mark.parametrize("published", [False, True], ids=["private", "published"])
@pytest.mark.parametrize(
    ("endpoint", "method", "rule"), OF_DOCUMENTS, ids=[" ".join(each[:2]) for each in OF_DOCUMENTS]
)
def test_documents(world: World, endpoint: str, method: str, rule: str, published: bool) -> None:
    """Who may gets an answer; who may only look is told so; to others there is no document.

    What is refused changes nothing, and unknown documents are answered as unreadable ones are.
    """
    needed = TABLE[endpoint, method]
    assert isinstance(needed, Action)
    shared = world.document(published)
    for who, most in MOST.items():
        found = (most or READ) if published else most
        changes = method != "GET" and found is not None and needed.within(found)
        docid = world.document(published) if changes else shared
        world.prepare(who, docid)
        link_id = world.link_id(docid) if endpoint == "revoke_link" else ""
        body = BODIES.get((endpoint, method), {"title": f"renamed {docid}"})
        before = world.ask("owner", "GET", f"/bokeh/doc/{docid}/").get_json()
        answer = world.ask(who, method, address(rule, docid, link_id), body)
        if found is not None and needed.within(found):
            assert answer.status_code < 300, (who, answer.get_data(as_text=True))
            continue
        if found is None:
            unknown = world.ask(
                who, method, address(rule, "x" * 24), BODIES.get((endpoint, method))
            )
            assert answer.status_code == unknown.status_code == 404, who
            assert answer.get_json() == unknown.get_json()
        else:
            assert answer.status_code == 403, (who, answer.get_data(as_text=True))
        assert world.ask("owner", "GET", f"/bokeh/doc/{docid}/").get_json() == before


def address(rule: str, docid: str, link_id: str = "l") -> str:
    """The address of a route for a document."""
    for name, value in {"docid": docid, "link_id": link_id, **VALUES}.items():
        rule = rule.replace(f"<{name}>", value)
    assert "<" not in rule
    return rule


@pytest.mark.parametrize(
    ("endpoint", "method", "rule"), OF_DOCUMENTS, ids=[" ".join(each[:2]) for each in OF_DOCUMENTS]
)
def test_a_link_to_a_revision(world: World, endpoint: str, method: str, rule: str) -> None:
    """Its holder sees that one: not the live document, its log or another, and changes nothing."""
    docid = world.document(False)
    change = {"events": set_value(5).events}
    assert world.ask("owner", "POST", f"/bokeh/doc/{docid}/changes", change).status_code == 200
    for person in ("nobody", "stranger"):
        who = f"{person} with a pinned link"
        world.hand(who, docid, person=person, kind="link", role="viewer", revision=1)
        link_id = world.link_id(docid)
        before = world.ask("owner", "GET", f"/bokeh/doc/{docid}/").get_json()
        body = BODIES.get((endpoint, method), {"title": "renamed"})
        shown = (endpoint, method) in OF_REVISIONS
        for query in ("", "?revision=1", "?revision=2", "?revision=0", "?revision=1&public=true"):
            path = address(rule, docid, link_id) + query
            answer = world.ask(who, method, path, body)
            allowed = shown and query.startswith("?revision=1")
            assert answer.status_code == (200 if allowed else 403), (query, answer.get_data())
            if not allowed:
                assert "revision 1 alone" in answer.get_json()["detail"]
        assert world.ask("owner", "GET", f"/bokeh/doc/{docid}/").get_json() == before


OTHERS = [each for each in ROUTES if not isinstance(TABLE[each[:2]], Action) and each[2]]


@pytest.mark.parametrize(
    ("endpoint", "method", "rule"), OTHERS, ids=[" ".join(each[:2]) for each in OTHERS]
)
def test_other_routes(world: World, endpoint: str, method: str, rule: str) -> None:
    """Who is not known is told to log in, a token is told that it may not, and never a 500."""
    values = {"elementid": "e", "version": "1", "file": "a.js", "token_id": "t", "docid": "x"}
    values["link_id"] = "l"
    for name, value in values.items():
        rule = rule.replace(f"<{name}>", value)
    whose = TABLE[endpoint, method]
    body = {} if method in ("POST", "PUT") else None
    if endpoint == "logout":  # it would end what the other tests need
        return
    world.prepare("editor key", world.other)
    for who in ("owner", "owner's token", "nobody", "editor key", "admin"):
        if endpoint == "logout_everywhere" and who in ("owner", "admin"):
            continue
        status = world.ask(who, method, rule, body).status_code
        assert status != 500
        if who == "nobody" and whose in (KNOWN, PERSON, ADMIN):
            assert status == 401
        else:
            token = who == "owner's token" and whose is PERSON
            key = who == "editor key" and whose in (KNOWN, PERSON) and endpoint != "find_document"
            rank = who != "admin" and whose is ADMIN
            assert (status == 403) is (token or key or rank or whose is PAGE)


def test_an_embed_of_what_may_not_be_seen(world: World) -> None:
    """The script of an embed says the same of a private document and of one that is not there."""
    docid = world.document(False)
    texts = []
    for each in (docid, "x" * 24):
        answer = world.ask("nobody", "GET", f"/bokeh/autoload.js/e?docid={each}&modelid=p")
        texts.append(answer.get_data(as_text=True).replace(each, "?"))
    assert texts[0] == texts[1]
    assert "you may see" in texts[0]


def test_read_access_never_becomes_write_access(world: World) -> None:
    """No header or parameter of a request lets a viewer write, as one did in 2015."""
    docid = world.document(True)
    body = {"events": set_value(66).events}
    path = f"/bokeh/doc/{docid}/changes"
    temporary = "temporary-4f1d"
    for extra in (
        {f"temporary-{docid}": temporary},
        {"BOKEHUSER": "owner", "BOKEHUSER-API-KEY": "nokey"},
        {"BOKEH-API-KEY": "nokey"},
        {"X-Forwarded-User": "owner"},
        {"X-HTTP-Method-Override": "GET"},
        {"Bokeh-Origin": "owner"},
        {"Bokeh-Ticket": "a.b"},
    ):
        answer = world.clients["viewer"].post(path, json=body, headers=extra)
        assert answer.status_code == 403, extra
    for query in ("?public=false", "?user=owner", f"?docid={temporary}", "?token=x"):
        assert world.clients["viewer"].post(path + query, json=body).status_code == 403
    assert (
        world.ask("owner", "GET", f"/bokeh/bb/{docid}/Slider/s/").get_json()["attributes"]["value"]
        == 1
    )


def test_a_token_comes_alone(world: World) -> None:
    """With a token a request has its rights only, whatever cookie goes with it."""
    docid = world.document(False)
    headers = world.headers["owner's read token"]
    body = {"events": set_value(3).events}
    answer = world.clients["owner"].post(f"/bokeh/doc/{docid}/changes", json=body, headers=headers)
    assert answer.status_code == 403
    for bad in ("", "x", "bks_0000000000_" + "a" * 43, "\xe9"):
        headers = {"Authorization": f"Bearer {bad}"}
        answer = world.clients["owner"].get(f"/bokeh/doc/{docid}/", headers=headers)
        assert answer.status_code == 401


def test_lists_hold_what_is_ones_own(world: World) -> None:
    """Nobody is listed somebody else's documents, nor finds them by title."""
    docid = world.document(True)
    title = world.ask("owner", "GET", f"/bokeh/doc/{docid}/").get_json()["title"]
    mine = world.ask("owner", "GET", "/bokeh/userinfo/").get_json()
    assert docid in [each["docid"] for each in mine["docs"]]
    theirs = world.ask("stranger", "GET", "/bokeh/userinfo/").get_json()
    assert (theirs["username"], theirs["docs"]) == ("stranger", [])
    assert world.ask("stranger", "GET", f"/bokeh/doc/?title={title}").status_code == 404


def test_a_right_that_is_taken_back_is_gone(world: World) -> None:
    """An editor who is made a viewer, and then nobody, can do less at once."""
    docid = world.document(False)
    path, body = f"/bokeh/doc/{docid}/changes", {"events": set_value(2).events}
    grant = f"/bokeh/doc/{docid}/grants/editor"
    assert world.ask("editor", "POST", path, body).status_code == 200
    assert world.ask("owner", "PUT", grant, {"role": "viewer"}).status_code == 200
    assert world.ask("editor", "POST", path, body).status_code == 403
    assert world.ask("owner", "DELETE", grant).status_code == 204
    assert world.ask("editor", "POST", path, body).status_code == 404
    assert world.ask("owner", "DELETE", grant).status_code == 404
    assert world.ask("owner", "PUT", f"{grant}-who", {"role": "viewer"}).status_code == 404
    assert world.ask("owner", "PUT", grant, {"role": "owner"}).status_code == 400
