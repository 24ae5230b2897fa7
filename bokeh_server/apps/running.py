"""One application on this server: its sessions, from the first request to the last hook."""

from __future__ import annotations

import inspect
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from bokeh.application.application import Application
from bokeh.application.handlers.code import CodeHandler
from bokeh.application.handlers.directory import DirectoryHandler
from bokeh.application.handlers.document_lifecycle import DocumentLifecycleHandler
from bokeh.document import Document
from bokeh.settings import settings

from bokeh_server.apps.containing import contained
from bokeh_server.apps.contexts import AppServerContext, AppSessionContext
from bokeh_server.apps.coroutines import Coroutines
from bokeh_server.apps.curdoc import call_with
from bokeh_server.apps.options import HostOptions
from bokeh_server.apps.publishing import Publisher
from bokeh_server.apps.requests import AppRequest
from bokeh_server.apps.schedule import Schedule
from bokeh_server.apps.scripts import SCRIPTS, bokehs_names_kept
from bokeh_server.apps.session import AppSession
from bokeh_server.apps.teardown import take_apart
from bokeh_server.apps.warming import Made, WarmSessions
from bokeh_server.crew import Crew
from bokeh_server.errors import ApplicationFailed, ApplicationUnavailable, NotFound, ServerFault

__all__ = ["RunningApplication"]

log = logging.getLogger("bokeh_server")

#: seconds that coroutines of hooks may take together after all callbacks have ended.
HOOK_SECONDS = 5.0
#: sessions of an application whose hooks of the end run at once.
MOST_ENDING = 8


