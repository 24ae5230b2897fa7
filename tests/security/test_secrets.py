"""Passwords, cookies, tokens and codes: nowhere but with whom they were given to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bokeh_server.secret_keys import load_keys
from support.browser import Api
from support.command import run_command
from support.server import RunningServer, running_server

PASSWORD = "a-password-like-no-other"
WRONG = "one-that-was-mistyped-badly"
#: what a script asks for to be logged in by a browser.
DEVICE = {"title": "a laptop"}
SAME = {"Sec-Fetch-Site": "same-origin"}


class Used:
    """A server on which much was done with secrets.

    :ivar secrets: each by what it is.
    :ivar said: what the server answered, but where it gives a secret out.
    """

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.secrets = {"password": PASSWORD, "mistyped": WRONG}
        self.said: list[str] = []
        with requests.Session() as http:
            self.browse(http)
            self.script(http)

    def send(self, http: requests.Session, method: str, path: str, **options: object) -> None:
        """Send a request and keep what it was answered."""
        url = self.server.url + path
        answer = http.request(method, url, timeout=30, allow_redirects=False, **options)  # type: ignore[arg-type]
        heads = [f"{name}: {each}" for name, each in answer.headers.items() if name != "Set-Cookie"]
        self.said.append("\n".join([*heads, answer.text]))

    def browse(self, http: requests.Session) -> None:
        """Register, mistype the password, log in and out, change it."""
        form = {"username": "ada", "password": PASSWORD}
        self.send(http, "POST", "/bokeh/register", data=form, headers=SAME)
        self.secrets["cookie"] = http.cookies["bokeh-server-login"]
        wrong = {"username": "ada", "password": WRONG}
        for kind in ("data", "json"):
            self.send(http, "POST", "/bokeh/login", headers=SAME, **{kind: wrong})
        changed = {"current": WRONG, "password": WRONG}
        self.send(http, "POST", "/bokeh/account/password", data=changed, headers=SAME)
        self.send(http, "GET", "/bokeh/account", headers={"Accept": "text/html"})
        self.send(http, "GET", "/bokeh/userinfo/")

    def script(self, http: requests.Session) -> None:
        """Make tokens; use them rightly, wrongly and where they do not belong."""
        api = Api(self.server.url)
        for number in range(2):
            answer = api.http.post(
                f"{self.server.url}/bokeh/login",
                json={"username": "ada", "password": PASSWORD}, timeout=30,
            )  # fmt: skip
            self.secrets[f"token {number}"] = answer.json()["token"]
        token = self.secrets["token 0"]
        api.close()
        http.cookies.clear()
        for given in (token, token[:-1], token + "x", f"{token} {token}"):
            bearer = {"Authorization": f"Bearer {given}"}
            self.send(http, "POST", "/bokeh/doc/", json={"title": "made"}, headers=bearer)
            self.send(http, "GET", "/bokeh/account/tokens", headers=bearer)
            self.send(http, "GET", "/bokeh/doc/none/", headers=bearer)
            self.send(http, "DELETE", "/bokeh/account/tokens/none", headers=bearer)
        self.share(http, {"Authorization": f"Bearer {token}"})

    def share(self, http: requests.Session, bearer: dict[str, str]) -> None:
        """Make a link, a key, codes of logins that are handed over; follow and use them."""
        root = f"{self.server.url}/bokeh"
        made = http.post(f"{root}/doc/", json={"title": "shared"}, headers=bearer, timeout=30)
        docid = made.json()["docid"]
        for kind, given in (("link", "url"), ("key", "key")):
            answer = http.post(
                f"{root}/doc/{docid}/links", json={"kind": kind}, headers=bearer, timeout=30
            ).json()
            self.secrets[kind] = answer[given].rpartition("#")[2]
            link_id = answer["id"]
            secret = {"secret": self.secrets[kind]}
            self.send(http, "POST", f"/bokeh/link/{link_id}", json=secret, headers=SAME)
            self.send(http, "POST", f"/bokeh/link/{link_id}", json={"secret": "bkl_no"})
        key = {"Authorization": f"Bearer {self.secrets['key']}"}
        self.send(http, "GET", f"/bokeh/doc/{docid}/content", headers=key)
        for path in ("links", "grants", "events"):
            self.send(http, "GET", f"/bokeh/doc/{docid}/{path}", headers=bearer)
        offered = http.post(f"{root}/login/handover", json=DEVICE, headers=bearer, timeout=30)
        self.secrets["offer"] = offered.json()["code"]
        asked = http.post(f"{root}/login/device", json=DEVICE, timeout=30).json()
        self.secrets["device"] = asked["secret"]
        for path, body in (
            ("browser", {"code": self.secrets["offer"]}),
            ("token", {"secret": self.secrets["device"]}),
        ):
            self.send(http, "POST", f"/bokeh/login/{path}", json=body, headers=SAME)
        self.send(http, "GET", "/bokeh/events", headers=bearer)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    """The server, which logs everything it can."""
    data = tmp_path_factory.mktemp("secrets") / "data"
    with running_server("-m", "--log-level", "debug", data_dir=data) as server:
        made = Used(server)
        made.secrets["server's key"] = load_keys(data).current.decode()
        yield made


def hidden(text: str, secrets: dict[str, str]) -> list[str]:
    """What of these stands in a text, or the random part of which does."""
    parts = {name: random_part(secret) for name, secret in secrets.items()}
    assert all(len(part) >= 20 for part in parts.values()), "anything could hold so little"
    return [name for name, part in parts.items() if part in text]


def random_part(secret: str) -> str:
    """What follows the prefix, and the id that is no secret."""
    if secret.startswith(("bks_", "bkd_")):
        return secret.split("_", 2)[2]
    return secret.removeprefix("bkl_")


def test_nothing_is_in_the_log(used: Used) -> None:
    """At the level of debug, with good and bad ones, in forms, JSON and headers."""
    assert used.server.log.count("\n") > 10
    assert hidden(used.server.log, used.secrets) == []


def test_nothing_is_in_answers_and_addresses(used: Used) -> None:
    """A secret is in the one answer that gives it out: no page, redirect or error repeats it."""
    assert len(used.said) > 20
    for said in used.said:
        assert hidden(said, used.secrets) == [], said[:2000]
        assert not re.search(r"[?&#](token|key|password|ticket)=", said)


def test_nothing_is_at_rest(used: Used) -> None:
    """Neither the database nor its log has one; nor has any list; passwords are argon2id."""
    directory = used.server.data_dir
    files = [each for each in directory.rglob("*") if each.is_file() and each.name != "secret"]
    kept = b"".join(each.read_bytes() for each in files)
    assert b"$argon2id$" in kept
    assert b"ada" in kept
    assert hidden(kept.decode("latin-1"), used.secrets) == []
    for words in (("tokens", "list"), ("users", "list"), ("config",)):
        done = run_command(Path(used.server.env["HOME"]), *words, "--data-dir", str(directory))
        assert done.returncode == 0, done.stderr
        assert hidden(done.stdout + done.stderr, used.secrets) == []


def test_it_would_be_found(used: Used) -> None:
    """Each of them, in the middle of something else."""
    for name, secret in used.secrets.items():
        assert hidden(f"before {secret} after", used.secrets) == [name]
