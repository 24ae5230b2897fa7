"""A server with people on it, to attack: requests as browsers and scripts of theirs send them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from support.documents import doc_json

__all__ = ["COOKIE", "HOST", "OURS", "PASSWORD", "Site", "Way"]

HOST = "localhost"
COOKIE = "bokeh-server-login"
PASSWORD = "correct horse"
#: what a page of ours sends along.
OURS = {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{HOST}"}


@dataclass(frozen=True)
class Way:
    """A route and a method that it takes."""

    endpoint: str
    rule: str
    method: str
    is_socket: bool = False

    def address(self, docid: str, **values: str) -> str:
        """Its address for a document."""
        known = {"docid": docid, "modelid": "s", "typename": "Slider", "username": "eve", **values}
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: known.get(found[1], "x"), self.rule)


@dataclass
class Site:
    """The server.

    :ivar clients: browsers that are logged in, by the name of their people.
    :ivar tokens: a token of each of them.
    """

    app: Flask
    folder: Path = Path()
    clients: dict[str, FlaskClient] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    private: str = ""
    published: str = ""

    def enter(self, name: str) -> None:
        """Register somebody in a browser, and give them a token."""
        client = self.clients[name] = self.app.test_client()
        form = {"username": name, "password": PASSWORD}
        assert client.post("/bokeh/register", data=form, headers=OURS).status_code == 303
        answer = client.post("/bokeh/account/tokens", json={"title": "script"}, headers=OURS)
        self.tokens[name] = answer.get_json()["token"]

    def secret(self, name: str) -> str:
        """What the cookie of somebody's browser holds."""
        cookie = self.clients[name].get_cookie(COOKIE)
        assert cookie is not None
        return cookie.value

    def document(self, title: str) -> str:
        """A new document of ada's, with a slider in it."""
        docid: str = self.ask("ada", "POST", "/bokeh/doc/", json={"title": title}).json["docid"]
        path = f"/bokeh/doc/{docid}/content"
        assert self.ask("ada", "PUT", path, json={"doc": doc_json()}).status_code == 200
        return docid

    def ask(self, who: str | None, method: str, path: str, **options: Any) -> Any:
        """Send a request as a script of somebody, or of nobody."""
        headers = {"Accept": "application/json", **options.pop("headers", {})}
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        client = self.app.test_client(use_cookies=False)
        return client.open(path, method=method, headers=headers, **options)

    def ways(self) -> Iterator[Way]:
        """All routes of ours, but those that answer whatever no other takes."""
        for rule in self.app.url_map.iter_rules():
            endpoint = rule.endpoint.removeprefix("bokeh_server.")
            if endpoint == rule.endpoint or endpoint.startswith(("no_", "nothing_")):
                continue
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Way(endpoint, rule.rule, method, bool(rule.websocket))

    def state(self, docid: str) -> Any:
        """Everything that an attack could change of a document."""
        told = self.ask("ada", "GET", f"/bokeh/doc/{docid}/").json
        return told, self.ask("ada", "GET", f"/bokeh/doc/{docid}/grants").json
