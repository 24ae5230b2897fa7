"""The entry of the ``bokeh-server`` command.

A server needs gevent in place of the standard library's sockets and threads,
and that must happen before anything else is imported; so this module imports nothing at first.
"""

from __future__ import annotations

import sys

__all__ = ["main", "serves"]

_FLAGS = (
    "debug",
    "dev",
    "disable-index",
    "disable-index-redirect",
    "enable-xsrf-cookies",
    "https",
    "multi-user",
    "public-applications",
    "show",
)
#: options that are followed by no value; every other one takes the next word.
FLAGS = {f"--{no}{name}" for name in _FLAGS for no in ("", "no-")} | {"--glob", "--use-xheaders"}
SUBCOMMANDS = {"config", "db", "docs", "events", "links", "secret", "tokens", "users"}


def serves(words: list[str]) -> bool:
    """Whether a command line starts a server; in doubt it does."""
    previous = ""
    for word in words:
        if word == "--args":
            return True
        takes_value = previous.startswith("--") and "=" not in previous and previous not in FLAGS
        if word in {"--help", "--version"} or (word in SUBCOMMANDS and not takes_value):
            return False
        previous = word
    return True


def main() -> None:
    """Run the command; never returns."""
    if serves(sys.argv[1:]):
        from bokeh_server.greenlets import patch

        patch()
    from bokeh_server.cli.commands import run

    run()
