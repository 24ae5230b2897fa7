"""The stand-alone server: a Flask app with the blueprint, on gevent, with a clean end.

The ``bokeh-server`` command calls :func:`serve` after gevent has patched the standard library.
"""

from __future__ import annotations

import gc
import ipaddress
import json
import logging
import os
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bokeh
import click
import gevent
from flask import Flask, redirect
from gevent.event import Event
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from bokeh_server import __version__
from bokeh_server.blueprint import BokehServer
from bokeh_server.blueprint.usercontent import read_content_host
from bokeh_server.config import Settings
from bokeh_server.errors import ConfigurationError
from bokeh_server.httpd import HttpServer, Wsgi
from bokeh_server.serving.extras import add_favicon, watched
from bokeh_server.serving.listening import bracketed, listen, tls_context

if TYPE_CHECKING:
    from bokeh.application.application import Application

    Applications = Mapping[str, Application]

__all__ = [
    "StandaloneServer",
    "TrustedHosts",
    "check_hosts",
    "create_app",
    "prepare_data_dir",
    "raise_file_limit",
    "serve",
    "set_up_logging",
    "spare_collector",
    "trusted_names",
]

#: seconds that requests in work have to finish when the server is stopped.
GRACE_SECONDS = 5.0
#: the garbage collector looks after so many new objects; Python's own 700 are one request.
GARBAGE_OBJECTS = 10_000
SINGLE_USER = "single user: whoever reaches this address may change every plot"
MANY_USERS = "multi-user: people log in, and plots are their own"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

log = logging.getLogger("bokeh_server")


class TrustedHosts:
    """Answer only requests for names that are ours: a defence against DNS rebinding.

    :param frames: whether frames are at a host.

    A page of any site can make its own name point at 127.0.0.1 and then talk to a local server
    as if it were its own; the ``Host`` header still carries the name of that site.
    """

    def __init__(
        self, app: Wsgi, names: Iterable[str], frames: Callable[[str], bool] = lambda _: False
    ) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in names)
        self.frames = frames

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Pass the request on, or answer 421."""
        host = str(environ.get("HTTP_HOST", ""))
        if not host or _without_port(host) in self.names or self.frames(host):
            return self.app(environ, start_response)
        why = "this server answers only for local use and the names it was given"
        remedy = "Start it with --trusted-host to use it by that name"
        detail = f"Could not answer for the host {host[:200]!r}: {why}. {remedy}."
        body = json.dumps({"error": "misdirected", "detail": detail})
        return Response(body, 421, mimetype="application/json")(environ, start_response)


def _without_port(host: str) -> str:
    name = host.lower()
    return name if name.endswith("]") else name.rsplit(":", 1)[0]


def create_app(settings: Settings, applications: Applications | None = None) -> Flask:
    """The Flask app of the stand-alone server: the blueprint, and nothing of anybody else's.

    :param applications: by their addresses.
    """
    app = Flask("bokeh_server", static_folder=None, template_folder=None)
    app.debug = settings.debug
    app.config["PROPAGATE_EXCEPTIONS"] = False
    server = BokehServer(app, settings=settings)
    for path, application in (applications or {}).items():
        server.add_application(path, application)
    if not settings.multi_user and not settings.app_workers:
        server.accept_pushes(app)
    if settings.url_prefix:
        app.add_url_rule("/", "home", lambda: redirect(settings.url_prefix + "/"))
    add_favicon(app, settings)
    app.wsgi_app = _wrap(app.wsgi_app, settings)  # type: ignore[method-assign]
    return app


def _wrap(wsgi: Any, settings: Settings) -> Any:
    names, frames = trusted_names(settings), read_content_host(settings.usercontent_host)
    if names:
        wsgi = TrustedHosts(wsgi, names, *([frames.is_at] if frames else []))
    count = settings.trusted_proxies
    if count:
        wsgi = ProxyFix(wsgi, x_for=count, x_proto=count, x_host=count, x_prefix=count)
    return wsgi


def trusted_names(settings: Settings) -> tuple[str, ...]:
    """The host names to answer for; empty for all, when the server is open to other machines."""
    if not settings.trusted_host and not _is_loopback(settings.address):
        return ()
    own = (bracketed(settings.address),)
    return (*LOOPBACK_NAMES, *own, *settings.trusted_host)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"


def prepare_data_dir(settings: Settings) -> None:
    """Make the data directory, and see that files can be written to it.

    :raises ConfigurationError: it cannot be made or written.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.data_dir):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"use the data directory {settings.data_dir}",
            (error.strerror or str(error)).lower(),
            "Make it writable, or choose another with --data-dir",
        ) from None


