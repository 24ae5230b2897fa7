"""One run of an application for one browser: its document, who follows it, and its callbacks."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from bokeh.document import Document
from bokeh.document.events import (
    DocumentChangedEvent,
    DocumentPatchedEvent,
    SessionCallbackAdded,
    SessionCallbackRemoved,
)
from bokeh.events import ConnectionLost

from bokeh_server.apps.callbacks import Callbacks, Runner
from bokeh_server.apps.coroutines import Coroutines, run_apart
from bokeh_server.apps.encoding import encode_document, encode_event, replace_by, serialized
from bokeh_server.apps.lock import DocumentLock
from bokeh_server.apps.schedule import Schedule
from bokeh_server.blocking import is_gevent
from bokeh_server.channels import Channel, Cursor, Entry, Follower
from bokeh_server.errors import (
    ApplicationUnavailable,
    BokehServerError,
    InvalidPatch,
    SessionGone,
)
from bokeh_server.protocol import Buffers, Patch
from bokeh_server.protocol.messages import Body

__all__ = ["EXPIRED", "AppSession", "Pulled"]

log = logging.getLogger("bokeh_server")

#: the session is over: there is no use in connecting again.
EXPIRED = 4005
#: messages that wait for a running callback at once; each holds a thread, where there are threads.
MOST_WAITING = 32


class Pulled:
    """A session's document as it is sent to those who pull it."""

    __slots__ = ("body", "seq")

    def __init__(self, seq: int, body: Body) -> None:
        self.seq = seq
        self.body = body


