"""The engine: every stored document of one database, in this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from weakref import WeakValueDictionary

from bokeh_server.blocking import run_blocking
from bokeh_server.channels import Broker
from bokeh_server.documents.committer import Committer
from bokeh_server.documents.following import LogFollower
from bokeh_server.documents.housekeeping import Housekeeper
from bokeh_server.documents.identities import Identities, Identity
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.live import LiveDocument
from bokeh_server.documents.loading import unknown_document
from bokeh_server.documents.quotas import Quotas
from bokeh_server.documents.revisions import Revision, Revisions, Span
from bokeh_server.documents.settling import Settler
from bokeh_server.documents.watchers import Watchers
from bokeh_server.errors import BokehServerError
from bokeh_server.permissions import SINGLE_USER
from bokeh_server.protocol import Schema
from bokeh_server.sites import Sites, write_sites
from bokeh_server.storage import DocumentRecord, GrantRecord, NewEvent, Store
from bokeh_server.storage.documents import check_title
from bokeh_server.storage.forks import ForkGuard
from bokeh_server.storage.usage import ROW_BYTES

__all__ = ["Engine"]

log = logging.getLogger(__name__)

#: what a broker is told in place of a number when a document was deleted.
DELETED = -1


class Engine:
    """Opens documents, and keeps them in memory while they are used.

    Threads start with the first document, never here, so that a server may fork before.

    :param store: the database; closing it is the caller's task.
    :param broker: tells the other processes that use the database of changes, and hears of theirs.
    :param schema: is asked about every change before it is applied.
    :param quotas: how much users may store; without it, as much as they like.
    :param authored: is told whose changes of which documents were committed; must not block.
    :param sharing: look up who besides its owner has a role in a document.
    """

    def __init__(
        self,
        store: Store,
        *,
        broker: Broker | None = None,
        limits: Limits | None = None,
        schema: Schema | None = None,
        sharing: bool = False,
        quotas: Quotas | None = None,
        authored: Callable[[set[tuple[str, str]]], None] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._sharing = sharing
        self._quotas = quotas
        self._store = store
        self._broker = broker
        self._schema = schema
        self._watchers = Watchers()
        self._committer = Committer(store.changes.append, self.limits, self._committed, authored)
        self._settler = Settler(self.limits.quiet_seconds)
        self._housekeeper = Housekeeper(
            store, self.limits, self._in_memory, self._unload, self._bring_in
        )
        self._follower = LogFollower(store, self.limits, self._in_memory, self._heard, self._gone)
        self._fork = ForkGuard(self._reset)
        self._unsubscribe = broker.subscribe(self._heard) if broker is not None else None

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, LiveDocument] = {}
        # Whoever still holds a document that left memory finds the same one when it comes back.
        self._known: WeakValueDictionary[str, LiveDocument] = WeakValueDictionary()
        self._identities = Identities(self.get, self._roles_in)
        self._revisions = Revisions(self._store, self.limits)

    # --- documents as a whole ------------------------------------------------------------

    def create(
        self, owner: str, title: str, docid: str | None = None, event: NewEvent | None = None
    ) -> DocumentRecord:
        """Make an empty document.

        :param event: what is noted of it in the same transaction, here and below.

        :raises TitleTaken: the owner has one of this title.
        :raises QuotaReached: the owner has as many documents as they may.
        """
        most = self._quotas.documents_of(owner) if self._quotas is not None else 0
        record = run_blocking(self._store.documents.create, owner, title, docid, event, most)
        self._watchers.notify(record.docid, "created")
        return record

    def find(self, owner: str, title: str) -> DocumentRecord | None:
        """The owner's document of this title."""
        return run_blocking(self._store.documents.find, owner, title)

    def get(self, docid: str) -> DocumentRecord | None:
        """The document of this id."""
        return run_blocking(self._store.documents.get, docid)

    def identity(self, docid: str) -> Identity | None:
        """The title and owner of a document, and whether it is published.

        Cheap, for every request; what another process changes is seen a second later.
        """
        self._fork.check()
        self._housekeeper.start()
        return self._identities.get(docid)

    def list(self, owner: str | None = None) -> list[DocumentRecord]:
        """The owner's documents, or everybody's; the last changed first."""
        return run_blocking(self._store.documents.list, owner)

    def rename(
        self,
        docid: str,
        title: str,
        *,
        actor: str = SINGLE_USER,
        key: str | None = None,
        request: str | None = None,
    ) -> DocumentRecord:
        """Change a document's title, which its followers hear as ``TitleChanged``.

        :param key: idempotency key, and a fingerprint of its request: see ``LiveDocument.append``.
        :raises TitleTaken: the owner has another document of this title.
        """
        self.open(docid).rename(check_title(title), actor=actor, key=key, request=request)
        self._identities.forget(docid)
        return self.require(docid)

    def publish(self, docid: str, published: bool, event: NewEvent | None = None) -> DocumentRecord:
        """Let everybody read a document, or no longer.

        :raises UnknownDocument: there is no such document.
        """
        record = run_blocking(self._store.documents.publish, docid, published, event)
        self._identities.forget(docid)
        self._watchers.notify(docid, "rights")
        return record

    def embed(self, docid: str, sites: Sites, event: NewEvent | None = None) -> None:
        """Let pages of these sites alone embed a document; ``None``: of every site.

        :raises UnknownDocument: there is no such document.
        """
        run_blocking(self._store.documents.embed, docid, write_sites(sites), event)
        self._identities.forget(docid)

    def share(
        self,
        docid: str,
        name: str,
        role: str,
        event: NewEvent | None = None,
        *,
        make: bool = False,
    ) -> None:
        """Give somebody a role in a document, in the place of the one they had.

        :param role: ``editor`` or ``viewer``.
        :param make: make the user, where there is none of this name.
        :raises NotFound: nobody has this name.
        """
        give = self._store.grants.give
        run_blocking(lambda: give(docid, name, role, event, make=make))
        self._identities.forget(docid)
        self._watchers.notify(docid, "rights")

    def unshare(self, docid: str, name: str, event: NewEvent | None = None) -> bool:
        """Take somebody's role away; whether they had one."""
        had = run_blocking(self._store.grants.take, docid, name, event)
        self._identities.forget(docid)
        self._watchers.notify(docid, "rights")
        return had

    def shares(self, docid: str) -> Sequence[GrantRecord]:
        """Who has a role in a document besides its owner."""
        return run_blocking(self._store.grants.of, docid)

    def shared_with(self, name: str) -> Sequence[DocumentRecord]:
        """The documents in which somebody has a role, the last changed first."""
        return run_blocking(self._store.grants.shared_with, name)

    def _roles_in(self, docid: str) -> Mapping[str, str]:
        return run_blocking(self._store.grants.roles, docid) if self._sharing else {}

    def delete(self, docid: str, event: NewEvent | None = None) -> None:
        """Delete a document for good; its followers are told to leave.

        :raises UnknownDocument: there is no such document.
        """
        identity = self._identities.get(docid) if self._quotas is not None else None
        run_blocking(self._store.documents.delete, docid, event)
        if identity is not None and self._quotas is not None:
            self._quotas.forget(identity.owner)
        self._gone(docid)
        if self._broker is not None:
            self._broker.publish(docid, DELETED)

    def viewers(self, docid: str) -> int:
        """How many browsers follow a document in this process."""
        document = self._known.get(docid)
        return 0 if document is None else document.channel.viewers

    def people(self, docid: str) -> Sequence[str | None]:
        """The names of those whose browsers follow a document in this process.

        One for every browser, or every tab of one; ``None`` for whoever is not logged in.
        """
        document = self._known.get(docid)
        return [] if document is None else document.channel.people()

    def watched(self) -> dict[str, int]:
        """How many browsers follow each document, of those that any follows in this process."""
        with self._lock:
            documents = tuple(self._known.values())
        viewers = ((each.docid, each.channel.viewers) for each in documents)
        return {docid: count for docid, count in viewers if count}

    def require(self, docid: str) -> DocumentRecord:
        """The document of this id.

        :raises UnknownDocument: there is none.
        """
        record = self.get(docid)
        if record is None:
            raise unknown_document(docid)
        return record

    # --- documents in memory -------------------------------------------------------------

    def open(self, docid: str) -> LiveDocument:
        """The document, brought into memory if need be.

        :raises UnknownDocument: there is no such document.
        """
        self._fork.check()
        document = self._loaded.get(docid)
        if document is None or document.stale:
            document = self._bring_in(docid)
        document.used = time.monotonic()
        return document

    def revision(self, docid: str, seq: int) -> Revision:
        """The document as it was after change ``seq``; 0 is before the first.

        :raises UnknownDocument: there is no such document.
        :raises UnknownRevision: it has no such change yet.
        :raises NoLongerKept: it had one, which is not kept any more.
        """
        self._fork.check()
        return self._revisions.open(docid, seq)

    def span(self, docid: str) -> Span:
        """Which revisions of a document can be opened.

        :raises UnknownDocument: there is no such document.
        """
        return self._revisions.span(docid)

    def _bring_in(self, docid: str) -> LiveDocument:
        if self._schema is not None:
            self._schema.prepare()
        self._housekeeper.start()
        self._follower.start()
        with self._lock:
            document = self._known.get(docid)
            if document is None or document.deleted:
                document = LiveDocument(
                    docid,
                    self._store,
                    self._committer,
                    self.limits,
                    self._happened,
                    self._keep,
                    self._settler,
                    self._schema,
                    self._admit,
                )
                self._known[docid] = document
        # Everyone who opens it meanwhile waits for the document's own lock in here.
        document.load()
        return document

    def _admit(self, docid: str, size: int) -> None:
        identity = self._identities.get(docid) if self._quotas is not None else None
        if identity is not None and self._quotas is not None:
            self._quotas.admit(identity.owner, size + ROW_BYTES)

    def _keep(self, document: LiveDocument) -> None:
        # They are found by numbers, which mean others where the database lost changes.
        self._revisions.forget(document.docid)
        with self._lock:
            self._loaded[document.docid] = document

    def _in_memory(self) -> Sequence[LiveDocument]:
        with self._lock:
            return tuple(self._loaded.values())

    def _unload(self, document: LiveDocument) -> None:
        if document.unload():
            with self._lock:
                if document.stale:
                    self._loaded.pop(document.docid, None)

    def _gone(self, docid: str) -> None:
        self._identities.forget(docid)
        self._revisions.forget(docid)
        with self._lock:
            document = self._known.pop(docid, None)
            self._loaded.pop(docid, None)
        if document is not None:
            document.mark_deleted()
        self._watchers.notify(docid, "deleted")

    # --- what happens --------------------------------------------------------------------

    def watch(self, callback: Callable[[str, str], None]) -> Callable[[], None]:
        """Hear of everything that happens in this process.

        :param callback: called with a docid and ``"created"``, ``"changed"``, ``"deleted"``,
            ``"rights"`` (who may do what) or ``"viewers"``, from any thread; must not block.
        :returns: the unsubscriber.
        """
        return self._watchers.add(callback)

    def _happened(self, docid: str, what: str) -> None:
        self._watchers.notify(docid, what)
        document = self._loaded.get(docid) if what == "changed" else None
        if document is not None and document.snapshot_due:
            self._housekeeper.look_at(document)

    def _committed(self, heads: dict[str, int]) -> None:
        if self._broker is not None:
            for docid, seq in heads.items():
                self._broker.publish(docid, seq)

    def _heard(self, docid: str, seq: int) -> None:
        document = self._known.get(docid)
        if document is None:
            return
        if seq == DELETED:
            self._gone(docid)
        elif document.hear(seq):
            self._follower.look_at(document)

    def close(self) -> None:
        """Commit what waits, write snapshots, stop the threads; the store stays open."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._follower.close()
        self._housekeeper.close()
        self._settler.close()
        self._committer.close()
        self._fork.check()
        for document in self._in_memory():
            self._last_snapshot(document)

    def _last_snapshot(self, document: LiveDocument) -> None:
        try:
            document.snapshot()
        except BokehServerError as error:
            # Nothing is lost: the log has it all, and loading only takes longer.
            log.warning("%s", error)