def check_hosts(settings: Settings) -> None:
    """Refuse a host for frames where the pages around them may be anywhere, or there too.

    :raises ConfigurationError: they may.
    """
    frames = read_content_host(settings.usercontent_host)
    if frames is None:
        return
    attempted = f"serve frames from {settings.usercontent_host}"
    if not trusted_names(settings):
        why = "the name of the pages around them is not known"
        raise ConfigurationError(attempted, why, "Give it with --trusted-host")
    if frames.is_at(_own_name(settings)) and not settings.trusted_host:
        why = "the pages around them are there, too"
        raise ConfigurationError(attempted, why, "Choose another name for it")


class StandaloneServer:
    """One running server.

    :param sources: the files of the applications, for ``dev``.
    :param argv: what their scripts find in ``sys.argv[1:]``.
    :ivar url: where it is reached from this machine, with a slash at the end.
    """

    def __init__(
        self,
        settings: Settings,
        applications: Applications | None = None,
        sources: Mapping[str, Path] | None = None,
        argv: Sequence[str] = (),
    ) -> None:
        context = tls_context(settings)
        check_hosts(settings)
        prepare_data_dir(settings)
        self.settings = settings
        self.listener = listen(settings)
        try:
            self.app = create_app(settings, applications)
            self.state = self.app.extensions["bokeh_server"]
            # a database or key that cannot be used stops us here, not the first who opens a page
            self.state.engine  # noqa: B018
            self.state.secret  # noqa: B018
        except BaseException:
            self.listener.close()
            raise
        self.port = int(self.listener.getsockname()[1])
        self._http = HttpServer(
            self.listener, self.app, request_timeout=settings.request_timeout, ssl_context=context
        )
        self._stop = Event()
        self._reloader = watched(self.app, sources, argv) if settings.dev else None

    @property
    def url(self) -> str:
        """Address of the index page, with the port in use."""
        name = _own_name(self.settings)
        return f"{self.settings.scheme}://{name}:{self.port}{self.settings.url_prefix}/"

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM; then end cleanly."""
        watchers = [gevent.signal_handler(each, self.stop) for each in _stop_signals()]
        spare_collector()
        self.state.schema.when_loaded = spare_collector
        if self.state.added:
            self.state.applications.start()
        reloader = self._reloader
        if reloader is not None:
            reloader.start()
        self._http.start()
        self._announce()
        try:
            self._stop.wait()
        finally:
            self._finish()
            for watcher in watchers:
                watcher.cancel()

    def stop(self) -> None:
        """Ask :meth:`run` to end; asked again, the process exits at once."""
        if self._stop.is_set():
            os._exit(130)
        self._stop.set()
        say("\nStopping; once more to exit at once.")

    def _finish(self) -> None:
        self._http.finish(GRACE_SECONDS)
        if self._reloader is not None:
            self._reloader.close()
        self.state.close()
        log.info("stopped")

    def _announce(self) -> None:
        settings = self.settings
        say(f"bokeh-server {__version__} on bokeh {bokeh.__version__}")
        say(f"  database  {settings.shown('database')}")
        say(f"  mode      {MANY_USERS if settings.multi_user else SINGLE_USER}")
        if settings.usercontent_host:
            say(f"  frames    {settings.usercontent_host}")
        say(f"  URL       {self.url}")
        for path in self.state.added:
            say(f"  app       {self.url.rstrip('/')}{path}")
        if settings.show:
            for url in self._shown():
                gevent.spawn(webbrowser.open, url)

    def _shown(self) -> list[str]:
        return [self.url.rstrip("/") + path for path in self.state.added] or [self.url]


def _own_name(settings: Settings) -> str:
    """The name by which the server is reached from this machine."""
    local = settings.address in {"", "0.0.0.0", "::", "127.0.0.1"}  # noqa: S104 — compared, not bound
    return "localhost" if local else bracketed(settings.address)


def spare_collector() -> None:
    """Have the garbage collector leave alone what is there now: modules, which stay to the end.

    To look through Bokeh's again and again took an eighth of all CPU, and 100 ms at a time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 10, 10)


def say(line: str) -> None:
    """Print a line, unless nobody can read it: a closed pipe or a full disk stops no server."""
    try:
        click.echo(line)
    except OSError:
        # What is still in the buffer would fail again when Python ends.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _stop_signals() -> list[int]:
    names = ("SIGINT", "SIGTERM")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def raise_file_limit() -> None:
    """Allow this process as many open sockets as the system lets it have."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def set_up_logging(settings: Settings) -> None:
    """Log to standard error: ours at the level asked for, libraries' warnings."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    log.setLevel("DEBUG" if settings.debug else settings.log_level.upper())


def serve(
    settings: Settings,
    applications: Applications | None = None,
    sources: Mapping[str, Path] | None = None,
    argv: Sequence[str] = (),
) -> None:
    """Run the stand-alone server until it is stopped.

    :param applications: by their addresses.
    :param sources: the files of the applications, for ``dev``.
    :param argv: what their scripts find in ``sys.argv[1:]``.
    :raises ConfigurationError: it cannot start; the message is one line that says what to do.
    """
    set_up_logging(settings)
    raise_file_limit()
    StandaloneServer(settings, applications, sources, argv).run()
