"""People who use a server over HTTP, each with a token."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from support.documents import doc_json

__all__ = ["SOON_SECONDS", "Person"]

#: what is noted by a thread of its own is there within this time.
SOON_SECONDS = 5.0


class Person:
    """Somebody with a token."""

    def __init__(self, app: Flask, name: str) -> None:
        self.client: FlaskClient = app.test_client()
        body = {"username": name, "password": "correct horse"}
        token = self.client.post("/bokeh/register", json=body).get_json()["token"]
        self.headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request."""
        return self.client.open(f"/bokeh/{path}", method=method, json=body, headers=self.headers)

    def document(self, title: str = "a plot") -> str:
        """Make a document with something in it."""
        docid: str = self.ask("POST", "doc/", {"title": title}).get_json()["docid"]
        assert self.ask("PUT", f"doc/{docid}/content", {"doc": doc_json()}).status_code == 200
        return docid

    def events(self, path: str = "events") -> list[dict[str, Any]]:
        """What was noted, the newest first."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        found: list[dict[str, Any]] = answer.get_json()["events"]
        return found

    def actions(self, path: str = "events") -> list[tuple[str, str]]:
        """Who did what, the newest first."""
        return [(each["actor"], each["action"]) for each in self.events(path)]

    def await_action(self, action: str, path: str = "events") -> dict[str, Any]:
        """An event that is noted in a moment."""
        deadline = time.monotonic() + SOON_SECONDS
        while True:
            found = [each for each in self.events(path) if each["action"] == action]
            if found:
                return found[0]
            assert time.monotonic() < deadline, f"{action} was not noted"
            time.sleep(0.02)