class AppSession:
    """The session of an application, which connections use as they use a stored document.

    An event is written once, when it happens, and goes to every connection but the one that
    caused it; nobody waits for a connection.

    :ivar channel: its live feed.
    :ivar birth: no other session has it, also not one of the same id.
    :ivar document: Bokeh's document; only to be changed by whoever has the lock.
    :ivar was_left: whether a connection to it has been lost.
    :ivar when_destroyed: runs its hooks and takes its document apart.
    """

    def __init__(
        self, session_id: str, document: Document, schedule: Schedule, coroutines: Coroutines
    ) -> None:
        self.id = session_id
        self.birth = f"session-{secrets.token_hex(8)}"
        self.document = document
        self.channel = Channel()
        # A callback that sends much may let no greenlet write before its end.
        self.lock = DocumentLock(self.channel.keep, self.channel.keep_no_more)
        self._coroutines = coroutines
        self.runner = Runner(document, self.lock, coroutines)
        self._callbacks = Callbacks(self.runner, schedule, self)
        self._state = threading.Lock()
        self._running = 0
        self._waiting = 0
        self._connections = 0
        self.was_left = False
        self.when_destroyed: Callable[[], None] = lambda: None
        self._unused_since = time.monotonic()
        self._destroyed = False
        self.expiration_requested = False
        self.expiration_blocked_count = 0
        self._seq = 0
        self._origin: str | None = None
        self._is_split = False

    def start(self) -> None:
        """Follow what the document does, and run the callbacks that it has already."""
        self._unused_since = time.monotonic()
        callbacks = self.document.callbacks
        dispatch = callbacks.trigger_on_change

        def trigger(event: DocumentChangedEvent) -> None:
            # Before the application's own callbacks: those may fail, and may change it again.
            if callbacks.hold_value is None:
                self._happened(event)
            dispatch(event)

        callbacks.trigger_on_change = trigger  # type: ignore[method-assign]
        for callback in self.document.session_callbacks:
            self._callbacks.add(callback)

    # --- what the document does ----------------------------------------------------------

    def _happened(self, event: DocumentChangedEvent) -> None:
        if self._destroyed:  # hooks of the end may change it, for nobody
            return
        if isinstance(event, SessionCallbackAdded):
            self._callbacks.add(event.callback)
        elif isinstance(event, SessionCallbackRemoved):
            self._callbacks.remove(event.callback)
        elif isinstance(event, DocumentPatchedEvent):
            self._patched(event)

    def _patched(self, event: DocumentPatchedEvent) -> None:
        if not self.lock.is_mine:
            raise RuntimeError(
                "Could not change the document of a session: whoever does it has not its lock. "
                "Use curdoc().add_next_tick_callback(...) in a thread or an unlocked callback."
            )
        self._seq += 1
        if not self.channel.followers:
            return  # whoever pulls next gets everything
        own = self._origin if cast(Any, event.setter) is self else None
        if self._is_split:
            self._is_split, data = False, None
        else:
            data = encode_event(self.document, event, self._seq)
        self.channel.publish(Entry(self._seq, data, origin=own))

    # --- what connections do -------------------------------------------------------------

    def join(self, follower: Follower, *, inline: bool = False) -> tuple[Pulled, Cursor]:
        """Give the whole document, and a cursor to exactly what comes after it.

        :raises SessionGone: it is over.
        """

        def pull() -> tuple[Pulled, Cursor]:
            self._note_split()
            body = encode_document(self.document, inline=inline)
            return Pulled(self._seq, body), self.channel.follow(follower, seq=self._seq)

        result: tuple[Pulled, Cursor] = self._in_turn(pull)
        return result

    def _note_split(self) -> None:
        # Events that are held back may have models which those who pull now know, and others not.
        models = self.document.models
        if self.channel.followers and len(models.synced_references) < len(models):
            self._is_split = True

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
        """Apply a patch of a connection, and run what the application wants to be run then.

        :raises InvalidPatch: it makes no sense, or a callback failed; what it changed before stays.
        """

        def change() -> None:
            self._origin = origin
            try:
                self.document.apply_json_patch(serialized(patch), setter=cast(Any, self))
            finally:
                self._origin = None

        try:
            self._in_turn(change)
        except BokehServerError:
            raise
        except Exception as error:
            log.warning("A patch, or a callback for it, failed", exc_info=True)
            raise InvalidPatch("apply a patch", repr(error)) from error
        return self._seq

    def replace(
        self,
        doc: dict[str, Any],
        buffers: Buffers,
        *,
        actor: str,
        origin: str | None = None,
        key: str | None = None,
    ) -> int:
        """Put another document's content in the place of this one's.

        :raises InvalidPatch: it is none.
        """
        if "config" not in doc:
            raise InvalidPatch("replace the document", "it has no 'config'")

        def change() -> None:
            replace_by(self.document, doc, buffers)
            # whoever sent it has its models, and others were told of them
            self.document.models.flush_synced()

        try:
            self._in_turn(change)
        except BokehServerError:
            raise
        except Exception as error:
            raise InvalidPatch("replace the document", repr(error)) from error
        return self._seq

    def _in_turn(self, function: Callable[[], Any]) -> Any:
        """Do what a connection wants, with the lock, unless too many wait for that.

        :raises ApplicationUnavailable: they do.
        """
        with self._state:
            if self._waiting >= MOST_WAITING and not is_gevent():
                why = f"a callback is running in it, and {self._waiting} messages wait already"
                raise ApplicationUnavailable("use this session", why, "Try again when it is done")
            self._waiting += 1
        try:
            return self.locked(function)
        finally:
            with self._state:
                self._waiting -= 1

    def resume(self, follower: Follower, seq: int) -> tuple[bytes | None, Cursor]:
        """Have a follower that fell too far behind pull again."""
        return None, self.channel.follow(follower, seq=self._seq)

    def connected(self) -> None:
        """Note a connection."""
        with self._state:
            self._connections += 1

    def disconnected(self) -> None:
        """Note that a connection is no more, and tell the application."""
        with self._state:
            self._connections -= 1
            self.was_left = True
            self._unused_since = time.monotonic()
        self._callbacks.run_soon(self.document.callbacks.trigger_event, ConnectionLost())

    # --- for applications, and whoever looks after sessions ------------------------------

    @property
    def connection_count(self) -> int:
        """How many connections it has."""
        return self._connections

    @property
    def destroyed(self) -> bool:
        """Whether it is over."""
        return self._destroyed

    @property
    def milliseconds_since_last_unsubscribe(self) -> float:
        """For how long it has had no connection, or since it was made."""
        return (time.monotonic() - self._unused_since) * 1000

    def request_expiration(self) -> None:
        """Let it end as soon as nobody is connected."""
        self.expiration_requested = True

    @property
    def expiration_blocked(self) -> bool:
        """Whether it is kept, whoever uses it."""
        return self.expiration_blocked_count > 0

    def block_expiration(self) -> None:
        """Keep it until :meth:`unblock_expiration` is called as often, though nobody be there."""
        with self._state:
            self.expiration_blocked_count += 1

    def unblock_expiration(self) -> None:
        """Keep it no longer.

        :raises RuntimeError: it was not kept.
        """
        with self._state:
            if not self.expiration_blocked_count:
                raise RuntimeError("mismatched block_expiration / unblock_expiration")
            self.expiration_blocked_count -= 1

    def with_document_locked(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function, or wait for a coroutine, while nobody else changes the document.

        :returns: the result; in a coroutine, what is to be awaited for it, as with Bokeh's.
        :raises SessionGone: the session is over.
        """
        call = partial(function, *args, **kwargs)
        return run_apart(self.locked, call) if self._coroutines.is_awaited else self.locked(call)

    def locked(
        self, function: Callable[..., Any], *args: Any, patience: float | None = None
    ) -> Any:
        """Call a function, or wait for a coroutine, while nobody else changes the document.

        :param patience: seconds to wait for that; ``None``: as long as it takes.
        :raises SessionGone: the session is over.
        :raises ApplicationUnavailable: a callback ran all that time.
        """
        if self.lock.is_mine:  # also in hooks of the end
            return self.runner.locked(function, *args)
        if not self.begin():
            raise SessionGone(
                "use this session", "it has ended", "Load the page again to get another"
            )
        try:
            return self.runner.locked(function, *args, patience=patience)
        finally:
            self.end()

    def begin(self) -> bool:
        """Note that something runs, so that the session does not end under it."""
        with self._state:
            if self._destroyed:
                return False
            self._running += 1
            return True

    def end(self) -> None:
        """Note that it is done."""
        with self._state:
            self._running -= 1

    def is_unused(self, lifetime: float) -> bool:
        """Whether it may end.

        :param lifetime: seconds that it lives without a connection; less than none: it is to end
            whoever uses it, as soon as nothing runs.
        """
        if self._running:
            return False
        if lifetime < 0:
            return True
        if self._connections or self.expiration_blocked:
            return False
        unused = time.monotonic() - self._unused_since
        return self.expiration_requested or unused >= lifetime

    def finish(self, lifetime: float) -> bool:
        """End it, if it is unused still; its document stays as it is."""
        with self._state:
            if self._destroyed or not self.is_unused(lifetime):
                return False
            self._destroyed = True
        self._callbacks.remove_all()
        self.channel.close(EXPIRED)
        return True

    def destroy(self) -> None:
        """End it at once, with its hooks, whoever uses it; unless a callback runs."""
        if self.finish(-1.0):
            self.when_destroyed()