class _Making:
    """A session that is being made; whoever else wants it waits."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.session: AppSession | None = None


class RunningApplication:
    """Makes sessions of an application, keeps them, and lets go of those that nobody uses.

    :ivar path: where it is served, such as ``/sliders``; ``/`` for the root.
    :ivar application: Bokeh's.
    :ivar warm: sessions that are made ahead.
    """

    def __init__(
        self,
        path: str,
        application: Application,
        schedule: Schedule,
        coroutines: Coroutines,
        options: HostOptions,
        publisher: Publisher | None = None,
    ) -> None:
        self.path = path
        self.application = application
        self.context = AppServerContext(self, publisher)
        self._schedule = schedule
        self._coroutines = coroutines
        self._options = options
        self._lock = threading.Lock()
        self._sessions: dict[str, AppSession] = {}
        self._making: dict[str, _Making] = {}
        self._enders = Crew(MOST_ENDING)
        self._deadline: float | None = None
        self.warm = WarmSessions(
            path,
            options.warm,
            lambda: self._run(None, AppRequest(), {}),
            lambda made: made[0].destroy(),
            schedule,
        )
        if not any(isinstance(each, DocumentLifecycleHandler) for each in application.handlers):
            application.add(DocumentLifecycleHandler())
        self._runs_scripts = any(
            isinstance(each, CodeHandler | DirectoryHandler) for each in application.handlers
        )

    # --- sessions ------------------------------------------------------------------------

    def sessions(self) -> list[AppSession]:
        """Its sessions in this process."""
        return list(self._sessions.values())

    def find(self, session_id: str) -> AppSession | None:
        """The session of this id, if there is one in this process."""
        return self._sessions.get(session_id)

    def get_session(self, session_id: str) -> AppSession:
        """The session of this id.

        :raises NotFound: there is none in this process.
        """
        session = self.find(session_id)
        if session is None:
            raise NotFound("find a session", f"there is none of the id {session_id[:80]!r}")
        return session

    def open(self, session_id: str, request: AppRequest, payload: dict[str, Any]) -> AppSession:
        """The session of this id; it is made when there is none.

        :param request: what the session is made of.
        :param payload: what its token says.
        :raises ApplicationFailed: the application's code failed; it may be tried again.
        """
        while True:
            with self._lock:
                known = self._sessions.get(session_id)
                if known is not None:
                    return known
                making = self._making.get(session_id)
                if making is None:
                    mine = self._making[session_id] = _Making()
                    break
            if not making.done.wait(self._options.patience):
                raise self._busy("its session is being made", self._options.patience)
            if making.session is not None:
                return making.session
        try:
            mine.session = self._make(session_id, request, payload)
            return mine.session
        finally:
            with self._lock:
                del self._making[session_id]
            mine.done.set()

    def _make(self, session_id: str, request: AppRequest, payload: dict[str, Any]) -> AppSession:
        made = self.warm.take()
        if made is None:
            made = self._run(session_id, request, payload)
        session, context = made
        context.become(session_id, request, payload)
        session.id = session_id
        session.start()
        with self._lock:
            over = self._deadline is not None
            if not over:
                self._sessions[session_id] = session
        if over:
            session.destroy()
            why = "another one takes its place, or the server is stopping"
            raise ApplicationUnavailable(f"run the application {self.path}", why, "Load it again")
        return session

    def _run(self, session_id: str | None, request: AppRequest, payload: dict[str, Any]) -> Made:
        """Run the application; its callbacks do not run yet.

        :param session_id: ``None``: the session is nobody's yet.
        """
        document = Document()
        context = AppSessionContext(
            session_id, self.context, document, request, payload, self._options.logout_url
        )
        set_context(document, context)
        self._run_hooks("on_session_created", context)
        try:
            self._initialize(document)
        except BaseException:
            # What the script has made so far goes, and its modules, which would stay for ever.
            self._run_hooks("on_session_destroyed", context)
            take_apart(document)
            raise
        session = AppSession(session_id or "", document, self._schedule, self._coroutines)
        context.session = session
        session.when_destroyed = partial(self._discard, session, context)
        return session, context

    def _initialize(self, document: Document) -> None:
        try:
            with self._scripts():
                call_with(document, self._modify, document)
        except ServerFault:
            raise
        except Exception as error:
            log.exception("The application %s failed", self.path)
            raise self._failed(error) from error

    @contextmanager
    def _scripts(self) -> Iterator[None]:
        """Wait until no other script runs, if this is one."""
        if not self._runs_scripts:
            yield
            return
        if not SCRIPTS.begin(self._options.patience):
            raise self._busy("the script of another session is running", self._options.patience)
        try:
            with bokehs_names_kept():
                yield
        finally:
            SCRIPTS.end()

    def _busy(self, what: str, seconds: float) -> ApplicationUnavailable:
        why = f"{what}, for over {seconds:g} seconds"
        return ApplicationUnavailable(f"run the application {self.path}", why, "Try again later")

    def _modify(self, document: Document) -> None:
        for handler in self.application.handlers:
            contained(handler.modify_document, document)
            if handler.failed:
                detail = f"{handler.error}\n{handler.error_detail}"
                log.error("The application %s failed: %s", self.path, detail)
                raise self._failed(handler.error)
        if settings.perform_document_validation():
            document.validate()

    def _failed(self, reason: object) -> ApplicationFailed:
        why = "its code failed; the server's log says where"
        log.debug("%s: %s", self.path, reason)
        return ApplicationFailed(f"run the application {self.path}", why, "Try again")

    def payload_of(self, request: AppRequest) -> dict[str, Any]:
        """What the application's ``process_request`` gives for a request.

        :raises ApplicationFailed: it failed, or gives what it may not.
        """
        try:
            given = dict(contained(self.application.process_request, request))  # type: ignore[arg-type]
        except Exception as error:
            log.exception("process_request of the application %s failed", self.path)
            raise self._failed(error) from error
        if "session_id" in given:
            why = "its process_request gives 'session_id', which is the server's own"
            raise ApplicationFailed(f"run the application {self.path}", why)
        return given

    # --- their end -----------------------------------------------------------------------

    def discard_unused(self) -> None:
        """Let go of the sessions that nobody uses."""
        self.warm.discard_old()
        for session in self.sessions():
            if session.finish(self._options.lifetimes.unused):
                self._enders.submit(session.when_destroyed)

    def _discard(self, session: AppSession, context: AppSessionContext) -> None:
        with self._lock:
            if self._sessions.get(session.id) is session:
                del self._sessions[session.id]
        # The application's modules are emptied with the document, and hooks may want them.
        with session.lock.hold():
            call_with(session.document, self._run_hooks, "on_session_destroyed", context)
        take_apart(session.document)

    # --- hooks ---------------------------------------------------------------------------

    def load(self) -> None:
        """Run ``on_server_loaded``."""
        self._guarded("on_server_loaded", self.application.on_server_loaded)
        self.warm.fill_later()

    def unload(self, deadline: float) -> None:
        """End all sessions, and run ``on_server_unloaded``.

        :param deadline: until when callbacks that run may finish, of the monotonic clock.
        """
        with self._lock:
            self._deadline = deadline
        self.warm.close()
        for session in self.sessions():
            if _ended(session, deadline):
                session.when_destroyed()
        while self._enders.is_busy and time.monotonic() < deadline + HOOK_SECONDS:
            time.sleep(0.01)
        self._enders.stop()
        self._guarded("on_server_unloaded", self.application.on_server_unloaded)

    def _hook_seconds(self) -> float:
        """How long a coroutine of a hook may take from now on."""
        if self._deadline is None:
            return self._options.patience
        return max(0.2, self._deadline + HOOK_SECONDS - time.monotonic())

    def _guarded(self, name: str, hook: Callable[[AppServerContext], object]) -> None:
        try:
            contained(hook, self.context)
        except Exception:
            log.exception("%s of the application %s failed", name, self.path)

    def _run_hooks(self, name: str, context: AppSessionContext) -> None:
        for handler in self.application.handlers:
            try:
                result = contained(getattr(handler, name), context)
                if type(handler).__module__.startswith("bokeh."):
                    result = contained(_value_of, result)
                if inspect.isawaitable(result):
                    contained(self._coroutines.run, result, self._hook_seconds())
            except Exception:
                log.exception("%s of the application %s failed", name, self.path)


def _ended(session: AppSession, deadline: float) -> bool:
    """End a session; a callback that runs may finish, if it does before the deadline."""
    while not session.finish(-1.0):
        if session.destroyed or time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _value_of(result: Any) -> Any:
    """What a hook of Bokeh's handlers gives: these are coroutines, but await nothing, so that they
    need not wait for the event loop and all that may keep it from going on."""
    if not inspect.iscoroutine(result):
        return result
    try:
        result.send(None)
    except StopIteration as end:
        return end.value
    result.close()
    raise RuntimeError("a hook of Bokeh's awaits something")


def set_context(document: Document, context: AppSessionContext) -> None:
    """Let a document know its session's context, which it holds weakly."""
    document._session_context = weakref.ref(context)
