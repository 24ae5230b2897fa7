"""``Server``: applications, and whatever a Flask app has, on a port of their own."""

from __future__ import annotations

import atexit
import logging
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from bokeh.protocol.exceptions import ProtocolError
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from bokeh_server.apps import AppHost, AppSession, Loadable
from bokeh_server.blueprint import BokehServer
from bokeh_server.errors import ConfigurationError, NotFound
from bokeh_server.serving.backends import make_backend
from bokeh_server.serving.extras import add_favicon
from bokeh_server.serving.listening import bracketed, listen, tls_context
from bokeh_server.serving.options import Options, read_options

if TYPE_CHECKING:
    from bokeh_server.blueprint.state import State

__all__ = ["Server"]

#: seconds that requests in work have to finish when the server is stopped.
GRACE_SECONDS = 5.0
_LOCAL = frozenset({"", "0.0.0.0", "::", "127.0.0.1"})  # noqa: S104 — compared, not bound

log = logging.getLogger("bokeh_server")


class Server:
    """Serve applications on a port, with the names of ``bokeh.server.server.Server``.

    It listens as soon as it is made, and answers from :meth:`start` on, in the background.

    :param applications: by their addresses; or a single one, which is then at ``/``. Each is an
        ``Application`` of Bokeh's, a function of a document, a script, a folder or a notebook.
    :param io_loop: is a matter of Tornado, and refused.
    :param options: those of Bokeh's ``Server``, and any setting of ours by its name. Documents that
        applications publish are kept as long as this is, unless ``data_dir`` or ``database``
        says where.
    :ivar app: the Flask app, to which routes may be added before :meth:`start`.
    :raises ConfigurationError: an option is wrong, or the port is taken.
    """

    def __init__(
        self,
        applications: Mapping[str, Loadable] | Loadable,
        io_loop: Any = None,
        http_server_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._folder = tempfile.mkdtemp(prefix="bokeh-server-")
        given = {"io_loop": io_loop, "http_server_kwargs": http_server_kwargs, **options}
        try:
            self._make(applications, given)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._is_listening = True
        self._started = self._stopped = False
        self._end = threading.Event()

    def _make(
        self, applications: Mapping[str, Loadable] | Loadable, given: Mapping[str, Any]
    ) -> None:
        options = read_options(given, self._folder)
        self.settings = options.settings
        context = tls_context(self.settings)
        self.app = Flask("bokeh_server", static_folder=None, template_folder=None)
        self.app.config["PROPAGATE_EXCEPTIONS"] = False
        self._add(applications, options, session_key=given.get("secret_key"))
        self._listener = listen(self.settings)
        self._port = int(self._listener.getsockname()[1])
        self._http = make_backend(self.app, self._listener, self.settings, context)

    def _add(
        self, applications: Mapping[str, Loadable] | Loadable, options: Options, session_key: Any
    ) -> None:
        if not isinstance(applications, Mapping):
            applications = {"/": applications}
        extension = BokehServer(
            self.app,
            settings=self.settings,
            auth_provider=options.auth,
            cookie_secret=options.cookie_secret,
        )
        self._state: State = self.app.extensions["bokeh_server"]
        if session_key is not None:
            key = session_key
            self._state.session_key = key if isinstance(key, bytes) else str(key).encode()
        for path, application in applications.items():
            extension.add_application(path, application)
        if not self.settings.multi_user and not self.settings.app_workers:
            extension.accept_pushes(self.app)
        add_favicon(self.app, self.settings)
        count = self.settings.trusted_proxies
        if count:
            wsgi = ProxyFix(self.app.wsgi_app, x_for=count, x_proto=count, x_host=count)
            self.app.wsgi_app = wsgi  # type: ignore[method-assign]

    # --- its beginning and end -------------------------------------------------------------

    def start(self) -> None:
        """Begin to answer, in the background.

        :raises AssertionError: it was started before.
        """
        assert not self._started, "Already started"
        self._started = True
        atexit.register(self._at_exit)
        self._state.applications.start()
        self._http.start()

    def stop(self, wait: bool = True) -> None:
        """End all sessions, with their hooks, and all that is going on.

        :param wait: whether requests may finish that are being answered.
        :raises AssertionError: it was stopped before.
        """
        assert not self._stopped, "Already stopped"
        self._stopped = True
        self.unlisten(GRACE_SECONDS if wait else 0.0)
        self._state.close()
        self._end.set()
        shutil.rmtree(self._folder, ignore_errors=True)

    def unlisten(self, seconds: float = GRACE_SECONDS) -> None:
        """Accept no more connections; those that there are go on."""
        if self._is_listening:
            self._is_listening = False
            self._http.close(seconds)

    def run_until_shutdown(self) -> None:
        """Start, unless it was; wait for SIGTERM or Ctrl-C, then stop."""
        if not self._started:
            self.start()
        before = self._on_signals(lambda *_: self._end.set())
        try:
            while not self._end.wait(0.5):
                pass
        except KeyboardInterrupt:
            log.info("Interrupted, shutting down")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if not self._stopped:
                self.stop()

    def _on_signals(self, handler: Callable[[int, FrameType | None], Any]) -> dict[int, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}
        return {signal.SIGTERM: signal.signal(signal.SIGTERM, handler)}

    def _at_exit(self) -> None:
        if not self._stopped:
            self.stop(wait=False)

    def __enter__(self) -> Server:
        if not self._started:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._stopped:
            self.stop()

    # --- its sessions ----------------------------------------------------------------------

    def get_session(self, app_path: str, session_id: str) -> AppSession:
        """A session.

        :raises ValueError: there is no application at this address.
        :raises ProtocolError: it has no session of this id.
        """
        self._check(app_path)
        try:
            return self._host.at(app_path).get_session(session_id)
        except NotFound:
            raise ProtocolError(f"No such session {session_id}") from None

    def get_sessions(self, app_path: str | None = None) -> list[AppSession]:
        """The sessions of an application; without an address, those of all.

        :raises ValueError: there is no application at this address.
        """
        if app_path is not None:
            self._check(app_path)
        host = self._host
        paths = [app_path] if app_path is not None else host.paths
        return [session for path in paths for session in host.at(path).sessions()]

    @property
    def _host(self) -> AppHost:
        host = self._state.applications
        if not isinstance(host, AppHost):
            why = "they are in other processes"
            raise ConfigurationError("find sessions", why, "Leave app_workers out")
        return host

    def _check(self, app_path: str) -> None:
        if app_path not in self._state.added:
            raise ValueError(f"Application {app_path} does not exist on this server")

    def show(self, app_path: str, browser: str | None = None, new: str = "tab") -> None:
        """Open an application in a browser.

        :param app_path: its address, with a slash at the beginning.
        :param new: ``tab`` or ``window``.
        :raises ValueError: it begins with something else.
        """
        from bokeh.util.browser import view

        if not app_path.startswith("/"):
            raise ValueError("app_path must start with a /")
        view(self.url + self.prefix + app_path, browser=browser, new=new)  # type: ignore[arg-type]

    # --- where it is -----------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Its address for this machine, without the prefix."""
        address = self.settings.address
        name = "localhost" if address in _LOCAL else bracketed(address)
        return f"{self.settings.scheme}://{name}:{self._port}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def address(self) -> str:
        """The address it listens on."""
        return self.settings.address

    @property
    def unix_socket(self) -> None:
        """There is none."""
        return

    @property
    def prefix(self) -> str:
        """What is before all addresses."""
        return self.settings.url_prefix

    @property
    def index(self) -> str | None:
        """The template of the index, where it is not ours."""
        return None if self.settings.index is None else str(self.settings.index)

    @property
    def io_loop(self) -> Any:
        """There is none.

        :raises ConfigurationError: always.
        """
        remedy = "Call run_until_shutdown(), or start() and go on; it serves in the background"
        raise ConfigurationError("give the io_loop of a Server", "nothing runs on Tornado", remedy)
