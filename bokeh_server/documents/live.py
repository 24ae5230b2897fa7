"""A stored document in memory: applies changes, has them committed, feeds its followers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import orjson

from bokeh_server.blocking import run_blocking, run_sized
from bokeh_server.documents.answers import (
    Answer,
    check_key,
    check_same,
    first_answer,
    missing,
    with_notes,
)
from bokeh_server.documents.committer import Committer, Pending
from bokeh_server.documents.feed import message_entry
from bokeh_server.documents.history import ANYTHING, Edit, Key
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.loading import unknown_document
from bokeh_server.documents.making import (
    Cargo,
    Source,
    Unchanged,
    answer_of,
    entries_of,
    keys_of,
    mistaken,
    newest_entry,
    only_messages,
    title_taken,
    too_large,
    way_back,
)
from bokeh_server.documents.memory import Notify
from bokeh_server.documents.reading import Pulled, Readable
from bokeh_server.documents.revisions import rebuild
from bokeh_server.documents.settling import Settler
from bokeh_server.errors import CallerError, InvalidPatch, QuotaReached, StorageUnavailable
from bokeh_server.protocol import Applied, Buffers, Patch, Schema, WireDocument, pack
from bokeh_server.storage import Gone, NewChange, Outcome, Repeated, Store, Stored, Taken

__all__ = ["LiveDocument", "Pulled"]

#: the kind of event that appends rows, as it is written.
STREAMED = b'"ColumnsStreamed"'

Make = Callable[[WireDocument], Applied]


class LiveDocument(Readable):
    """One stored document. :meth:`bokeh_server.documents.Engine.open` gives it."""

    def __init__(
        self,
        docid: str,
        store: Store,
        committer: Committer,
        limits: Limits,
        notify: Notify,
        keep: Callable[[LiveDocument], None],
        settler: Settler,
        schema: Schema | None,
        admit: Callable[[str, int], None] = lambda _docid, _size: None,
    ) -> None:
        super().__init__(docid, store, limits, notify, keep)
        self._committer = committer
        self._settler = settler
        self._schema = schema
        self._admit = admit

    # --- writing -------------------------------------------------------------------------

    def apply(
        self,
        patch: Patch,
        *,
        actor: str,
        origin: str | None = None,
        key: str | None = None,
        browser: bool = False,
        ranges: bool = True,
        seen: float | None = None,
    ) -> int:
        """As :meth:`append`, for whoever needs only the number."""
        return self.append(
            patch,
            actor=actor,
            origin=origin,
            key=key,
            browser=browser,
            ranges=ranges,
            seen=seen,
        ).seq

    def append(
        self,
        patch: Patch,
        *,
        actor: str,
        origin: str | None = None,
        key: str | None = None,
        browser: bool = False,
        ranges: bool = True,
        seen: float | None = None,
        request: str | None = None,
    ) -> Answer:
        """Apply a patch, commit it, and send it to every follower.

        :param actor: the user's name, for the log.
        :param origin: the follower that sent it and does not get it back.
        :param key: idempotency key: the second change of a key is not applied, but answered as
            the first was, as long as the log has that.
        :param browser: a browser sent it, so what it computed for its screen is left out.
        :param ranges: from a browser: keep the bounds of automatic ranges.
        :param seen: the last change that the sender had when it made this one; without it, what
            was sent to it a moment ago counts as not seen.
        :param request: a fingerprint of the request, so that a ``key`` that was used for another
            is refused.
        :raises InvalidPatch: nothing of it was applied.
        :raises QuotaReached: its owner has no room for it.
        :raises KeyReused: its key is that of another request.
        :raises ServerFault: it was not stored, as a rule; the same ``key`` makes trying again safe.
        """

        def make(wire: WireDocument) -> Applied:
            return wire.apply(
                wire.without_view_state(patch, browser=browser, ranges=ranges),
                schema=self._schema,
            )

        source = Source(
            actor,
            origin,
            key,
            browser,
            seen,
            request=request,
            missing=missing(patch),
            transient=only_messages(patch),
        )
        try:
            return self._write(lambda wire: run_sized(patch.weight, make, wire), source)
        except InvalidPatch:
            if browser and origin is not None and seen is None:
                self._settler.note(self, origin, keys_of(patch), postponed=False)
            raise

    def edit(
        self,
        plan: Callable[[WireDocument], Patch],
        *,
        actor: str,
        origin: str | None = None,
        key: str | None = None,
        request: str | None = None,
        weight: int = 0,
    ) -> int:
        """Apply a patch that is made of the document as it is just then; see :meth:`apply`.

        :param plan: makes the patch, or raises a ``CallerError``; it may be called several times
            and in any thread, and must not use the document after.
        :param weight: bytes that are worked on, at most, as of a patch.
        """
        return self._write(
            lambda wire: run_sized(weight, lambda: wire.apply(plan(wire), schema=self._schema)),
            Source(actor, origin, key, request=request),
        ).seq

    def replace(
        self,
        doc: dict[str, Any],
        buffers: Buffers,
        *,
        actor: str,
        origin: str | None = None,
        key: str | None = None,
        request: str | None = None,
    ) -> int:
        """Replace everything by another document's content, as one change; see :meth:`apply`.

        :param doc: Bokeh's DocJson, of any size.
        """
        return self._write(
            lambda wire: run_blocking(lambda: wire.replace(doc, buffers, schema=self._schema)),
            Source(actor, origin, key, whole=True, request=request),
        ).seq

    def restore(
        self,
        seq: int,
        *,
        actor: str,
        origin: str | None = None,
        key: str | None = None,
        request: str | None = None,
    ) -> int:
        """Make the document again what it was after change ``seq``, as a new change.

        What came after stays in the log, so this is undone by restoring the revision before.

        :raises UnknownRevision: there is no such change yet.
        :raises NoLongerKept: there was one, which is not kept any more.
        """
        source = Source(actor, origin, key, whole=True, restores=seq, request=request)
        check_key(key)
        known = self._stored_as(key)  # the revision may not be kept any more by now
        if known is not None:
            return check_same(known, request).seq
        wire, _ = rebuild(self._store, self.docid, seq)
        content, buffers = run_blocking(wire.content)
        doc = run_sized(len(content), orjson.loads, content)
        # It was accepted once, so the schema, which may have become stricter, is not asked.
        return self._write(
            lambda wire: run_blocking(lambda: wire.replace(doc, buffers, exact=True)), source
        ).seq

    def rename(
        self, title: str, *, actor: str, key: str | None = None, request: str | None = None
    ) -> int:
        """Change the title under which it is found, and that of its pages.

        :raises TitleTaken: the owner has another document of this title.
        """
        patch = Patch([{"kind": "TitleChanged", "title": title}], {})
        source = Source(actor, None, key, request=request)
        return self._write(lambda wire: wire.apply(patch), source, title=title).seq

    def _write(self, make: Make, source: Source, title: str | None = None) -> Answer:
        check_key(source.key)
        for _ in range(self._limits.attempts):
            begun = self._begin(make, source, title)
            outcome = begun.wait() if isinstance(begun, Pending) else begun
            answer = self._answer(begun, outcome, source)
            if answer is not None:
                return check_same(answer, source.request)
            if isinstance(outcome, Gone):
                raise unknown_document(self.docid)
            if isinstance(outcome, Taken):
                raise title_taken(outcome.title)
        raise StorageUnavailable(
            f"change document {self.docid}",
            "other servers change it all the time",
            "Try again in a moment",
        )

    def _answer(self, begun: object, outcome: Outcome | Answer, source: Source) -> Answer | None:
        if isinstance(outcome, Answer):
            return outcome
        if isinstance(outcome, Stored):
            return answer_of(begun)
        if isinstance(outcome, Repeated):
            return self._stored_as(source.key) or Answer(outcome.seq)
        return None

    def _begin(self, make: Make, source: Source, title: str | None) -> Pending | Answer | Repeated:
        try:
            with self._lock:
                begun = self._make(make, source, title)
        except CallerError:
            known = self._stored_as(source.key)
            if known is None:
                raise
            return known
        if isinstance(begun, Unchanged):
            return self._stored_as(source.key) or self._relay(begun, source)
        return begun

    def _make(
        self, make: Make, source: Source, title: str | None
    ) -> Pending | Repeated | Unchanged:
        wire = self._fresh()
        known = self._known(source.key)
        if known is not None:
            return known
        applied = None
        try:
            applied = make(wire)
            gone = source.missing(wire)
            # With a key it goes into the log, too: sent again it might have something to change.
            if title is None and not applied.keys and (source.key is None or source.transient):
                return Unchanged(applied.messages, gone)
            return self._submit(wire, applied, source, title, gone)
        except BaseException as error:
            self._drop(applied, error)
            raise

    def _drop(self, applied: Applied | None, error: BaseException) -> None:
        # Nothing was applied after it, so it can be taken back before what is on its way.
        if applied is not None and applied.undo is not None:
            applied.undo()
        elif applied is not None or not isinstance(error, CallerError):
            self._refuse(None)

    def _known(self, key: str | None) -> Pending | Repeated | None:
        if key is None:
            return None
        seq = self._history.answer(key)
        return self._underway.find(key) if seq is None else Repeated(seq)

    def _stored_as(self, key: str | None) -> Answer | None:
        # A change may make no sense because it was stored before, longer ago than is remembered.
        # It asks the database, so others may use the document meanwhile.
        record = key and run_blocking(self._store.changes.by_key, self.docid, key)
        return first_answer(record) if record else None

    def _relay(self, unchanged: Unchanged, source: Source) -> Answer:
        if unchanged.messages:
            self.channel.publish(
                message_entry(self.seq, unchanged.messages, source.origin, source.browser)
            )
        return Answer(self.seq, unchanged.gone)

    def _submit(
        self,
        wire: WireDocument,
        applied: Applied,
        source: Source,
        title: str | None,
        gone: tuple[str, ...],
    ) -> Pending:
        request = source.request if source.key is not None else None
        notes = {"restored": source.restores, "gone": gone, "request": request}
        events = with_notes(applied.events, **notes)
        body = run_sized(applied.size, pack, events, applied.buffers)
        if len(body) > self._limits.patch_bytes and not source.whole:
            raise too_large(self.docid, len(body), self._limits.patch_bytes)
        if title is None:
            self._admit(self.docid, len(body))
        seq = self._head + 1
        wire.stamp(applied, seq)
        plots = len(wire.plots()) if applied.structural or applied.resync else None
        change = NewChange(
            self.docid, seq, source.actor, body, source.key, title, plots, self.created
        )
        entries, rows = entries_of(applied, source, seq), STREAMED in applied.events
        edit = Edit(seq, source.origin, applied.keys, source.seen)
        answer = Answer(seq, gone, request)
        wrong = mistaken(applied, source)
        cargo = Cargo(answer, applied.undo, entries, edit, rows, applied.resync, wrong)
        pending = Pending(self, change, cargo)
        self._underway.add(pending)
        try:
            self._committer.submit(pending)
        except BaseException:
            self._underway.remove(pending)
            raise
        self._head = seq
        return pending

    def _has_room(self, size: int) -> bool:
        try:
            self._admit(self.docid, size)
        except QuotaReached:
            return False
        return True

    # --- the committer's side ------------------------------------------------------------

    def settle(self, pending: Pending) -> None:
        """Take what became of a change: publish it, or know the memory to be wrong."""
        try:
            cargo, outcome = pending.cargo, pending.outcome
            if isinstance(outcome, Stored) and isinstance(cargo, Cargo):
                self._publish(pending.change, cargo)
            else:
                undo, head = way_back(pending, self.seq)
                self._heard = max(self._heard, head)
                self._refuse(undo)
        finally:
            self._underway.remove(pending)

    def _publish(self, change: NewChange, cargo: Cargo) -> None:
        self._note(change.seq, change.key, len(change.body))
        for entry in cargo.entries:
            self.channel.publish(entry)
        self._look_for_crossing(cargo.edit, cargo.wrong, rows=cargo.rows, resync=cargo.resync)
        self._notify(self.docid, "changed")

    def _look_for_crossing(
        self,
        edit: Edit,
        wrong: Collection[Key] = (),
        *,
        rows: bool = False,
        resync: bool = False,
    ) -> None:
        crossed = self._history.touch(edit).union(wrong)
        if not resync:
            crossed.discard(ANYTHING)
        if edit.origin is not None and self.channel.has(edit.origin):
            self._settler.note(self, edit.origin, crossed, postponed=not rows)

    def _tell_again(self, origin: str, seq: int) -> None:
        # A follower that is behind has lost what was meant for it alone.
        lost = self._history.told_since(origin, seq)
        if lost:
            self._settler.note(self, origin, lost)

    def put_right(self, origin: str, keys: Iterable[Key]) -> bool:
        """Send the newest values of some attributes to one follower, whose edits of them crossed.

        :returns: false when others use the document for longer than this waits.
        :raises UnknownDocument: the document was deleted meanwhile.
        """
        if not self.channel.has(origin):
            return True  # it pulls when it comes back
        with self._steady_soon() as wire:
            if wire is None:
                return False
            number = self._history.number(self.seq)
            self._history.told(origin, keys, number)
            self.channel.publish(newest_entry(wire, keys, self.seq, number, origin))
            return True
