"""Sending what is stored: one batch after the other, each of them stored once."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from bokeh.model import Model

from bokeh_server.client._homes import Occupants
from bokeh_server.client._links import Sharing
from bokeh_server.client._pipes import Pipes
from bokeh_server.client._websocket import WebSocket
from bokeh_server.client.link import Batch, Link
from bokeh_server.errors import (
    BokehServerError,
    Conflict,
    ConnectionFailed,
    InvalidPatch,
    ServerFault,
    UnknownModel,
)

__all__ = ["Sending"]


class Sending(Sharing):
    """The documents of one server, and how batches get there.

    :ivar origin: marks what this session sends, so that it is not sent back.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.origin = uuid.uuid4().hex
        self._occupants = Occupants()
        self._pipes = Pipes(self._open_pipe)

    def open_socket(self, docid: str, part: str, query: str) -> WebSocket:
        """Connect to a WebSocket of a document."""
        url = f"ws{self.http.url('doc', docid, part).removeprefix('http')}?{query}"
        return WebSocket(url, self.headers(), ca_bundle=self.http.ca_bundle)

    def _open_pipe(self, docid: str) -> WebSocket | None:
        if not self.http.is_direct:
            return None
        return self.open_socket(docid, "changes", urlencode({"origin": self.origin}))

    def _send(self, link: Link, batch: Batch | None) -> list[Model]:
        if batch is None:
            return []
        link.unconfirmed = batch
        self._confirm(link)
        return batch.models

    def _confirm(self, link: Link) -> None:
        """Send what waits for an answer; with its old key, so that it is stored once."""
        batch = link.unconfirmed
        if batch is None:
            return
        try:
            answer = self._deliver(link.docid, batch)
        except (ConnectionFailed, ServerFault):
            raise
        except BokehServerError as error:
            link.unconfirmed = None
            link.refuse(batch)
            _advise(error)
            raise
        link.unconfirmed = None
        self._occupants.note(link)
        before, link.seq = link.seq, max(link.seq, int(answer["seq"]))
        if batch.kind == "content":
            link.complete = True
        elif link.seq != before + 1 or answer.get("gone"):
            link.complete = link.complete and link.seq == before
            self._check_not_replaced(link)

    def _deliver(self, docid: str, batch: Batch) -> Any:
        """Give the server's answer; what a pipe does not answer goes by HTTP, with the same key."""
        # The origin in it lets every process of a server know whose change this is.
        key = f"{self.origin}:{batch.key}"
        if batch.kind == "content":
            url = self.http.url("doc", docid, "content")
            return self.http.send("PUT", url, batch.body, key, self.origin)
        answer = self._pipes.send(docid, batch.body, key)
        if answer is not None:
            return answer
        url = self.http.url("doc", docid, "changes")
        return self.http.send("POST", url, batch.body, key, self.origin)

    def _check_not_replaced(self, link: Link) -> None:
        """Somebody else has written too; a server drops changes to models that are gone."""
        mine = {root.id for root in link.document.roots if link.knows(root)}
        if mine and mine.isdisjoint(self.info(link.docid)["roots"]):
            error = Conflict(
                f"store changes of {link.title!r}",
                "another program has replaced the document meanwhile",
            )
            _advise(error)
            raise error


def _advise(error: BokehServerError) -> None:
    if isinstance(error, InvalidPatch | UnknownModel | Conflict):
        error.add_note(
            "If another program has replaced the document, "
            "store_document(doc, dirty_only=False) publishes this one again."
        )
