"""The one thread that writes changes: whatever waits goes into one transaction.

Groups form by themselves: while one transaction is on its way to the disk, the next changes wait.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from bokeh_server.blocking import run_blocking
from bokeh_server.documents.limits import Limits
from bokeh_server.documents.worker import Worker
from bokeh_server.errors import BokehServerError, ServerFault, StorageUnavailable
from bokeh_server.storage import Clash, NewChange, Outcome, Stored

__all__ = ["UNWRITTEN", "Committer", "Pending"]

log = logging.getLogger(__name__)

#: the head in the ``Clash`` of a change that was not even tried, as one before it was refused.
UNWRITTEN = -1


class Owner(Protocol):
    """The document that waits for a change."""

    #: its memory no longer agrees with the log, so nothing applied to it may be stored.
    stale: bool

    def settle(self, pending: Pending) -> None:
        """Take note of ``pending.outcome`` or ``pending.failure``: runs in the committer."""


class Pending:
    """A change on its way to the log, and the writers that wait for it.

    :param owner: the document it was applied to.
    :param cargo: what the document needs again when it settles; not looked at here.
    """

    __slots__ = ("_latch", "cargo", "change", "failure", "outcome", "owner")

    def __init__(self, owner: Owner, change: NewChange, cargo: object) -> None:
        self.owner = owner
        self.change = change
        self.cargo = cargo
        self.outcome: Outcome | None = None
        self.failure: Exception | None = None
        # A bare lock is the cheapest thing to wait for: taken now, let go by `release`.
        self._latch = threading.Lock()
        self._latch.acquire()

    def release(self) -> None:
        """Wake every writer that waits."""
        self._latch.release()

    def wait(self) -> Outcome:
        """Wait until it is settled.

        :raises ServerFault: it was not stored.
        """
        with self._latch:
            if self.outcome is not None:
                return self.outcome
            raise self._error()

    def _error(self) -> BokehServerError:
        if isinstance(self.failure, BokehServerError):
            return copy.copy(self.failure)  # each writer's own, as tracebacks are kept in it
        error = ServerFault(
            "store a change", f"the server failed ({self.failure!r})", "See the server's log"
        )
        error.__cause__ = self.failure
        return error


class Committer(Worker):
    """Takes changes from any thread and writes them from one.

    :param append: :meth:`bokeh_server.storage.ChangeStore.append`.
    :param committed: is told the newest ``seq`` of each document of a group, after its writers
        were woken.
    :param authored: is told the document and the actor of every change of a group.
    """

    def __init__(
        self,
        append: Callable[[Sequence[NewChange]], list[Outcome]],
        limits: Limits,
        committed: Callable[[dict[str, int]], None] = lambda _heads: None,
        authored: Callable[[set[tuple[str, str]]], None] | None = None,
    ) -> None:
        self._append = append
        self._limits = limits
        self._committed = committed
        self._authored = authored
        super().__init__("bokeh-server-committer")

    def _reset(self) -> None:
        super()._reset()
        self._waiting: deque[Pending] = deque()

    def submit(self, pending: Pending) -> None:
        """Have a change written; returns at once.

        :raises StorageUnavailable: the server is stopping.
        """
        self._fork.check()
        with self._wakeup:
            if self._closing:
                raise StorageUnavailable(
                    "store a change", "the server is stopping", "Try again in a moment"
                )
            self._waiting.append(pending)
            self._start()
            self._wakeup.notify()

    def _run(self) -> None:
        while group := self._take():
            self._write(group)

    def _take(self) -> list[Pending]:
        with self._wakeup:
            while not self._waiting and not self._closing:
                self._wakeup.wait()
            return self._bounded()

    def _bounded(self) -> list[Pending]:
        group: list[Pending] = []
        size = 0
        while self._waiting and len(group) < self._limits.group_changes:
            size += len(self._waiting[0].change.body)
            if group and size > self._limits.group_bytes:
                break
            group.append(self._waiting.popleft())
        return group

    def _write(self, group: list[Pending]) -> None:
        sound = [each for each in group if each.failure is None and not each.owner.stale]
        self._store(sound)
        self._settle(group)

    def _store(self, group: list[Pending]) -> None:
        try:
            outcomes = run_blocking(self._append, [pending.change for pending in group])
        except Exception as error:
            self._find_fault(group, error)
        else:
            for pending, outcome in zip(group, outcomes, strict=True):
                pending.outcome = outcome

    def _find_fault(self, group: list[Pending], error: Exception) -> None:
        documents: dict[str, list[Pending]] = {}
        for pending in group:
            documents.setdefault(pending.change.docid, []).append(pending)
        if isinstance(error, StorageUnavailable) or len(documents) == 1:
            return self._fail(group, error)
        # The database answers, so it may be that it does not take the changes of one document.
        for part in documents.values():
            self._store(part)

    def _fail(self, group: list[Pending], error: Exception) -> None:
        log.log(
            logging.WARNING if isinstance(error, BokehServerError) else logging.ERROR,
            "%d changes were not stored: %s",
            len(group),
            error,
            exc_info=None if isinstance(error, BokehServerError) else error,
        )
        for pending in [*group, *self._built_on(group)]:
            pending.failure = error

    def _built_on(self, group: list[Pending]) -> list[Pending]:
        # They fail with it: a database that is lost takes its time to say so, and they waited.
        owners = {id(pending.owner) for pending in group}
        with self._wakeup:
            return [pending for pending in self._waiting if id(pending.owner) in owners]

    def _settle(self, group: list[Pending]) -> None:
        for pending in group:
            if pending.outcome is None and pending.failure is None:
                # Applied to memory that another change has since proved wrong.
                pending.outcome = Clash(UNWRITTEN)
            try:
                pending.owner.settle(pending)
            except Exception:
                log.exception("telling the followers of %s failed", pending.change.docid)
        for pending in group:
            pending.release()
        self._announce(group)

    def _announce(self, group: list[Pending]) -> None:
        stored = [each.change for each in group if isinstance(each.outcome, Stored)]
        try:
            self._committed({change.docid: change.seq for change in stored})
            if self._authored is not None:
                self._authored({(change.docid, change.actor) for change in stored})
        except Exception:
            log.exception("telling other processes of changes failed")
