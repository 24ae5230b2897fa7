"""The settings of applications, which are part of :class:`bokeh_server.config.Settings`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bokeh_server import parsers
from bokeh_server.parsers import Parser

__all__ = ["AppSettings", "declare"]


def declare(parse: Parser, default: Any, help_text: str, *, secret: bool = False) -> Any:
    """Declare a setting: how it is read, its default and what it is for."""
    metadata = {"parse": parse, "help": help_text, "secret": secret}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, repr=False)
class AppSettings:
    """How applications are served, named as ``bokeh serve`` names it."""

    session_ids: str = declare(
        parsers.session_ids,
        "unsigned",
        f"Which ids of sessions are taken: {', '.join(parsers.SESSION_IDS)}",
    )
    session_token_expiration: float = declare(
        parsers.seconds, 300.0, "Seconds for which a page may begin its session"
    )
    unused_session_lifetime: int = declare(
        parsers.number, 15_000, "Milliseconds for which a session is kept that nobody has open"
    )
    check_unused_sessions: int = declare(
        parsers.number, 5_000, "Milliseconds between two looks for sessions that nobody has open"
    )
    include_headers: tuple[str, ...] = declare(
        parsers.names, (), "Headers of requests that applications see; all, when none is named"
    )
    exclude_headers: tuple[str, ...] = declare(
        parsers.names, (), "Headers of requests that applications do not see"
    )
    include_cookies: tuple[str, ...] = declare(
        parsers.names, (), "Cookies that applications see; all but ours, when none is named"
    )
    exclude_cookies: tuple[str, ...] = declare(
        parsers.names, (), "Cookies that applications do not see"
    )
    public_applications: bool = declare(
        parsers.flag, False, "With --multi-user: let everybody use applications without a login"
    )
    auth_module: Path | None = declare(
        parsers.path, None, "Python file that says who people are, as for bokeh serve"
    )
    enable_xsrf_cookies: bool = declare(
        parsers.flag, False, "Have forms of the auth module's handlers send Tornado's XSRF token"
    )
    app_workers: int = declare(
        parsers.count,
        0,
        "Processes that run applications beside the server's own; 0: it runs them itself",
    )
    app_patience: float = declare(
        parsers.seconds, 30.0, "Seconds that a page waits for a session or a worker that is busy"
    )
    warm: int = declare(
        parsers.count, 0, "Sessions of each application that are made before anybody asks for one"
    )
    dev: bool = declare(
        parsers.flag, False, "Load applications again when their files change; not for production"
    )
    dev_files: tuple[str, ...] = declare(
        parsers.names, (), "With --dev: other files at whose change applications are loaded again"
    )
    ico_path: str = declare(
        parsers.text, "", "File for /favicon.ico; Bokeh's when empty, and nothing with 'none'"
    )
    index: Path | None = declare(
        parsers.path, None, "Jinja template for the index of applications, in place of ours"
    )
    disable_index: bool = declare(parsers.flag, False, "Have no index of applications")
    disable_index_redirect: bool = declare(
        parsers.flag, False, "Show the index where there is one application, too"
    )
