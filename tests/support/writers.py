"""Clients of a real server that write with keys, for tests of what an answer is worth."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from support.documents import doc_json

__all__ = ["Client", "client", "make_document"]

SECONDS = 60.0


class Client:
    """One HTTP connection that is kept open, and made again when it breaks."""

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        parts = urlsplit(url)
        self._prefix = parts.path
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send JSON; the status and the JSON of the answer.

        :raises OSError: the server is not there, or went away.
        """
        try:
            data = None if body is None else json.dumps(body)
            given = {"Content-Type": "application/json", "Accept": "application/json"}
            self._connection.request(method, self._prefix + path, data, given | dict(headers or {}))
            answer = self._connection.getresponse()
            content = answer.read()
        except (http.client.HTTPException, OSError) as error:
            self._connection.close()
            raise ConnectionError(str(error)) from error
        return answer.status, json.loads(content) if content else None

    def change(
        self, docid: str, events: list[dict[str, Any]], key: str | None = None
    ) -> tuple[int, Any]:
        """Append a change; the status and the JSON of the answer."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self.ask("POST", f"/bokeh/doc/{docid}/changes", {"events": events}, headers)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def client(url: str, seconds: float = SECONDS) -> Iterator[Client]:
    """A client as long as the block."""
    made = Client(url, seconds)
    try:
        yield made
    finally:
        made.close()


def make_document(to: Client, title: str) -> str:
    """Make the document of ``support.documents.doc_json``; its id."""
    status, info = to.ask("POST", "/bokeh/doc/", {"title": title})
    assert status == 201, info
    docid: str = info["docid"]
    status, answer = to.ask("PUT", f"/bokeh/doc/{docid}/content", {"doc": doc_json()})
    assert status == 200, answer
    return docid
