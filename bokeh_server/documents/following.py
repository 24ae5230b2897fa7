"""The thread that follows the log, so that viewers hear of what other processes write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from bokeh_server.blocking import run_blocking
from bokeh_server.documents.attendant import Attendant
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.live import LiveDocument
from bokeh_server.errors import BokehServerError
from bokeh_server.storage import Store

__all__ = ["LogFollower"]

log = logging.getLogger(__name__)


class LogFollower(Attendant):
    """Takes in what other processes wrote: on a hint, or when it asks the database.

    It has a thread of its own, for viewers wait for it, and snapshots may take seconds.

    :param loaded: gives the documents in memory.
    :param heard: is told the last change of a document that another process has written.
    :param gone: is told of a document that another process has deleted.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        loaded: Callable[[], Iterable[LiveDocument]],
        heard: Callable[[str, int], None],
        gone: Callable[[str], None],
    ) -> None:
        self._store = store
        self._loaded = loaded
        self._heard = heard
        self._gone = gone
        super().__init__("bokeh-server-follower", limits.watch_seconds)

    def _mind(self, document: LiveDocument) -> None:
        if (document.behind or document.doubtful) and not document.follow_log():
            self.look_at(document)  # somebody holds it, and the others are not to wait

    def _look_round(self) -> None:
        documents = list(self._loaded())
        if not documents:
            return
        known = {document.docid: document.seq for document in documents}
        try:
            heads = run_blocking(self._store.documents.heads, list(known))
        except BokehServerError as error:
            log.debug("%s", error)  # whoever writes or opens a document says so louder
            return
        for document in documents:
            if document.docid not in heads:
                self._gone(document.docid)
                continue
            head, created = heads[document.docid]
            if document.contradicts(head, created, known[document.docid]):
                document.doubt()
                self.look_at(document)
            elif head > document.head:
                self._heard(document.docid, head)
